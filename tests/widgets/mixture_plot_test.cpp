#include "widgets/plots/mixture_plot.h"

#include <QAction>
#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>
#include <algorithm>
#include <ctime>
#include <memory>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/plots/plot_surface.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::makeSnapshot;
using testing::settle;

class MixturePlotTest : public ::testing::Test {
  public:
    void TearDown() override { applyTheme(*qApp, Theme::Light); }

  protected:
    MixturePlotTest() { m_plot.resize(900, 560); }

    void show(report::LayerSnapshotPtr snapshot) {
        m_plot.setSnapshot(std::move(snapshot));
        m_plot.show();
        settle();
    }

    QCustomPlot* figure() { return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure")); }
    QCPAxisRect* counts() { return figure()->axisRects().at(0); }
    QCPAxisRect* map() { return figure()->axisRects().at(1); }

    QPoint pixelOf(double weight) {
        const double x = counts()->axis(QCPAxis::atBottom)->coordToPixel(weight);
        return {static_cast<int>(std::lround(x)), counts()->center().y()};
    }

    MixturePlot m_plot;
};

TEST_F(MixturePlotTest, NullShowsAHint) {
    show(nullptr);
    EXPECT_TRUE(m_plot.findChild<QLabel*>(QStringLiteral("emptyHint"))->isVisible());
    EXPECT_FALSE(figure()->isVisible());
    show(makeSnapshot("layer", 4));
    EXPECT_FALSE(m_plot.findChild<QLabel*>(QStringLiteral("emptyHint"))->isVisible());
    EXPECT_TRUE(figure()->isVisible());
    show(nullptr);
    EXPECT_FALSE(figure()->isVisible());
}

TEST_F(MixturePlotTest, TakesEveryKindOfSnapshot) {
    report::LayerSnapshot empty;
    for (const auto& snapshot :
         {makeSnapshot("full precision", 0, 0), makeSnapshot("two", 2), makeSnapshot("many", 256),
          makeSnapshot("filter-wise", 16, 64), std::make_shared<const report::LayerSnapshot>(empty)}) {
        for (const bool log : {false, true}) {
            m_plot.setLogCounts(log);
            show(snapshot);
            EXPECT_FALSE(m_plot.grab().isNull()) << snapshot->layer;
        }
    }
}

TEST_F(MixturePlotTest, AxesHaveTitlesAndOneWeightRange) {
    show(makeSnapshot("layer", 16));
    EXPECT_EQ(counts()->axis(QCPAxis::atBottom)->range(), QCPRange(-0.4, 0.4));
    EXPECT_EQ(map()->axis(QCPAxis::atBottom)->range(), QCPRange(-0.4, 0.4));
    EXPECT_FALSE(counts()->axis(QCPAxis::atLeft)->label().isEmpty());
    EXPECT_FALSE(counts()->axis(QCPAxis::atRight)->label().isEmpty());
    EXPECT_FALSE(map()->axis(QCPAxis::atBottom)->label().isEmpty());
    EXPECT_FALSE(map()->axis(QCPAxis::atLeft)->label().isEmpty());
    EXPECT_EQ(counts()->left(), map()->left());
    EXPECT_EQ(counts()->right(), map()->right());
    map()->axis(QCPAxis::atBottom)->setRange(-0.1, 0.1);
    EXPECT_EQ(counts()->axis(QCPAxis::atBottom)->range(), QCPRange(-0.1, 0.1));
}

TEST_F(MixturePlotTest, RangesHoldTheDataAndStayRound) {
    show(makeSnapshot("layer", 16));
    // The tallest bin has 100 weights, the largest component 160.
    EXPECT_GE(counts()->axis(QCPAxis::atLeft)->range().upper, 100);
    EXPECT_EQ(counts()->axis(QCPAxis::atLeft)->range().lower, 0);
    EXPECT_EQ(counts()->axis(QCPAxis::atRight)->range().upper, 200);
    m_plot.setLogCounts(true);
    settle();
    EXPECT_EQ(counts()->axis(QCPAxis::atLeft)->scaleType(), QCPAxis::stLogarithmic);
    EXPECT_GT(counts()->axis(QCPAxis::atLeft)->range().lower, 0);
    EXPECT_TRUE(m_plot.findChild<QAction*>(QStringLiteral("log_scale"))->isChecked());
}

TEST_F(MixturePlotTest, LockedAxesSurviveNewData) {
    show(makeSnapshot("layer", 16));
    counts()->axis(QCPAxis::atBottom)->setRange(-0.05, 0.05);
    m_plot.setAxesLocked(true);
    m_plot.setSnapshot(makeSnapshot("layer", 16));
    settle();
    EXPECT_EQ(counts()->axis(QCPAxis::atBottom)->range(), QCPRange(-0.05, 0.05));
    m_plot.setAxesLocked(false);
    settle();
    EXPECT_EQ(counts()->axis(QCPAxis::atBottom)->range(), QCPRange(-0.4, 0.4));
}

TEST_F(MixturePlotTest, TheWheelLocksAndADoubleClickUnlocks) {
    show(makeSnapshot("layer", 16));
    const QPoint at = pixelOf(0.1);
    QWheelEvent wheel(at, figure()->mapToGlobal(at), {}, {0, 120}, Qt::NoButton, Qt::NoModifier,
                      Qt::NoScrollPhase, false);
    QApplication::sendEvent(figure(), &wheel);
    settle();
    EXPECT_TRUE(m_plot.axesLocked());
    EXPECT_LT(counts()->axis(QCPAxis::atBottom)->range().size(), 0.8);
    m_plot.setSnapshot(makeSnapshot("another layer", 16));
    EXPECT_FALSE(m_plot.axesLocked()) << "zooming concerns one layer";
    m_plot.setAxesLocked(true);
    m_plot.setSnapshot(makeSnapshot("layer", 16));
    EXPECT_TRUE(m_plot.axesLocked()) << "the switch holds, so that layers can be compared";
    QTest::mouseDClick(figure(), Qt::LeftButton, {}, at);
    settle();
    EXPECT_FALSE(m_plot.axesLocked());
    EXPECT_EQ(counts()->axis(QCPAxis::atBottom)->range(), QCPRange(-0.4, 0.4));
}

TEST_F(MixturePlotTest, AClickSelectsTheComponentOfThatWeight) {
    const auto snapshot = makeSnapshot("layer", 16);
    show(snapshot);
    QSignalSpy selected(&m_plot, &MixturePlot::componentSelected);
    const double weight = snapshot->mixtures[0].components[5].mu;
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(weight));
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toInt(), 5);
    EXPECT_EQ(m_plot.selectedComponent(), 5);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(weight));
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toInt(), -1);
    m_plot.selectComponent(3);
    m_plot.selectComponent(3);
    EXPECT_EQ(selected.count(), 1);
    m_plot.selectComponent(99);
    EXPECT_EQ(m_plot.selectedComponent(), -1);
    EXPECT_EQ(selected.count(), 2);
}

