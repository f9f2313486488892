#include "widgets/plots/embedding_plot.h"

#include <QAction>
#include <QApplication>
#include <QLabel>
#include <QTest>
#include <QToolButton>
#include <set>

#include <gmock/gmock.h>

#include "tests/support/test_paths.h"
#include "tests/widgets/analysis_data.h"
#include "tests/widgets/widget_data.h"
#include "widgets/class_colors.h"
#include "widgets/plots/embedding_figure.h"
#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::makeEmbedding;
using testing::plain;
using testing::settle;

class EmbeddingPlotTest : public ::testing::Test {
  protected:
    EmbeddingPlotTest() {
        m_plot.resize(900, 560);
        m_plot.show();
        settle();
    }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }
    void show(const report::Embedding& embedding) {
        m_plot.setEmbedding(embedding);
        settle();
        settle();  // ranges follow the layout
    }
    [[nodiscard]] std::string readOut() const {
        return plain(m_plot.findChild<QLabel*>(QStringLiteral("readOut"))->text());
    }
    [[nodiscard]] QCustomPlot* figure() const {
        return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure"));
    }
    /// Where an image lies in a panel.
    [[nodiscard]] QPoint pixelOf(const report::EmbeddedNetwork& network, int panel, std::size_t image) const {
        const QCPAxisRect* rect = figure()->axisRects()[panel];
        return {qRound(rect->axis(QCPAxis::atBottom)->coordToPixel(network.x[image])),
                qRound(rect->axis(QCPAxis::atLeft)->coordToPixel(network.y[image]))};
    }
    void point(const QPoint& position) { QTest::mouseMove(figure(), position); }

    EmbeddingPlot m_plot;
};

TEST_F(EmbeddingPlotTest, IsAHintUntilThereIsSomethingToShow) {
    auto* hint = m_plot.findChild<QLabel*>(QStringLiteral("emptyHint"));
    EXPECT_TRUE(m_plot.isEmpty());
    EXPECT_TRUE(hint->isVisible());
    EXPECT_FALSE(figure()->isVisible());
    show(makeEmbedding(60));
    EXPECT_FALSE(hint->isVisible());
    EXPECT_TRUE(figure()->isVisible());
    m_plot.clear();
    EXPECT_TRUE(hint->isVisible());
}

TEST_F(EmbeddingPlotTest, PointingAtAnImageTellsAboutItInBothNetworks) {
    const report::Embedding embedding = makeEmbedding(60);
    show(embedding);
    point(pixelOf(embedding.quantized, 1, 40));
    EXPECT_EQ(m_plot.selectedImage(), 40u);
    EXPECT_EQ(readOut(), "image 40   dog   full precision: right   quantized: right");
    point(pixelOf(embedding.fullPrecision, 0, 4));
    EXPECT_EQ(readOut(), "image 4   dog   full precision: right   quantized: wrong, cat");
    point({3, 3});
    EXPECT_FALSE(m_plot.selectedImage());
}

TEST_F(EmbeddingPlotTest, KeysGoAlongTheImagesThatAreAskedFor) {
    show(makeEmbedding(60));
    figure()->setFocus();
    QTest::keyClick(figure(), Qt::Key_Right);
    EXPECT_EQ(m_plot.selectedImage(), 0u);
    QTest::keyClick(figure(), Qt::Key_Left);
    EXPECT_EQ(m_plot.selectedImage(), 59u);
    QTest::keyClick(figure(), Qt::Key_W);
    EXPECT_TRUE(m_plot.wrongOnly());
    QTest::keyClick(figure(), Qt::Key_Right);
    EXPECT_EQ(m_plot.selectedImage(), 1u);
    QTest::keyClick(figure(), Qt::Key_Right);
    EXPECT_EQ(m_plot.selectedImage(), 4u);
    EXPECT_THAT(readOut(), HasSubstr("wrong, cat"));
    QTest::keyClick(figure(), Qt::Key_Escape);
    EXPECT_FALSE(m_plot.selectedImage());
}

