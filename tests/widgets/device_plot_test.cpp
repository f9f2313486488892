#include "widgets/plots/device_plot.h"

#include <QAction>
#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include <gmock/gmock.h>

#include "tests/widgets/bench_data.h"
#include "tests/widgets/widget_data.h"
#include "widgets/plots/device_families.h"
#include "widgets/plots/device_figure.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::makeBench;
using ::testing::Not;
using testing::plain;
using testing::settle;

const std::vector<std::string> kThree = {"tuned_fp32", "k0", "k2"};

std::string textOf(const KeyStrip& strip) {
    std::string text;
    for (const KeyStrip::Key& key : strip.keys())
        text += plain(key.text) + (key.value.isEmpty() ? "" : " " + plain(key.value)) + " | ";
    return text;
}

/// The figure alone, with the state in the hands of the test.
class DeviceFigureTest : public ::testing::Test {
  protected:
    DeviceFigureTest() : m_figure(&m_widget, m_state) { m_figure.plot().setViewport(QRect(0, 0, 800, 600)); }
    void draw(const report::BenchResult& result) {
        m_state.result = result;
        m_figure.update();
        m_figure.showAllLayers();
        m_figure.plot().replot();
        m_figure.fit();  // to the sizes that are known now
        m_figure.plot().replot();
    }
    /// Of the strips in the order of the layout: title, verdict, layers, shares; then those of the panels on
    /// top.
    [[nodiscard]] std::string keys() {
        std::string text;
        for (QCPLayoutElement* element : m_figure.plot().plotLayout()->elements(true)) {
            if (const auto* strip = dynamic_cast<KeyStrip*>(element)) text += textOf(*strip) + "\n";
        }
        return text;
    }

    QWidget m_widget;
    DeviceState m_state;
    DeviceFigure m_figure;
};

TEST_F(DeviceFigureTest, BarsStandForTheirTimes) {
    draw(makeBench(kThree, 5));
    const auto& rows = m_figure.familyBars().rows();
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[2].family, "k2");
    EXPECT_DOUBLE_EQ(rows[2].time.ms, 15.0 / 4);
    EXPECT_EQ(plain(rows[2].text), "3.750 ms   4.00×");
    EXPECT_EQ(plain(rows[0].text), "15.00 ms   1.00×");
    const LayerBars& bars = m_figure.layerBars();
    ASSERT_EQ(bars.series().size(), 3u);
    ASSERT_EQ(bars.series()[1].bars.size(), 5u);
    EXPECT_DOUBLE_EQ(bars.series()[1].bars[3].ms, 2);
    // Heights are in proportion to times, and bars stand beside each other.
    const auto tuned = bars.barRect(0, 4);
    const auto k2 = bars.barRect(2, 4);
    ASSERT_TRUE(tuned && k2);
    EXPECT_NEAR(tuned->height(), 4 * k2->height(), 4);
    EXPECT_LE(tuned->right(), bars.barRect(1, 4)->left());
    EXPECT_LE(bars.barRect(2, 3)->right(), tuned->left());
}

TEST_F(DeviceFigureTest, WhatWasNotTimedHasNoBar) {
    report::BenchResult result = makeBench({"tuned_fp32", "k2", "onednn_int8"}, 3);
    result.layers[1].kernels[1] = testing::makeTiming("k2", report::kNoValue, 1);
    for (report::LayerTiming& layer : result.layers)
        layer.kernels[2] = testing::makeTiming("onednn_int8", report::kNoValue, 1);
    result.network[1] = testing::makeTiming("k2", report::kNoValue, 1);
    draw(result);
    EXPECT_EQ(plain(m_figure.familyBars().rows()[1].text), "not timed");
    EXPECT_EQ(m_figure.layerBars().series().size(), 2u) << "an empty family takes no room beside each layer";
    EXPECT_TRUE(m_figure.layerBars().barRect(1, 0));
    EXPECT_FALSE(m_figure.layerBars().barRect(1, 1));
    EXPECT_THAT(keys(), HasSubstr("not timed by layer: onednn_int8"));
}

TEST_F(DeviceFigureTest, ALongWhiskerLeavesRoomForBarsAndTexts) {
    report::BenchResult result = makeBench(kThree, 5);
    result.network[1].time.p90Ms = 900;
    result.layers[2].kernels[0].time.p90Ms = 900;
    draw(result);
    EXPECT_LT(m_figure.familyBars().fittingEnd(400), 60);
    EXPECT_GT(m_figure.layerBars().barRect(0, 4)->height(), 20);
}

