// Temperature and clock between the rounds of a benchmark: the panel of the device view, and what its header
// says.
#include "widgets/plots/device_conditions.h"

#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QTest>
#include <cmath>

#include <gmock/gmock.h>

#include "tests/widgets/bench_data.h"
#include "tests/widgets/widget_data.h"
#include "widgets/controls/device_bar.h"
#include "widgets/plots/device_figure.h"
#include "widgets/plots/device_plot.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using ::testing::AllOf;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::makeBench;
using testing::plain;
using testing::settle;

report::DeviceConditions conditionsOf(double celsius, std::vector<double> megahertz) {
    report::DeviceConditions conditions;
    if (!std::isnan(celsius)) conditions.zones = {{"skin", 30.0}, {"cpu", celsius}};
    conditions.coreMHz = std::move(megahertz);
    return conditions;
}

/// Pinned to core 1 of two, which is slowed down as it heats up; core 0 stands idle.
report::BenchResult heatedBench() {
    report::BenchResult result = makeBench({"tuned_fp32", "k0", "k2"}, 5);
    result.cores = {1};
    result.device.cores.resize(2);
    result.device.cores[0].governor = "powersave";
    result.device.cores[1].index = 1;
    result.device.cores[1].governor = "schedutil";
    result.before = conditionsOf(38.5, {300, 2800});
    result.after = conditionsOf(47.5, {300, 2250});
    result.trace = {{0, result.before}, {1.5, conditionsOf(43.0, {300, 2800})}, {6, result.after}};
    return result;
}

TEST(ConditionsSeries, IsOfTheCoresThatWereTimed) {
    const ConditionsSeries series = conditionsSeries(heatedBench());
    EXPECT_THAT(series.seconds, ElementsAre(0, 1.5, 6));
    EXPECT_THAT(series.celsius, ElementsAre(38.5, 43.0, 47.5));
    EXPECT_THAT(series.megahertz, ElementsAre(2800, 2800, 2250));
    report::BenchResult unpinned = heatedBench();
    unpinned.cores.clear();
    unpinned.trace[2].conditions = conditionsOf(report::kNoValue, {});
    const ConditionsSeries some = conditionsSeries(unpinned);
    EXPECT_THAT(some.megahertz[0], DoubleEq(2800)) << "the fastest of all";
    EXPECT_TRUE(std::isnan(some.celsius[2]));
    EXPECT_TRUE(std::isnan(some.megahertz[2]));
}

class ConditionsPanelTest : public ::testing::Test {
  protected:
    ConditionsPanelTest() {
        m_plot.resize(1000, 620);
        m_plot.show();
        settle();
    }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }

    void show(const report::BenchResult& result) {
        m_plot.setResult(result);
        settle();
    }
    QCustomPlot* figure() { return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure")); }
    QCPAxisRect* panel() {
        for (QCPAxisRect* rect : figure()->axisRects())
            if (rect->axis(QCPAxis::atLeft)->label() == QStringLiteral("°C")) return rect;
        ADD_FAILURE() << "no panel of temperatures";
        return figure()->axisRects().front();
    }
    QCPGraph* graphOn(QCPAxis::AxisType side) {
        for (int i = 0; i < figure()->graphCount(); ++i)
            if (figure()->graph(i)->valueAxis() == panel()->axis(side)) return figure()->graph(i);
        ADD_FAILURE() << "no graph on this axis";
        return nullptr;
    }
    std::string keys() {
        std::string text;
        for (QCPLayoutElement* element : figure()->plotLayout()->elements(true)) {
            const auto* strip = dynamic_cast<KeyStrip*>(element);
            for (std::size_t i = 0; strip && i < strip->keys().size(); ++i)
                text += plain(strip->keys()[i].text) + " " + plain(strip->keys()[i].value) + " | ";
        }
        return text;
    }
    std::string readOut() {
        std::string text;
        for (const char* name : {"readOut", "readOutFigures"})
            text += plain(m_plot.findChild<QLabel*>(QLatin1String(name))->text()) + "\n";
        return text;
    }

    DevicePlot m_plot;
};

TEST_F(ConditionsPanelTest, BothTracesAreDrawnWithTheirUnits) {
    show(heatedBench());
    EXPECT_EQ(panel()->axis(QCPAxis::atBottom)->label().toStdString(), "seconds");
    EXPECT_EQ(panel()->axis(QCPAxis::atRight)->label().toStdString(), "MHz");
    EXPECT_TRUE(panel()->axis(QCPAxis::atRight)->visible());
    EXPECT_TRUE(panel()->axis(QCPAxis::atRight)->tickLabels());
    EXPECT_THAT(keys(), AllOf(HasSubstr("Temperature "), HasSubstr("core clock ")));
    const QCPGraph* temperature = graphOn(QCPAxis::atLeft);
    const QCPGraph* clock = graphOn(QCPAxis::atRight);
    ASSERT_EQ(temperature->dataCount(), 3);
    EXPECT_EQ(temperature->dataMainKey(1), 1.5);
    EXPECT_EQ(temperature->dataMainValue(1), 43);
    ASSERT_EQ(clock->dataCount(), 3);
    EXPECT_EQ(clock->dataMainValue(2), 2250);
    EXPECT_TRUE(panel()->axis(QCPAxis::atLeft)->range().contains(38.5));
    EXPECT_TRUE(panel()->axis(QCPAxis::atLeft)->range().contains(47.5));
    EXPECT_TRUE(panel()->axis(QCPAxis::atRight)->range().contains(2250));
    EXPECT_GT(panel()->width(), 80);
}

