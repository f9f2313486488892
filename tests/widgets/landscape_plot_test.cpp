#include "widgets/plots/landscape_plot.h"

#include <QAction>
#include <QApplication>
#include <QLabel>
#include <QTest>
#include <QToolButton>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "tests/support/test_paths.h"
#include "tests/widgets/analysis_data.h"
#include "tests/widgets/widget_data.h"
#include "widgets/plots/landscape_figure.h"
#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::makeLandscape;
using testing::plain;
using testing::settle;

class LandscapeFigureTest : public ::testing::Test {
  protected:
    [[nodiscard]] std::string keys() {
        std::string text;
        for (QCPLayoutElement* element : m_figure.plot().plotLayout()->elements(true)) {
            if (const auto* strip = dynamic_cast<KeyStrip*>(element)) {
                for (const KeyStrip::Key& key : strip->keys())
                    text += plain(key.text) + " " + plain(key.value) + "; ";
            }
        }
        return text;
    }
    [[nodiscard]] QCPColorMap* map(int panel) {
        return qobject_cast<QCPColorMap*>(m_figure.plot().plottable(panel));
    }

    QWidget m_widget;
    LandscapeState m_state;
    LandscapeFigure m_figure{&m_widget, m_state};
};

TEST_F(LandscapeFigureTest, BothMapsShareOneScale) {
    m_state.result = makeLandscape(21);
    m_figure.update();
    EXPECT_DOUBLE_EQ(m_figure.scaleRange().first, 0.1);
    EXPECT_DOUBLE_EQ(m_figure.scaleRange().second, 0.2 + 2 * 2.25 + 2);
    EXPECT_EQ(map(0)->dataRange(), map(1)->dataRange());
    EXPECT_EQ(map(0)->dataScaleType(), QCPAxis::stLogarithmic);
    EXPECT_DOUBLE_EQ(map(0)->data()->cell(10, 10), 0.1);
    EXPECT_DOUBLE_EQ(map(1)->data()->cell(20, 0), 0.2 + 0.5 + 2);
    EXPECT_THAT(keys(), AllOf(HasSubstr("Full precision ; at + 0.1"), HasSubstr("Quantized anew"),
                              HasSubstr("at + 0.7"), HasSubstr("at ○ 0.2")));
    m_state.result->quantizedAnew = m_state.result->pretrained = false;
    m_figure.update();
    EXPECT_THAT(keys(), AllOf(HasSubstr("Before training"), HasSubstr("Deployed weights, moved")));
    m_state.logScale = false;
    m_figure.update();
    EXPECT_EQ(map(1)->dataScaleType(), QCPAxis::stLinear);
    m_state.top1 = true;
    m_figure.update();
    EXPECT_NEAR(m_figure.scaleRange().second, 100 / 1.1, 1e-9);
    EXPECT_THAT(keys(), HasSubstr("the best point"));
}

TEST_F(LandscapeFigureTest, APartIsFilledInAndSaysSo) {
    m_state.result = makeLandscape(5);
    for (std::size_t i = 0; i < 25; ++i) {
        if (i == 12) continue;
        m_state.result->fullPrecision.loss[i] = report::kNoValue;
        m_state.result->quantized.loss[i] = report::kNoValue;
    }
    m_state.result->done = 1;
    m_figure.update();
    EXPECT_DOUBLE_EQ(map(0)->data()->cell(0, 0), map(0)->data()->cell(2, 2));
    EXPECT_FALSE(map(0)->interpolate()) << "squares show how coarse it is";
    EXPECT_THAT(keys(), HasSubstr("1 of 25 points, the rest filled in"));
}

TEST_F(LandscapeFigureTest, OverflowTakesTheEndOfTheScale) {
    m_state.result = makeLandscape(5);
    m_state.result->quantized.loss[0] = std::numeric_limits<double>::infinity();
    m_figure.update();
    EXPECT_TRUE(std::isfinite(m_figure.scaleRange().second));
    EXPECT_DOUBLE_EQ(map(1)->data()->cell(0, 0), m_figure.scaleRange().second);
}

