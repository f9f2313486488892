#include "widgets/plots/render.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QFile>
#include <QImage>
#include <QLabel>
#include <QPainter>
#include <QSignalSpy>
#include <QSvgRenderer>

#include <gtest/gtest.h>

#include "tests/support/test_paths.h"
#include "tests/widgets/widget_data.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/export_button.h"
#include "widgets/plots/mixture_plot.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::makeRows;
using testing::makeSnapshot;
using testing::TemporaryFolder;

QString in(const TemporaryFolder& folder, const char* name) {
    return QString::fromStdString((folder / name).string());
}

QByteArray read(const QString& path) {
    QFile file(path);
    EXPECT_TRUE(file.open(QIODevice::ReadOnly)) << path.toStdString();
    return file.readAll();
}

int differentColours(const QImage& image) {
    QSet<QRgb> found;
    for (int y = 0; y < image.height(); y += 2) {
        for (int x = 0; x < image.width(); x += 2)
            found.insert(image.pixel(x, y));
    }
    return static_cast<int>(found.size());
}

class RenderTest : public ::testing::Test {
  protected:
    RenderTest() {
        m_mixture.resize(800, 500);
        m_mixture.setSnapshot(makeSnapshot("layer1.0.conv1", 16));
        m_curves.resize(800, 500);
        m_curves.setMetrics(makeRows(100));
    }

    TemporaryFolder m_folder;
    MixturePlot m_mixture;
    CurvesPlot m_curves;
};

TEST_F(RenderTest, PngOfViewsThatWereNeverShown) {
    for (QWidget* view : {static_cast<QWidget*>(&m_mixture), static_cast<QWidget*>(&m_curves)}) {
        QString error;
        ASSERT_TRUE(renderToFile(*view, in(m_folder, "view.png"), &error)) << error.toStdString();
        const QImage image(in(m_folder, "view.png"));
        EXPECT_EQ(image.size(), QSize(1600, 1000));
        EXPECT_GT(differentColours(image), 20);
        EXPECT_EQ(image.pixelColor(3, 995), colors().panel);
    }
}

TEST_F(RenderTest, PngInPixelsAsAskedFor) {
    QLabel label(QStringLiteral("text"));
    label.resize(120, 40);
    for (QWidget* view : {static_cast<QWidget*>(&m_mixture), static_cast<QWidget*>(&label)}) {
        ASSERT_TRUE(renderToFile(*view, in(m_folder, "view.png"), nullptr, 1));
        EXPECT_EQ(QImage(in(m_folder, "view.png")).size(), view->size());
    }
}

TEST_F(RenderTest, SvgIsVectorAndReadsBack) {
    for (QWidget* view : {static_cast<QWidget*>(&m_mixture), static_cast<QWidget*>(&m_curves)}) {
        ASSERT_TRUE(renderToFile(*view, in(m_folder, "view.SVG")));
        const QByteArray svg = read(in(m_folder, "view.SVG"));
        EXPECT_TRUE(svg.contains("<path") || svg.contains("<polyline"));
        EXPECT_FALSE(svg.contains("<image")) << "a figure is drawn, not photographed";
        QSvgRenderer renderer(svg);
        ASSERT_TRUE(renderer.isValid());
        QImage image(800, 500, QImage::Format_RGB32);
        QPainter painter(&image);
        renderer.render(&painter);
        painter.end();
        EXPECT_GT(differentColours(image), 10);
    }
}

TEST_F(RenderTest, Pdf) {
    ASSERT_TRUE(renderToFile(m_mixture, in(m_folder, "view.pdf")));
    const QByteArray pdf = read(in(m_folder, "view.pdf"));
    EXPECT_TRUE(pdf.startsWith("%PDF-"));
    EXPECT_TRUE(pdf.contains("/MediaBox [0 0 600")) << "800 pixels at 96 dots an inch are 600 points";
}