TEST_F(MixturePlotTest, AnnouncesWhatASnapshotOrAChannelTakesAway) {
    show(makeSnapshot("layer", 16, 8));
    QSignalSpy selected(&m_plot, &MixturePlot::componentSelected);
    QSignalSpy channel(&m_plot, &MixturePlot::channelChanged);
    m_plot.selectComponent(3);
    m_plot.setSnapshot(makeSnapshot("layer", 16, 8));
    EXPECT_EQ(m_plot.selectedComponent(), 3) << "newer figures of the layer keep it";
    m_plot.setChannel(5);
    EXPECT_EQ(channel.takeLast().at(0).toInt(), 5);
    EXPECT_EQ(selected.takeLast().at(0).toInt(), -1);
    m_plot.selectComponent(3);
    m_plot.setSnapshot(makeSnapshot("another layer", 16, 8));
    EXPECT_EQ(selected.takeLast().at(0).toInt(), -1);
    EXPECT_EQ(channel.count(), 0);
    EXPECT_EQ(m_plot.channel(), 5);
    m_plot.selectComponent(3);
    m_plot.setSnapshot(makeSnapshot("another layer", 4, 2));
    EXPECT_EQ(selected.takeLast().at(0).toInt(), -1) << "another codebook";
    EXPECT_EQ(channel.takeLast().at(0).toInt(), 1);
    m_plot.setSnapshot(nullptr);
    EXPECT_EQ(channel.takeLast().at(0).toInt(), 0);
}

TEST_F(MixturePlotTest, TheLegendSelectsToo) {
    show(makeSnapshot("layer", 16));
    QSignalSpy selected(&m_plot, &MixturePlot::componentSelected);
    const int row = QFontMetrics(figure()->font()).height() + 2;
    const int x = figure()->width() - 40;
    const int top = counts()->outerRect().top();
    QTest::mouseClick(figure(), Qt::LeftButton, {}, {x, top + row + row / 2});  // below the header
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toInt(), 0);
}

