#include "widgets/plots/curves_plot.h"

#include <QAction>
#include <QApplication>
#include <QFrame>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <QTimer>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/plots/plot_surface.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::makeRows;
using testing::settle;

class CurvesPlotTest : public ::testing::Test {
  public:
    void TearDown() override { applyTheme(*qApp, Theme::Light); }

  protected:
    CurvesPlotTest() {
        m_plot.resize(800, 620);
        m_plot.show();
        settle();
    }

    QCustomPlot* figure() { return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure")); }
    QCPAxis* steps(int panel) { return figure()->axisRects().at(panel)->axis(QCPAxis::atBottom); }
    QCPAxis* values(int panel) { return figure()->axisRects().at(panel)->axis(QCPAxis::atLeft); }

    QPoint pixelOf(double step) {
        return {static_cast<int>(std::lround(steps(2)->coordToPixel(step))),
                figure()->axisRects().at(2)->center().y()};
    }

    CurvesPlot m_plot;
};

TEST_F(CurvesPlotTest, EmptyShowsAHint) {
    EXPECT_TRUE(m_plot.findChild<QLabel*>(QStringLiteral("emptyHint"))->isVisible());
    EXPECT_FALSE(figure()->isVisible());
    m_plot.appendMetric(makeRows(1).front());
    settle();
    EXPECT_TRUE(figure()->isVisible());
    m_plot.clear();
    settle();
    EXPECT_FALSE(figure()->isVisible());
    EXPECT_EQ(m_plot.csv().count('\n'), 1);
}

TEST_F(CurvesPlotTest, FourPanelsShareTheStepsAndNameTheirUnits) {
    m_plot.setMetrics(makeRows(101));
    settle();
    ASSERT_EQ(figure()->axisRectCount(), 4);
    for (int panel = 0; panel < 4; ++panel) {
        EXPECT_NEAR(steps(panel)->range().lower, -2, 1e-9);
        EXPECT_NEAR(steps(panel)->range().upper, 202, 1e-9);
        EXPECT_FALSE(values(panel)->label().isEmpty());
        EXPECT_EQ(figure()->axisRects().at(panel)->left(), figure()->axisRects().at(0)->left());
    }
    steps(1)->setRange(50, 60);
    for (int panel = 0; panel < 4; ++panel)
        EXPECT_EQ(steps(panel)->range(), QCPRange(50, 60));
    // Values follow the steps in view: the loss at step 50 is 2 / 26.
    EXPECT_LT(values(0)->range().upper, 0.1);
}

TEST_F(CurvesPlotTest, AShortRunStartsAtTheLeft) {
    m_plot.setMetrics(makeRows(1));
    settle();
    EXPECT_NEAR(steps(0)->range().lower, -0.1, 1e-9);
    EXPECT_NEAR(steps(0)->range().upper, 10.1, 1e-9);
}

TEST_F(CurvesPlotTest, ValuesCoverTheCurvesAndTheFp32Line) {
    m_plot.setMetrics(makeRows(50, 1.5));
    m_plot.setFp32Accuracy(93.4);
    settle();
    EXPECT_LE(values(2)->range().lower, 88.5);
    EXPECT_GE(values(2)->range().upper, 93.4);
    m_plot.setFp32Accuracy(report::kNoValue);
    settle();
    EXPECT_LT(values(2)->range().upper, 93.4);
}

TEST_F(CurvesPlotTest, AlarmWhenSoftAndHardPart) {
    auto* banner = m_plot.findChild<QFrame*>(QStringLiteral("alarm"));
    auto* text = m_plot.findChild<QLabel*>(QStringLiteral("alarmText"));
    m_plot.setMetrics(makeRows(50, 2.9));
    EXPECT_FALSE(m_plot.alarm());
    QSignalSpy changed(&m_plot, &CurvesPlot::alarmChanged);
    m_plot.setMetrics(makeRows(50, 31.2));
    EXPECT_TRUE(m_plot.alarm());
    ASSERT_EQ(changed.count(), 1);
    EXPECT_TRUE(changed.front().at(0).toBool());
    EXPECT_TRUE(changed.takeFirst().at(1).toString().contains(QLatin1String("differ by 31.2 points")));
    EXPECT_TRUE(banner->isVisible());
    EXPECT_NE(text->text().indexOf(QStringLiteral("31.2 points")), -1) << text->text().toStdString();
    m_plot.setLayerGaps({{QStringLiteral("a"), 0.1},
                         {QStringLiteral("b"), 0.4},
                         {QStringLiteral("c"), report::kNoValue},
                         {QStringLiteral("d"), 0.3},
                         {QStringLiteral("e"), 0.2}});
    EXPECT_NE(text->text().indexOf(QStringLiteral("b (0.400), d (0.300), e (0.200)")), -1)
        << text->text().toStdString();
    EXPECT_EQ(changed.count(), 0) << "gaps come with every snapshot and are no news";
    report::MetricSample better;
    better.step = 200;
    better.top1Soft = 90;
    better.top1Hard = 89;
    m_plot.appendMetric(better);
    EXPECT_FALSE(m_plot.alarm()) << "the newest evaluation decides";
    EXPECT_FALSE(banner->isVisible());
    EXPECT_EQ(changed.takeFirst(), (QVariantList{false, QString()}));
}

TEST_F(CurvesPlotTest, ADoubleClickShowsAllAndChoosesNothing) {
    m_plot.setMetrics(makeRows(51));
    settle();
    QSignalSpy selected(&m_plot, &CurvesPlot::stepSelected);
    const QPoint at = pixelOf(40);
    QWheelEvent wheel(at, figure()->mapToGlobal(at), {}, {0, 120}, Qt::NoButton, Qt::NoModifier,
                      Qt::NoScrollPhase, false);
    QApplication::sendEvent(figure(), &wheel);
    settle();
    ASSERT_TRUE(m_plot.stepsLocked());
    EXPECT_TRUE(m_plot.findChild<QAction*>(QStringLiteral("lock"))->isChecked());
    const double zoomed = steps(0)->range().size();
    m_plot.appendMetric(makeRows(60).back());
    settle();
    EXPECT_EQ(steps(0)->range().size(), zoomed) << "new rows leave the range";
    const auto* pending = m_plot.findChild<QTimer*>(QStringLiteral("pendingClick"));
    QTest::mouseClick(figure(), Qt::LeftButton, {}, at);
    EXPECT_TRUE(pending->isActive());
    QTest::mouseDClick(figure(), Qt::LeftButton, {}, at);
    QTest::mouseRelease(figure(), Qt::LeftButton, {}, at);
    settle();
    EXPECT_FALSE(pending->isActive());
    EXPECT_EQ(selected.count(), 0);
    EXPECT_FALSE(m_plot.stepsLocked());
    EXPECT_GT(steps(0)->range().size(), zoomed);

    m_plot.setStepsLocked(true);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, at);
    ASSERT_TRUE(selected.count() == 1 || selected.wait()) << "a single click chooses after all";
}