TEST_F(RenderTest, OtherWidgetsAreDrawnWhole) {
    QLabel label(QStringLiteral("text"));
    label.resize(120, 40);
    ASSERT_TRUE(renderToFile(label, in(m_folder, "label.png")));
    EXPECT_EQ(QImage(in(m_folder, "label.png")).size(), QSize(240, 80));
    ASSERT_TRUE(renderToFile(label, in(m_folder, "label.svg")));
    EXPECT_TRUE(QSvgRenderer(in(m_folder, "label.svg")).isValid());
    MixturePlot empty;
    empty.resize(300, 200);
    EXPECT_TRUE(renderToFile(empty, in(m_folder, "empty.svg")));
}

TEST_F(RenderTest, FailuresNameTheFile) {
    QString error;
    EXPECT_FALSE(renderToFile(m_mixture, in(m_folder, "view.gif"), &error));
    EXPECT_TRUE(error.contains(QLatin1String("view.gif")) && error.contains(QLatin1String(".svg")));
    EXPECT_FALSE(renderToFile(m_mixture, in(m_folder, "no folder/view.png"), &error));
    EXPECT_TRUE(error.contains(QLatin1String("no folder/view.png"))) << error.toStdString();
    EXPECT_FALSE(renderToFile(m_mixture, in(m_folder, "view.gif"))) << "the message is optional";
}

TEST_F(RenderTest, ANameWithoutSuffixTakesThatOfTheChosenFilter) {
    const QString filters = QStringLiteral("PNG (*.png);;SVG (*.svg)");
    const QString svg = QStringLiteral("SVG (*.svg)");
    EXPECT_EQ(withSuffix(QStringLiteral("/a/view"), filters, svg), QStringLiteral("/a/view.svg"));
    EXPECT_EQ(withSuffix(QStringLiteral("layer1.0.conv1"), filters, svg),
              QStringLiteral("layer1.0.conv1.svg"));
    EXPECT_EQ(withSuffix(QStringLiteral("view.PNG"), filters, svg), QStringLiteral("view.PNG"));
    EXPECT_EQ(withSuffix(QStringLiteral("view"), QStringLiteral("All (*)"), {}), QStringLiteral("view"));
}

TEST_F(RenderTest, FilesAreWrittenWholeOrNotAtAll) {
    QString error;
    EXPECT_TRUE(writeToFile(in(m_folder, "values.csv"), "a,b\n", &error)) << error.toStdString();
    EXPECT_EQ(read(in(m_folder, "values.csv")), "a,b\n");
    EXPECT_FALSE(writeToFile(in(m_folder, "no folder/values.csv"), "a,b\n", &error));
    EXPECT_TRUE(error.contains(QLatin1String("no folder/values.csv"))) << error.toStdString();
}

TEST_F(RenderTest, TheExportMenuWritesWhatItIsAsked) {
    auto* button = m_mixture.findChild<ExportButton*>();
    ASSERT_NE(button, nullptr);
    QString wanted;
    button->setPickFile([&wanted](QWidget*, const QString&, const QString&) { return wanted; });
    QSignalSpy failed(&m_mixture, &MixturePlot::failed);
    const auto trigger = [this](const char* name) {
        m_mixture.findChild<QAction*>(QString::fromUtf8(name))->trigger();
    };
    trigger("savePicture");
    trigger("saveValues");
    EXPECT_EQ(failed.count(), 0) << "cancelled";
    wanted = in(m_folder, "values.csv");
    trigger("saveValues");
    EXPECT_EQ(read(wanted), m_mixture.csv());
    wanted = in(m_folder, "picture.png");
    trigger("savePicture");
    EXPECT_FALSE(QImage(wanted).isNull());
    wanted = in(m_folder, "no folder/values.csv");
    trigger("saveValues");
    trigger("savePicture");
    EXPECT_EQ(failed.count(), 2);
    trigger("copyValues");
    EXPECT_EQ(QApplication::clipboard()->text().toUtf8(), m_mixture.csv());
}

}  // namespace
}  // namespace bitloom::widgets