/// Values that weights choose by logits of their own: stems, no curves, no maps, nothing read off them.
TEST_F(MixturePlotTest, AFixedSetShowsNoGaussians) {
    report::LayerSnapshot set = *makeSnapshot("layer", 4);
    for (report::MixtureComponent& component : set.mixtures[0].components)
        component.sigma = 0;
    show(std::make_shared<const report::LayerSnapshot>(set));
    for (QCPAxisRect* rect : {counts(), map()}) {
        for (const QCPGraph* graph : rect->graphs()) {
            for (const QCPGraphData& point : *graph->data())
                EXPECT_TRUE(std::isfinite(point.value));
        }
    }
    EXPECT_FALSE(map()->visible());
    EXPECT_TRUE(counts()->axis(QCPAxis::atBottom)->tickLabels());
    EXPECT_GT(counts()->height(), 0.75 * figure()->height()) << "the room of the map is the counts'";
    QSignalSpy selected(&m_plot, &MixturePlot::componentSelected);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(set.mixtures[0].components[2].mu));
    EXPECT_EQ(m_plot.selectedComponent(), 2) << "the nearest value";
    const auto* readOut = m_plot.findChild<QLabel*>(QStringLiteral("readOut"));
    QTest::mouseMove(figure(), pixelOf(0));
    QTest::mouseMove(figure(), pixelOf(0.15));
    EXPECT_TRUE(readOut->text().contains(QStringLiteral("w = "))) << readOut->text().toStdString();
    EXPECT_FALSE(readOut->text().contains(QStringLiteral("Ψ"))) << readOut->text().toStdString();
    show(makeSnapshot("layer", 4));
    EXPECT_TRUE(map()->visible());
    EXPECT_FALSE(counts()->axis(QCPAxis::atBottom)->tickLabels());
    EXPECT_GT(map()->height(), 0.15 * figure()->height());
}

TEST_F(MixturePlotTest, HoveringReadsValues) {
    show(makeSnapshot("layer", 4));
    const auto* readOut = m_plot.findChild<QLabel*>(QStringLiteral("readOut"));
    const QString hint = readOut->text();
    QTest::mouseMove(figure(), pixelOf(0));
    QTest::mouseMove(figure(), pixelOf(0.15));
    EXPECT_NE(readOut->text(), hint);
    EXPECT_NE(readOut->text().indexOf(QStringLiteral("k = 2")), -1) << readOut->text().toStdString();
    EXPECT_NE(readOut->text().indexOf(QStringLiteral("Ψ = 0.1500")), -1) << readOut->text().toStdString();
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(figure(), &leave);
    EXPECT_EQ(readOut->text(), hint);
}

TEST_F(MixturePlotTest, TheReadOutOfARestingMouseFollowsNewData) {
    show(makeSnapshot("layer", 4));
    const auto* readOut = m_plot.findChild<QLabel*>(QStringLiteral("readOut"));
    const QString hint = readOut->text();
    QTest::mouseMove(figure(), pixelOf(0));
    QTest::mouseMove(figure(), pixelOf(0.15));
    const QString before = readOut->text();
    auto moved = std::make_shared<report::LayerSnapshot>(*makeSnapshot("layer", 4));
    moved->mixtures[0].components[2].mu = 0.16;
    m_plot.setSnapshot(moved);
    settle();
    EXPECT_NE(readOut->text(), before);
    EXPECT_NE(readOut->text().indexOf(QStringLiteral("Ψ = 0.1600")), -1) << readOut->text().toStdString();
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(figure(), &leave);
    m_plot.setSnapshot(makeSnapshot("layer", 4));
    settle();
    EXPECT_EQ(readOut->text(), hint);
}

TEST_F(MixturePlotTest, ChannelsAreForFilterWiseLayers) {
    show(makeSnapshot("layer", 4));
    auto* spin = m_plot.findChild<QSpinBox*>(QStringLiteral("channel"));
    EXPECT_FALSE(spin->isVisible());
    show(makeSnapshot("layer", 4, 8));
    EXPECT_TRUE(spin->isVisible());
    EXPECT_EQ(spin->maximum(), 7);
    QSignalSpy changed(&m_plot, &MixturePlot::channelChanged);
    m_plot.setChannel(99);
    EXPECT_EQ(m_plot.channel(), 7);
    EXPECT_EQ(changed.count(), 1);
    spin->setValue(2);
    EXPECT_EQ(m_plot.channel(), 2);
    EXPECT_EQ(changed.count(), 2);
    show(makeSnapshot("layer", 4, 2));
    EXPECT_EQ(m_plot.channel(), 1) << "clamped to the channels there are";
}

TEST_F(MixturePlotTest, ABurstCostsOneReplotAndAHiddenPlotNone) {
    show(makeSnapshot("layer", 16));
    QSignalSpy replots(figure(), &QCustomPlot::afterReplot);
    for (int i = 0; i < 20; ++i)
        m_plot.setSnapshot(makeSnapshot("layer", 16));
    settle();
    EXPECT_EQ(replots.count(), 1);
    m_plot.hide();
    replots.clear();
    for (int i = 0; i < 20; ++i)
        m_plot.setSnapshot(makeSnapshot("layer", 16));
    settle();
    EXPECT_EQ(replots.count(), 0);
    m_plot.show();
    settle();
    EXPECT_GE(replots.count(), 1);
}