TEST_F(DeviceFigureTest, TheHeaderSaysWhatTheTimesRestOn) {
    draw(makeBench(kThree, 5));
    EXPECT_THAT(keys(), AllOf(HasSubstr("Some Processor"), HasSubstr("instructions avx2"),
                              HasSubstr("threads 2 on cores 4, 5"), HasSubstr("temperature 41.0 → 47.5 °C"),
                              HasSubstr("Stable | "), HasSubstr("clock steady"), HasSubstr("at most 1.00×"),
                              Not(HasSubstr("EMULATED"))));
    report::BenchResult result = makeBench(kThree, 5);
    result.device.emulated = true;
    result.verdict = report::TimingVerdict::Throttled;
    result.reason = "the clock fell";
    result.before.zones.clear();
    result.after.zones.clear();
    result.sentinelMs.clear();
    draw(result);
    EXPECT_THAT(keys(), AllOf(HasSubstr("EMULATED"), HasSubstr("Throttled | "), HasSubstr("the clock fell"),
                              HasSubstr("temperature not readable"), HasSubstr("not traced")));
    for (QCPAxisRect* rect : m_figure.plot().axisRects()) {
        for (const QCPAxis* axis : {rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft)}) {
            const QString label = axis->label();
            EXPECT_EQ(label.contains(QLatin1String("ms")), label.endsWith(QLatin1String("ms, emulated")))
                << label.toStdString();
        }
    }
    // Warnings are painted in their colour.
    bool warned = false;
    for (QCPLayoutElement* element : m_figure.plot().plotLayout()->elements(true)) {
        const auto* strip = dynamic_cast<KeyStrip*>(element);
        for (std::size_t i = 0; strip && i < strip->keys().size(); ++i)
            warned = warned || (strip->keys()[i].text == QLatin1String("Throttled") &&
                                strip->keys()[i].color == colors().warning);
    }
    EXPECT_TRUE(warned);
}

TEST_F(DeviceFigureTest, WithoutAFloatBaselineItSaysSo) {
    draw(makeBench({"k0", "k2"}, 2));
    EXPECT_THAT(keys(), HasSubstr("no float baseline was timed"));
    EXPECT_EQ(plain(m_figure.familyBars().rows()[0].text), "3.000 ms   –×");
}

TEST_F(DeviceFigureTest, SixtyLayersOfSevenFamiliesEachHaveABarAndNamesDoNotOverlap) {
    draw(makeBench({"a", "b", "c", "tuned_fp32", "k0", "k2", "d"}, 60));
    const LayerBars& bars = m_figure.layerBars();
    for (int layer = 0; layer < 60; ++layer) {
        for (int series = 0; series < 7; ++series) {
            const auto bar = bars.barRect(series, layer);
            ASSERT_TRUE(bar);
            EXPECT_GE(bar->width(), 1);
            EXPECT_GE(bar->height(), 1);
        }
    }
    const QCPAxisRect* shares = nullptr;
    for (QCPAxisRect* rect : m_figure.plot().axisRects()) {
        if (rect->axis(QCPAxis::atLeft)->label() == QLatin1String("%")) shares = rect;
    }
    ASSERT_NE(shares, nullptr);
    const QCPAxis* names = shares->axis(QCPAxis::atBottom);
    const auto ticks = qSharedPointerCast<QCPAxisTickerText>(names->ticker())->ticks();
    EXPECT_GE(ticks.size(), 20);
    const double apart = names->coordToPixel(ticks.keys().at(1)) - names->coordToPixel(ticks.keys().at(0));
    EXPECT_GE(apart, QFontMetrics(names->tickLabelFont()).height() * 0.8);
}