TEST_F(EmbeddingPlotTest, AClickOnAClassShowsItAlone) {
    show(makeEmbedding(60));
    const QImage all = figure()->grab().toImage();
    const QPoint dog(70, figure()->height() - 10);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, dog);
    ASSERT_EQ(m_plot.shownClass(), 1);
    settle();
    EXPECT_NE(figure()->grab().toImage(), all);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, dog);
    EXPECT_FALSE(m_plot.shownClass());
}

TEST_F(EmbeddingPlotTest, UnitsAreAsLongOnBothAxes) {
    show(makeEmbedding(60));
    for (const QCPAxisRect* rect : figure()->axisRects()) {
        const double across = rect->axis(QCPAxis::atBottom)->range().size() / rect->width();
        const double up = rect->axis(QCPAxis::atLeft)->range().size() / rect->height();
        EXPECT_NEAR(across, up, 1e-9 * across);
    }
}

TEST_F(EmbeddingPlotTest, HeadersTellAccuracyAndHowFarALayoutIs) {
    EmbeddingState state;
    QWidget parent;
    EmbeddingFigure figure(&parent, state);
    state.result = makeEmbedding(60);
    state.result->quantized.divergence = report::kNoValue;
    state.result->quantized.iterations = 120;
    figure.update();
    std::string text;
    for (QCPLayoutElement* element : figure.plot().plotLayout()->elements(true)) {
        if (const auto* strip = dynamic_cast<KeyStrip*>(element)) {
            for (const KeyStrip::Key& key : strip->keys())
                text += plain(key.text) + " " + plain(key.value) + "; ";
        }
    }
    EXPECT_THAT(text, AllOf(HasSubstr("run.h5"), HasSubstr("images 60"), HasSubstr("perplexity 30"),
                            HasSubstr("Full precision ; top-1 91.70 %; divergence 1.50 nats"),
                            HasSubstr("Quantized ; top-1 90.25 %; iteration 120 of 1000")));
}

TEST_F(EmbeddingPlotTest, ALayoutThatFormsKeepsWhatWasChosen) {
    report::Embedding embedding = makeEmbedding(60);
    report::Embedding forming = embedding;
    forming.quantized.x.clear();
    forming.quantized.y.clear();
    show(forming);
    m_plot.selectImage(7);
    m_plot.setShownClass(2);
    show(embedding);
    EXPECT_EQ(m_plot.selectedImage(), 7u);
    EXPECT_EQ(m_plot.shownClass(), 2);
    show(makeEmbedding(30));
    EXPECT_FALSE(m_plot.selectedImage()) << "other images";
    EXPECT_FALSE(m_plot.shownClass());
}

TEST_F(EmbeddingPlotTest, CsvHasALineAnImage) {
    EXPECT_EQ(m_plot.csv().count('\n'), 1) << "a header alone";
    show(makeEmbedding(6));
    const QByteArray csv = m_plot.csv();
    EXPECT_EQ(csv.count('\n'), 7);
    EXPECT_THAT(csv.toStdString(),
                AllOf(HasSubstr("image,label,full_precision,full_precision_right,full_precision_x"),
                      HasSubstr("\n0,cat,cat,true,0,0,cat,true,0,"),
                      HasSubstr("\n1,dog,\"ship, steam\",false,"), HasSubstr(",cat,false,")));
}

TEST_F(EmbeddingPlotTest, FollowsTheThemeAndIsSaved) {
    show(makeEmbedding(60));
    const QColor light = figure()->grab().toImage().pixelColor(2, 2);
    applyTheme(*qApp, Theme::Dark);
    settle();
    EXPECT_LT(figure()->grab().toImage().pixelColor(2, 2).lightness(), light.lightness() - 100);
    const bitloom::testing::TemporaryFolder folder;
    for (const char* name : {"a.png", "a.svg", "a.pdf"})
        EXPECT_TRUE(renderToFile(m_plot, QString::fromStdString((folder / name).string()))) << name;
}

TEST(ClassColors, TenClassesDifferInBothThemes) {
    for (const Theme theme : {Theme::Dark, Theme::Light}) {
        applyTheme(*qApp, theme);
        std::set<QRgb> seen;
        for (std::size_t i = 0; i < 3 * kClassHues; ++i)
            seen.insert(classColor(i).rgb());
        EXPECT_GE(seen.size(), 3 * kClassHues - 2);
    }
}

}  // namespace
}  // namespace bitloom::widgets