TEST_F(MixturePlotTest, RestylesWhenTheThemeChanges) {
    show(makeSnapshot("layer", 16));
    const auto corner = [this] { return figure()->grab().toImage().pixelColor(2, figure()->height() - 3); };
    EXPECT_EQ(corner(), colors().panel);
    const QColor lightLabels = counts()->axis(QCPAxis::atLeft)->labelColor();
    applyTheme(*qApp, Theme::Dark);
    settle();
    EXPECT_EQ(corner(), colors().panel);
    EXPECT_LT(corner().lightness(), 60);
    EXPECT_NE(counts()->axis(QCPAxis::atLeft)->labelColor(), lightLabels);
}

TEST_F(MixturePlotTest, CsvHasBinsAndComponents) {
    EXPECT_TRUE(m_plot.csv().isEmpty());
    m_plot.setSnapshot(makeSnapshot("layer", 4));
    const QList<QByteArray> lines = m_plot.csv().trimmed().split('\n');
    ASSERT_EQ(lines.size(), 1 + 256 + 4);
    EXPECT_EQ(lines[0], "kind,index,low,high,weights,soft_weights,mu,pi,sigma");
    EXPECT_TRUE(lines[1].startsWith("bin,0,-0.4,-0.396875")) << lines[1].toStdString();
    EXPECT_EQ(lines[258], "component,1,,,20,,-0.15,0.25,0.0625");
    for (const QByteArray& line : lines)
        EXPECT_EQ(line.count(','), 8);
}

TEST_F(MixturePlotTest, ANarrowPlotLeavesTheLegendOut) {
    show(makeSnapshot("layer", 16));
    const int wide = counts()->width();
    m_plot.resize(420, 400);
    settle();
    settle();
    EXPECT_GT(counts()->width(), 200);
    EXPECT_LT(counts()->width(), wide);
}

TEST_F(MixturePlotTest, ANarrowPlotKeepsEveryButtonWithoutItsText) {
    show(makeSnapshot("layer", 16, 64));
    const auto* button = m_plot.findChild<QToolButton*>(QStringLiteral("lock"));
    EXPECT_EQ(button->toolButtonStyle(), Qt::ToolButtonTextBesideIcon);
    // What is left between the docks of a window of 1280 x 800, and the least there may be.
    for (const QSize size : {QSize(530, 480), m_plot.minimumSizeHint()}) {
        m_plot.resize(size);
        settle();
        EXPECT_EQ(button->toolButtonStyle(), Qt::ToolButtonIconOnly);
        for (const auto* tool : m_plot.findChildren<QToolButton*>()) {
            EXPECT_GE(tool->width(), tool->minimumSizeHint().width()) << tool->objectName().toStdString();
            EXPECT_LE(tool->geometry().right(), tool->parentWidget()->width());
        }
        const auto* readOut = m_plot.findChild<QLabel*>(QStringLiteral("readOut"));
        EXPECT_GT(readOut->width(), size.width() / 5);
        EXPECT_GT(map()->height(), 0);
    }
}

TEST_F(MixturePlotTest, EveryCommandCanBeListed) {
    QStringList names;
    for (const QAction* action : m_plot.actions()) {
        names += action->objectName();
        EXPECT_FALSE(action->shortcut().isEmpty());
        EXPECT_FALSE(action->statusTip().isEmpty());
        EXPECT_TRUE(action->toolTip().contains(action->shortcut().toString(QKeySequence::NativeText)));
    }
    EXPECT_EQ(names.join(QLatin1Char(' ')).toStdString(), "log_scale lock savePicture saveValues copyValues");
}

TEST_F(MixturePlotTest, ASnapshotIsDrawnWithinAQuarterOfAFrame) {
    show(makeSnapshot("layer", 16));
    const auto snapshot = makeSnapshot("layer", 16);
    const auto threadMs = [] {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
    };
    // Processor time of the best of several: other programs must not decide.
    double best = 1e9;
    for (int i = 0; i < 40; ++i) {
        const double before = threadMs();
        m_plot.setSnapshot(snapshot);
        settle();
        best = std::min(best, threadMs() - before);
    }
    RecordProperty("best_ms", std::to_string(best));
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
    GTEST_SKIP() << "only an optimised build without sanitizers is timed; best of 40: " << best << " ms";
#else
    EXPECT_LT(best, 8);
#endif
}

}  // namespace
}  // namespace bitloom::widgets