class DevicePlotTest : public ::testing::Test {
  protected:
    DevicePlotTest() {
        m_plot.resize(800, 620);
        m_plot.show();
        settle();
    }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }

    void show(const report::BenchResult& result) {
        m_plot.setResult(result);
        settle();
    }
    QCustomPlot* figure() { return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure")); }
    QCPAxisRect* panel(const QString& label) {
        for (QCPAxisRect* rect : figure()->axisRects()) {
            if (rect->axis(QCPAxis::atLeft)->label() == label ||
                rect->axis(QCPAxis::atBottom)->label() == label)
                return rect;
        }
        ADD_FAILURE() << "no panel has an axis " << label.toStdString();
        return figure()->axisRects().front();
    }
    /// The middle of a bar's column, low enough to lie on the bar.
    QPoint bar(int layer, int family, int families) {
        const QCPAxisRect* rect = panel(QStringLiteral("ms"));
        const BarGroups groups{100, families};
        const double x = (groups.left(layer, family) + groups.right(layer, family)) / 2;
        return {static_cast<int>(rect->axis(QCPAxis::atBottom)->coordToPixel(x)), rect->bottom() - 2};
    }
    std::string readOut() {
        std::string text;
        for (const char* name : {"readOut", "readOutFigures"})
            text += plain(m_plot.findChild<QLabel*>(QLatin1String(name))->text()) + "\n";
        return text;
    }
    QToolButton* button(const char* name) { return m_plot.findChild<QToolButton*>(QLatin1String(name)); }
    std::string familiesInView() {
        std::string text;
        const auto names = qSharedPointerCast<QCPAxisTickerText>(
            panel(QStringLiteral("median time of one image, ms"))->axis(QCPAxis::atLeft)->ticker());
        for (const QString& name : names->ticks())
            text += name.toStdString() + " ";
        return text;
    }

    DevicePlot m_plot;
};

TEST_F(DevicePlotTest, EmptyShowsAHint) {
    auto* hint = m_plot.findChild<QLabel*>(QStringLiteral("emptyHint"));
    EXPECT_TRUE(hint->isVisible());
    EXPECT_TRUE(m_plot.isEmpty());
    EXPECT_EQ(m_plot.csv().count('\n'), 1);
    show(makeBench(kThree, 5));
    EXPECT_TRUE(figure()->isVisible());
    EXPECT_FALSE(hint->isVisible());
    m_plot.clear();
    settle();
    EXPECT_TRUE(hint->isVisible());
    EXPECT_FALSE(figure()->isVisible());
    EXPECT_TRUE(m_plot.isEmpty());
}

TEST_F(DevicePlotTest, SlowFamiliesAreOffAtFirstAndTheBaselineCannotBe) {
    show(makeBench({"naive_fp32", "tuned_fp32", "paper_codebook", "k2"}, 5));
    EXPECT_EQ(familiesInView(), "tuned_fp32 k2 ");
    QTest::mouseClick(button("family_naive_fp32"), Qt::LeftButton);
    QTest::mouseClick(button("family_k2"), Qt::LeftButton);
    QTest::mouseClick(button("family_tuned_fp32"), Qt::LeftButton);
    settle();
    EXPECT_EQ(familiesInView(), "naive_fp32 tuned_fp32 ");
    EXPECT_FALSE(m_plot.isFamilyShown(QStringLiteral("k2")));
    m_plot.setFamilyShown(QStringLiteral("tuned_fp32"), false);
    EXPECT_TRUE(m_plot.isFamilyShown(QStringLiteral("tuned_fp32")));
    show(makeBench({"naive_fp32", "tuned_fp32", "k0", "k2"}, 5));
    EXPECT_EQ(familiesInView(), "naive_fp32 tuned_fp32 k0 ") << "what a person chose stays chosen";
    m_plot.setFamilyShown(QStringLiteral("k2"), true);
    EXPECT_TRUE(button("family_k2")->isChecked());
}

TEST_F(DevicePlotTest, EverySwitchHasAShortcutOfItsOwnAndATip) {
    show(makeBench({"naive_fp32", "tuned_fp32", "paper_codebook", "k0", "k2", "onednn_fp32", "onednn_int8"},
                   2));
    std::set<QString> keys;
    for (const QAction* action : m_plot.actions()) {
        EXPECT_FALSE(action->shortcut().isEmpty()) << action->text().toStdString();
        EXPECT_FALSE(action->toolTip().isEmpty());
        EXPECT_TRUE(keys.insert(action->shortcut().toString()).second) << action->text().toStdString();
    }
    EXPECT_GE(keys.size(), 11u);
    m_plot.activateWindow();
    ASSERT_TRUE(QTest::qWaitForWindowActive(&m_plot));
    figure()->setFocus();
    QTest::keyClick(figure(), Qt::Key_5);
    EXPECT_FALSE(m_plot.isFamilyShown(QStringLiteral("k2")));
    QTest::keyClick(figure(), Qt::Key_L);
    EXPECT_TRUE(m_plot.logTimes());
}