class LandscapePlotTest : public ::testing::Test {
  protected:
    LandscapePlotTest() {
        m_plot.resize(900, 560);
        m_plot.show();
        settle();
    }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }
    void show(const report::Landscape& landscape) {
        m_plot.setLandscape(landscape);
        settle();
    }
    [[nodiscard]] std::string readOut() const {
        return plain(m_plot.findChild<QLabel*>(QStringLiteral("readOut"))->text());
    }
    [[nodiscard]] QCustomPlot* figure() const {
        return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure"));
    }

    LandscapePlot m_plot;
};

TEST_F(LandscapePlotTest, IsAHintUntilThereIsSomethingToShow) {
    auto* hint = m_plot.findChild<QLabel*>(QStringLiteral("emptyHint"));
    EXPECT_TRUE(hint->isVisible());
    show(makeLandscape(11));
    EXPECT_FALSE(hint->isVisible());
    m_plot.clear();
    EXPECT_TRUE(hint->isVisible());
    EXPECT_TRUE(m_plot.isEmpty());
}

TEST_F(LandscapePlotTest, MouseAndKeysTellAboutAPoint) {
    show(makeLandscape(11));
    const QCPAxisRect* right = figure()->axisRects()[1];
    QTest::mouseMove(figure(), QPoint(qRound(right->axis(QCPAxis::atBottom)->coordToPixel(0.6)),
                                      qRound(right->axis(QCPAxis::atLeft)->coordToPixel(-0.2))));
    EXPECT_EQ(m_plot.selectedPoint(), std::pair(8, 4));
    EXPECT_THAT(readOut(), AllOf(HasSubstr("α 0.60"), HasSubstr("full precision: loss 0.5000, top-1 66.67 %"),
                                 HasSubstr("quantized: loss 0.3000")));
    figure()->setFocus();
    QTest::keyClick(figure(), Qt::Key_Up);
    EXPECT_EQ(m_plot.selectedPoint(), std::pair(8, 5));
    m_plot.selectPoint({});
    QTest::keyClick(figure(), Qt::Key_Left);
    EXPECT_EQ(m_plot.selectedPoint(), std::pair(4, 5)) << "from the weights";
    for (int i = 0; i < 20; ++i)
        QTest::keyClick(figure(), Qt::Key_Down);
    EXPECT_EQ(m_plot.selectedPoint(), std::pair(4, 0));
}

TEST_F(LandscapePlotTest, SwitchesChangeWhatTheColoursSay) {
    show(makeLandscape(11));
    EXPECT_TRUE(m_plot.logScale());
    const QImage logarithmic = figure()->grab().toImage();
    auto* logButton = m_plot.findChild<QToolButton*>(QStringLiteral("log_scale"));
    QTest::mouseClick(logButton, Qt::LeftButton);
    EXPECT_FALSE(m_plot.logScale());
    settle();
    const QImage linear = figure()->grab().toImage();
    EXPECT_NE(linear, logarithmic);
    figure()->setFocus();
    QTest::keyClick(figure(), Qt::Key_T);
    EXPECT_TRUE(m_plot.top1());
    EXPECT_FALSE(logButton->isEnabled()) << "top-1 has no logarithm";
    settle();
    EXPECT_NE(figure()->grab().toImage(), linear);
}

TEST_F(LandscapePlotTest, CsvHasALineAPoint) {
    EXPECT_EQ(m_plot.csv().count('\n'), 1);
    report::Landscape landscape = makeLandscape(3);
    landscape.quantized.loss[8] = report::kNoValue;
    landscape.quantized.top1[8] = report::kNoValue;
    show(landscape);
    EXPECT_EQ(m_plot.csv().count('\n'), 10);
    EXPECT_THAT(m_plot.csv().toStdString(), AllOf(HasSubstr("alpha,beta,full_precision_loss"),
                                                  HasSubstr("\n0,0,0.1,"), HasSubstr(",,\n")));
}

TEST_F(LandscapePlotTest, FollowsTheThemeAndIsSaved) {
    show(makeLandscape(11));
    applyTheme(*qApp, Theme::Dark);
    settle();
    EXPECT_LT(figure()->grab().toImage().pixelColor(2, 2).lightness(), 100);
    const bitloom::testing::TemporaryFolder folder;
    for (const char* name : {"a.png", "a.svg", "a.pdf"})
        EXPECT_TRUE(renderToFile(m_plot, QString::fromStdString((folder / name).string()))) << name;
}

}  // namespace
}  // namespace bitloom::widgets