TEST_F(ConditionsPanelTest, TheHeaderTellsClockAndGovernorOfTheCoresThatWereTimed) {
    show(heatedBench());
    EXPECT_THAT(keys(), AllOf(HasSubstr("threads 2 on core 1 | "), HasSubstr("temperature 38.5 → 47.5 °C | "),
                              HasSubstr("clock 2 800 → 2 250 MHz | "), HasSubstr("governor schedutil | ")));
    report::BenchResult all = heatedBench();
    all.cores.clear();
    show(all);
    EXPECT_THAT(keys(), AllOf(HasSubstr("threads 2, not pinned | "),
                              HasSubstr("clock 300 to 2 800 → 300 to 2 250 MHz"),
                              HasSubstr("governor powersave, schedutil")));
}

TEST_F(ConditionsPanelTest, WhatCannotBeReadIsSaidAndHasNoAxis) {
    report::BenchResult result = heatedBench();
    result.device.cores.clear();
    result.before = result.after = conditionsOf(report::kNoValue, {report::kNoValue, report::kNoValue});
    for (report::ConditionsSample& sample : result.trace)
        sample.conditions = result.before;
    show(result);
    EXPECT_FALSE(panel()->axis(QCPAxis::atLeft)->visible());
    EXPECT_FALSE(panel()->axis(QCPAxis::atRight)->visible());
    EXPECT_THAT(keys(), AllOf(HasSubstr("temperature not readable"), HasSubstr("clock not readable"),
                              HasSubstr("governor not readable"), HasSubstr("no temperature "),
                              HasSubstr("no clock ")));
}

TEST_F(ConditionsPanelTest, HoveringReadsTheNearestReading) {
    show(heatedBench());
    const QCPAxisRect* rect = panel();
    const auto at = [&](double seconds) {
        return QPoint(static_cast<int>(rect->axis(QCPAxis::atBottom)->coordToPixel(seconds)),
                      rect->center().y());
    };
    QTest::mouseMove(figure(), at(2));
    EXPECT_EQ(readOut(),
              "the device after 1.5 s\n43.0 °C in its hottest zone   2 800 MHz on the fastest core timed\n");
    QTest::mouseMove(figure(), at(5.9));
    EXPECT_THAT(readOut(), HasSubstr("2 250 MHz"));
}

TEST_F(ConditionsPanelTest, ANarrowFigureLeavesItsRoomToTheBars) {
    show(heatedBench());
    const auto widthOfBars = [this] {
        for (const QCPAxisRect* rect : figure()->axisRects())
            if (rect->axis(QCPAxis::atBottom)->label().startsWith(QLatin1String("median")))
                return rect->width();
        return 0;
    };
    m_plot.resize(420, 620);
    settle();
    settle();
    EXPECT_FALSE(panel()->visible());
    EXPECT_GT(widthOfBars(), 110);
    EXPECT_THAT(keys(), HasSubstr("temperature 38.5 → 47.5 °C | ")) << "its header still tells it";
    m_plot.resize(1000, 620);
    settle();
    settle();
    EXPECT_TRUE(panel()->visible());
    EXPECT_GT(panel()->width(), 80);
}

TEST_F(ConditionsPanelTest, TracesFollowTheTheme) {
    show(heatedBench());
    EXPECT_EQ(graphOn(QCPAxis::atLeft)->pen().color(), colors().text);
    const QColor light = colors().text;
    applyTheme(*qApp, Theme::Dark);
    settle();
    ASSERT_NE(colors().text, light);
    EXPECT_EQ(graphOn(QCPAxis::atLeft)->pen().color(), colors().text);
    EXPECT_EQ(graphOn(QCPAxis::atRight)->pen().color(), colors().soft);
    EXPECT_EQ(panel()->axis(QCPAxis::atRight)->labelColor(), colors().text);
}

TEST(DeviceBarTip, NamesTheKernelsThatADeviceCanRun) {
    report::DeviceInfo phone;
    phone.id = "R58";
    phone.name = "Some Phone";
    phone.state = "device";
    phone.kernels = {"fp32_neon_1x8", "int8_neon_4x8", "fp32_neon_naive"};
    DeviceBar bar;
    bar.setDevices({phone}, {});
    const auto* list = bar.findChild<QComboBox*>(QStringLiteral("deviceList"));
    EXPECT_THAT(list->itemData(0, Qt::ToolTipRole).toString().toStdString(),
                HasSubstr("3 kernels: fp32_neon: 1x8, naive\nint8_neon: 4x8"));
}

}  // namespace
}  // namespace bitloom::widgets
