#include "widgets/plots/device_series.h"

#include <cmath>

#include <gmock/gmock.h>

#include "tests/widgets/bench_data.h"

namespace bitloom::widgets {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using testing::makeBench;
using testing::makeTiming;

TEST(DeviceSeries, FamiliesKeepTheirOrderAndThoseOfLayersAloneComeLast) {
    report::BenchResult result = makeBench({"tuned_fp32", "k2"}, 2);
    result.layers[1].kernels.push_back(makeTiming("k7", 1, 1));
    EXPECT_THAT(familiesOf(result), ElementsAre("tuned_fp32", "k2", "k7"));
    EXPECT_THAT(familiesOf({}), ElementsAre());
}

TEST(DeviceSeries, ARatioNeedsItsBaseline) {
    const report::BenchResult result = makeBench({"tuned_fp32", "k2"}, 2);
    EXPECT_DOUBLE_EQ(speedup(result.network, 1.5), 2);
    EXPECT_TRUE(std::isnan(speedup({makeTiming("k2", 1, 1)}, 1)));
    EXPECT_TRUE(std::isnan(speedup(result.network, report::kNoValue)));
}

TEST(DeviceSeries, AFamilyWithoutLayerTimesIsKnown) {
    report::BenchResult result = makeBench({"tuned_fp32", "onednn_fp32"}, 3);
    for (report::LayerTiming& layer : result.layers)
        layer.kernels[1] = makeTiming("onednn_fp32", report::kNoValue, 1);
    EXPECT_TRUE(hasLayerTimes(result, "tuned_fp32"));
    EXPECT_FALSE(hasLayerTimes(result, "onednn_fp32"));
    EXPECT_FALSE(hasLayerTimes(result, "k2"));
}

TEST(DeviceSeries, ThePeakIsToldOfK2OrOfTheLastThatHasOne) {
    report::BenchResult result = makeBench({"tuned_fp32", "k2", "onednn_int8"}, 2);
    EXPECT_EQ(peakFamily(result), "k2");
    for (report::LayerTiming& layer : result.layers)
        layer.kernels[1].percentOfPeak = report::kNoValue;
    EXPECT_EQ(peakFamily(result), "onednn_int8");
    EXPECT_EQ(peakFamily({}), "");
}

TEST(DeviceSeries, PeakAxesEndAtRoundShares) {
    EXPECT_EQ(peakCeiling(0), 25);
    EXPECT_EQ(peakCeiling(25.1), 50);
    EXPECT_EQ(peakCeiling(87), 100);
    EXPECT_EQ(peakCeiling(130), 150) << "Winograd multiplies less than is counted";
    EXPECT_EQ(peakCeiling(report::kNoValue), 100);
}

TEST(DeviceSeries, NoiseDoesNotDwarfTheBars) {
    EXPECT_DOUBLE_EQ(timesEnd(10, 12), 12);
    EXPECT_DOUBLE_EQ(timesEnd(10, 10.1), 10.5);
    EXPECT_DOUBLE_EQ(timesEnd(10, 900), 15);
    EXPECT_DOUBLE_EQ(timesEnd(10, report::kNoValue), 10.5);
    EXPECT_TRUE(std::isnan(timesEnd(report::kNoValue, report::kNoValue)));
}

TEST(DeviceSeries, SamplesAreCountedInWholeSteps) {
    EXPECT_EQ(sampleStep(0), 1);
    EXPECT_EQ(sampleStep(11), 5);
    EXPECT_EQ(sampleStep(250), 100);
    EXPECT_EQ(sampleStep(8), 2);
}

TEST(DeviceSeries, TheClockStartsAtOne) {
    EXPECT_THAT(clockTrace({2, 3, 1}), ElementsAre(DoubleEq(1), DoubleEq(1.5), DoubleEq(0.5)));
    EXPECT_THAT(clockTrace({0, 3}), ElementsAre());
    EXPECT_THAT(clockTrace({}), ElementsAre());
}

TEST(DeviceSeries, LongNamesLoseTheirMiddle) {
    EXPECT_EQ(shortened("layer1.0.conv1", 20), "layer1.0.conv1");
    EXPECT_EQ(shortened("features.denseblock1.denselayer12.conv1", 20), "feature…ayer12.conv1");
}

TEST(BarGroups, EveryBarIsFoundAtItsPlace) {
    const BarGroups groups{4, 3};
    for (int group = 0; group < groups.groups; ++group) {
        for (int bar = 0; bar < groups.bars; ++bar) {
            const auto place = groups.at((groups.left(group, bar) + groups.right(group, bar)) / 2);
            ASSERT_TRUE(place);
            EXPECT_EQ(place->group, group);
            EXPECT_EQ(place->bar, bar);
        }
    }
    EXPECT_EQ(groups.at(0.45)->bar, 2) << "the gap belongs to the bar beside it";
    EXPECT_EQ(groups.at(0.55)->group, 1);
    EXPECT_EQ(groups.at(0.55)->bar, 0);
    EXPECT_FALSE(groups.at(-0.6));
    EXPECT_FALSE(groups.at(3.6));
    EXPECT_FALSE((BarGroups{4, 0}.at(1)));
}

}  // namespace
}  // namespace bitloom::widgets