TEST_F(DevicePlotTest, HoveringReadsABarBesideItsBaseline) {
    report::BenchResult result = makeBench(kThree, 5);
    result.layers[3].kernels[1] = testing::makeTiming("k0", report::kNoValue, 1);
    show(result);
    QTest::mouseMove(figure(), bar(3, 2, 3));
    EXPECT_EQ(
        readOut(),
        "layer1.1.conv2   16x32x32 -> 16x32x32, 3x3   k2   k2_8x8\n"
        "1.000 ms (p10 0.9500, p90 1.100)   4.00× tuned_fp32's 4.000 ms   4.00 GMAC/s   23.0 % of peak\n");
    QTest::mouseMove(figure(), bar(3, 1, 3));
    EXPECT_THAT(readOut(), HasSubstr("not timed"));
    QTest::mouseMove(figure(), panel(QStringLiteral("× first"))->center());
    EXPECT_THAT(readOut(), AllOf(HasSubstr("of the fixed loop"), HasSubstr("× the first")));
    const QCPAxisRect* families = panel(QStringLiteral("median time of one image, ms"));
    QTest::mouseMove(figure(), QPoint(families->left() + 4, families->top() + 3));
    EXPECT_THAT(readOut(), AllOf(HasSubstr("whole network   tuned_fp32"), HasSubstr("weights 1.00 kB"),
                                 Not(HasSubstr("×"))));
    QEvent left(QEvent::Leave);
    QApplication::sendEvent(figure(), &left);
    EXPECT_THAT(readOut(), HasSubstr("Point to a bar"));
}

TEST_F(DevicePlotTest, EmulatedTimesSaySoWhereverTheyAreRead) {
    report::BenchResult result = makeBench(kThree, 5);
    result.device.emulated = true;
    show(result);
    const QCPAxisRect* layers = panel(QStringLiteral("ms, emulated"));
    QTest::mouseMove(figure(), layers->center());
    EXPECT_THAT(readOut(), HasSubstr("emulated"));
    for (const QByteArray& line : m_plot.csv().trimmed().split('\n').mid(1))
        EXPECT_TRUE(line.endsWith(",true")) << line.toStdString();
}

TEST_F(DevicePlotTest, AClickChoosesTheLayer) {
    show(makeBench(kThree, 5));
    QSignalSpy selected(&m_plot, &DevicePlot::layerSelected);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, bar(2, 0, 3));
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toString().toStdString(), "layer1.1.conv1");
    // Its name and its share of the peak belong to it, too.
    const QCPAxisRect* shares = panel(QStringLiteral("%"));
    QTest::mouseClick(figure(), Qt::LeftButton, {}, QPoint(bar(4, 1, 3).x(), shares->bottom() + 8));
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toString().toStdString(), "layer2.0.conv1");
    QTest::mouseClick(figure(), Qt::LeftButton, {}, panel(QStringLiteral("× first"))->center());
    EXPECT_EQ(selected.count(), 0);
    const QImage before = figure()->grab().toImage();
    m_plot.selectLayer(QStringLiteral("layer1.0.conv1"));
    EXPECT_EQ(selected.count(), 0) << "only the person's choice is announced";
    EXPECT_NE(figure()->grab().toImage(), before);
}

TEST_F(DevicePlotTest, TheWheelZoomsTheLayersAndADoubleClickShowsAll) {
    show(makeBench(kThree, 40));
    QCPAxis* layers = panel(QStringLiteral("ms"))->axis(QCPAxis::atBottom);
    EXPECT_EQ(layers->range(), QCPRange(-0.5, 39.5));
    const auto turn = [&](int angle) {
        const QPoint at = bar(20, 1, 3);
        QWheelEvent wheel(at, figure()->mapToGlobal(at), {}, {0, angle}, Qt::NoButton, Qt::NoModifier,
                          Qt::NoScrollPhase, false);
        QApplication::sendEvent(figure(), &wheel);
        settle();
    };
    turn(240);
    EXPECT_LT(layers->range().size(), 35);
    EXPECT_EQ(panel(QStringLiteral("%"))->axis(QCPAxis::atBottom)->range(), layers->range());
    m_plot.setLogTimes(true);
    settle();
    EXPECT_LT(layers->range().size(), 35) << "a switch leaves the layers in view";
    QTest::mouseDClick(figure(), Qt::LeftButton, {}, bar(20, 1, 3));
    settle();
    EXPECT_EQ(layers->range(), QCPRange(-0.5, 39.5));
    turn(-240);
    EXPECT_EQ(layers->range(), QCPRange(-0.5, 39.5)) << "there is nothing beside the layers";
}

