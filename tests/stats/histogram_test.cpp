#include "engine/stats/histogram.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

namespace bitloom::stats {
namespace {

using ::testing::ElementsAre;

TEST(HistogramRange, IsSymmetricAndAQuarterWiderThanTheLargestMagnitude) {
    const std::vector<float> values = {0.5f, -2.0f, 1.0f};
    const Range range = histogramRange(values);
    EXPECT_DOUBLE_EQ(range.low, -2.5);
    EXPECT_DOUBLE_EQ(range.high, 2.5);
}

TEST(HistogramRange, IsTheUnitRangeForZeros) {
    const std::vector<float> values(3, 0.0f);
    EXPECT_DOUBLE_EQ(histogramRange(values).low, -1);
    EXPECT_DOUBLE_EQ(histogramRange(values).high, 1);
    EXPECT_DOUBLE_EQ(histogramRange({}).high, 1);
}

TEST(Histogram, PutsEachEdgeIntoTheBinAtItsRight) {
    const std::vector<float> values = {-1.0f, -0.5f, 0.0f, 0.25f, 0.5f, 0.75f};
    const report::Histogram histogram = buildHistogram(values, {-1, 1}, 4);
    EXPECT_THAT(histogram.counts, ElementsAre(1, 1, 2, 2));
    EXPECT_EQ(histogram.below, 0u);
    EXPECT_EQ(histogram.above, 0u);
    EXPECT_DOUBLE_EQ(histogram.binWidth(), 0.5);
    EXPECT_DOUBLE_EQ(histogram.binCentre(0), -0.75);
}

TEST(Histogram, CountsWhatLiesOutside) {
    const std::vector<float> values = {-1.5f, 1.0f, 7.0f, std::nextafter(1.0f, 0.0f)};
    const report::Histogram histogram = buildHistogram(values, {-1, 1}, 2);
    EXPECT_THAT(histogram.counts, ElementsAre(0, 1));
    EXPECT_EQ(histogram.below, 1u);
    EXPECT_EQ(histogram.above, 2u);
}

TEST(Histogram, LosesNoValueNextToTheRightEdge) {
    // The distance to the left edge, divided by the bin width, rounds up to the number of bins for some of
    // these.
    for (int bins = 1; bins < 300; ++bins) {
        const double high = 0.1 * bins;
        const std::vector<float> values = {std::nextafter(static_cast<float>(high), 0.0f)};
        const report::Histogram histogram = buildHistogram(values, {-high / 3, high}, bins);
        const auto inside = std::accumulate(histogram.counts.begin(), histogram.counts.end(), 0u);
        ASSERT_EQ(inside + histogram.above, 1u) << bins;
    }
}

TEST(Histogram, CountsNonFiniteValuesAsOutside) {
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> values = {std::nanf(""), infinity, -infinity};
    const report::Histogram histogram = buildHistogram(values, {-1, 1}, 2);
    EXPECT_THAT(histogram.counts, ElementsAre(0, 0));
    EXPECT_EQ(histogram.below, 1u);
    EXPECT_EQ(histogram.above, 2u);
}

}  // namespace
}  // namespace bitloom::stats