TEST_F(CurvesPlotTest, ZoomingInShowsEveryRow) {
    m_plot.setMetrics(makeRows(50'000));
    settle();
    steps(0)->setRange(999, 1401);
    EXPECT_EQ(figure()->graph(0)->dataCount(), 203) << "201 rows in view and one on each side";
    steps(0)->setRange(1003, 1007);
    EXPECT_LT(values(2)->range().size(), 50) << "the line between two evaluations is in view";
}

TEST_F(CurvesPlotTest, AClickChoosesTheNearestStep) {
    m_plot.setMetrics(makeRows(51));  // steps 0 to 100
    settle();
    QSignalSpy selected(&m_plot, &CurvesPlot::stepSelected);
    QTest::mousePress(figure(), Qt::LeftButton, {}, pixelOf(40));
    EXPECT_EQ(selected.count(), 0);
    QTest::mouseRelease(figure(), Qt::LeftButton, {}, pixelOf(40));
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toLongLong(), 40);
    QTest::mousePress(figure(), Qt::LeftButton, {}, pixelOf(40));
    QTest::mouseMove(figure(), pixelOf(60));
    ASSERT_EQ(selected.count(), 1) << "dragging chooses on its way";
    EXPECT_EQ(selected.takeFirst().at(0).toLongLong(), 60);
    QTest::mouseRelease(figure(), Qt::LeftButton, {}, pixelOf(60));
    EXPECT_EQ(selected.count(), 0);
    m_plot.setCurrentStep(80);
    EXPECT_EQ(selected.count(), 0) << "only the person's choice is announced";
}

TEST_F(CurvesPlotTest, LongRunsAreThinnedForDrawing) {
    m_plot.setMetrics(makeRows(50'000));
    settle();
    EXPECT_LE(figure()->graph(0)->dataCount(), 1'010);
    EXPECT_GE(figure()->graph(0)->dataCount(), 500);
    EXPECT_EQ(m_plot.csv().count('\n'), 50'001) << "files have every row";
}

TEST_F(CurvesPlotTest, ABurstCostsOneReplotAndAHiddenPlotNone) {
    m_plot.setMetrics(makeRows(10));
    settle();
    QSignalSpy replots(figure(), &QCustomPlot::afterReplot);
    for (const auto& row : makeRows(200)) {
        if (row.step > 20) m_plot.appendMetric(row);
    }
    settle();
    EXPECT_EQ(replots.count(), 1);
    EXPECT_NEAR(steps(0)->range().upper, 398, 4);
    m_plot.hide();
    replots.clear();
    m_plot.setMetrics(makeRows(30));
    m_plot.setCurrentStep(4);
    settle();
    EXPECT_EQ(replots.count(), 0);
}

TEST_F(CurvesPlotTest, EventsOfEveryKindAreDrawn) {
    m_plot.setMetrics(makeRows(100));
    const QImage before = figure()->grab().toImage();
    std::vector<report::RunEvent> events;
    for (const auto kind :
         {report::EventKind::Epoch, report::EventKind::Evaluation, report::EventKind::Checkpoint,
          report::EventKind::Paused, report::EventKind::Resumed, report::EventKind::Warning,
          report::EventKind::Finished}) {
        events.push_back({static_cast<std::int64_t>(20 * events.size() + 10), kind, "text"});
    }
    m_plot.setEvents(events);
    settle();
    EXPECT_NE(figure()->grab().toImage(), before);
}

TEST_F(CurvesPlotTest, RestylesWhenTheThemeChanges) {
    m_plot.setMetrics(makeRows(50, 20));
    settle();
    applyTheme(*qApp, Theme::Dark);
    settle();
    const QColor corner = figure()->grab().toImage().pixelColor(2, figure()->height() - 3);
    EXPECT_EQ(corner, colors().panel);
    EXPECT_LT(corner.lightness(), 60);
}

TEST_F(CurvesPlotTest, CsvLeavesMissingValuesEmpty) {
    m_plot.setMetrics(makeRows(2));
    const QList<QByteArray> lines = m_plot.csv().trimmed().split('\n');
    ASSERT_EQ(lines.size(), 3);
    EXPECT_EQ(lines[0],
              "step,epoch,loss,learning_rate,top1_soft,top1_hard,top5_soft,top5_hard,quant_mse,step_seconds");
    EXPECT_EQ(lines[1], "0,0,2,0.01,90,89.5,,,1e-05,");
    EXPECT_EQ(lines[2], "2,0.02,1,0.01,,,,,1e-05,");
}

TEST_F(CurvesPlotTest, OtherRunsAreDrawnBeneathTheNewestWithMostContrast) {
    m_plot.setMetrics(makeRows(20));
    settle();
    const int own = figure()->graphCount();
    report::RunFigures older;
    older.name = "older";
    older.metrics = makeRows(60);
    report::RunFigures newer = older;
    newer.name = "newer";
    for (const Theme theme : {Theme::Light, Theme::Dark}) {
        applyTheme(*qApp, theme);
        m_plot.setOtherRuns({older, newer});
        settle();
        ASSERT_EQ(figure()->graphCount(), own + 8) << "a line a panel of each";
        const auto contrast = [&](int graph) {
            const QColor color = figure()->graph(graph)->pen().color();
            const QColor panel = colors().panel;
            return color.alphaF() * std::abs(color.lightnessF() - panel.lightnessF());
        };
        EXPECT_GT(contrast(own + 4), contrast(own));
    }
    applyTheme(*qApp, Theme::Light);
    EXPECT_GE(figure()->axisRects()[0]->axis(QCPAxis::atBottom)->range().upper, 118)
        << "the longest run fits";
    const std::string values = m_plot.csv().toStdString();
    EXPECT_EQ(std::count(values.begin(), values.end(), '\n'), 21)
        << "values are those of the run that is shown";
    m_plot.findChild<QAction*>(QStringLiteral("other_runs"))->trigger();
    settle();
    EXPECT_FALSE(m_plot.otherRunsShown());
    EXPECT_EQ(figure()->graphCount(), own);
    EXPECT_LT(figure()->axisRects()[0]->axis(QCPAxis::atBottom)->range().upper, 60);
    m_plot.clear();
    EXPECT_FALSE(m_plot.otherRunsShown()) << "what the person chose stays";
}

}  // namespace
}  // namespace bitloom::widgets