TEST_F(DevicePlotTest, LogarithmicTimesShowTheSmallest) {
    report::BenchResult result = makeBench(kThree, 5);
    result.layers[0].kernels[2] = testing::makeTiming("k2", 1e-4, 1e6);
    show(result);
    const QCPAxis* times = panel(QStringLiteral("ms"))->axis(QCPAxis::atLeft);
    EXPECT_EQ(times->range().lower, 0);
    QTest::mouseClick(button("log_times"), Qt::LeftButton);
    settle();
    EXPECT_EQ(times->scaleType(), QCPAxis::stLogarithmic);
    EXPECT_LT(times->range().lower, 1e-4);
    EXPECT_GT(times->range().upper, 5);
    m_plot.setLogTimes(false);
    settle();
    EXPECT_EQ(times->scaleType(), QCPAxis::stLinear);
}

TEST_F(DevicePlotTest, CsvHasEveryTimeAndQuotesItsFields) {
    report::BenchResult result = makeBench({"tuned_fp32", "k2"}, 2);
    result.layers[1].kernels[1] = testing::makeTiming("k2", report::kNoValue, 1);
    result.device.name = "A \"fast\" one, really";
    m_plot.setResult(result);
    const QList<QByteArray> lines = m_plot.csv().trimmed().split('\n');
    ASSERT_EQ(lines.size(), 1 + 2 + 4) << "families that are switched off and those of every layer";
    EXPECT_EQ(lines[0].count(','), 17);
    EXPECT_EQ(lines[1].toStdString(),
              "(network),,0,tuned_fp32,,3,2.8499999999999996,3.3000000000000003,2.9699999999999998,"
              "3.0300000000000002,3,333.3333333333333,30,1000,,stable,\"A \"\"fast\"\" one, really\",false");
    EXPECT_TRUE(lines[3].startsWith("layer1.0.conv1,\"16x32x32 -> 16x32x32, 3x3\",1000000,tuned_fp32,"))
        << lines[3].toStdString();
    EXPECT_TRUE(lines[6].contains(",k2,,,,,,,0,,,,,unstable,")) << lines[6].toStdString();
}

TEST_F(DevicePlotTest, AHiddenPlotComputesNothing) {
    m_plot.hide();
    QSignalSpy replots(figure(), &QCustomPlot::afterReplot);
    m_plot.setResult(makeBench(kThree, 5));
    m_plot.selectLayer(QStringLiteral("layer1.0.conv1"));
    m_plot.setLogTimes(true);
    settle();
    EXPECT_EQ(replots.count(), 0);
}

TEST_F(DevicePlotTest, RestylesWhenTheThemeChanges) {
    show(makeBench(kThree, 5));
    const auto colourOfTheBar = [this] { return figure()->grab().toImage().pixelColor(bar(4, 2, 3)); };
    EXPECT_EQ(colourOfTheBar(), lookOf("k2").color);
    applyTheme(*qApp, Theme::Dark);
    settle();
    EXPECT_EQ(colourOfTheBar(), lookOf("k2").color);
    const QColor corner = figure()->grab().toImage().pixelColor(2, figure()->height() - 3);
    EXPECT_EQ(corner, colors().panel);
    EXPECT_LT(corner.lightness(), 60);
}

TEST_F(DevicePlotTest, ANarrowRowKeepsItsSwitchesWithoutTexts) {
    m_plot.resize(1200, 600);
    show(makeBench({"naive_fp32", "tuned_fp32", "paper_codebook", "k0", "k2", "onednn_fp32", "onednn_int8"},
                   2));
    EXPECT_EQ(button("family_onednn_int8")->toolButtonStyle(), Qt::ToolButtonTextBesideIcon);
    m_plot.resize(360, 600);
    settle();
    EXPECT_EQ(m_plot.width(), 360);
    EXPECT_EQ(button("family_onednn_int8")->toolButtonStyle(), Qt::ToolButtonIconOnly);
}

}  // namespace
}  // namespace bitloom::widgets
