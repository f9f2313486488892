#include "engine/device/timing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/random.h"

namespace bitloom::device {
namespace {

using report::TimingSummary;
using report::TimingVerdict;
using ::testing::HasSubstr;
using ::testing::IsNan;

/// Normal noise around `centreMs`.
std::vector<double> noisy(double centreMs, double deviationMs, int count, std::uint64_t seed = 1) {
    Random random({seed});
    std::vector<double> samples(static_cast<std::size_t>(count));
    for (double& sample : samples)
        sample = centreMs + deviationMs * random.normal();
    return samples;
}

TEST(Quantile, InterpolatesBetweenSortedSamples) {
    const std::vector<double> samples = {40, 10, 30, 20, 50};
    EXPECT_DOUBLE_EQ(quantileOf(samples, 0), 10);
    EXPECT_DOUBLE_EQ(quantileOf(samples, 0.5), 30);
    EXPECT_DOUBLE_EQ(quantileOf(samples, 1), 50);
    EXPECT_DOUBLE_EQ(quantileOf(samples, 0.1), 14);
    EXPECT_DOUBLE_EQ(quantileOf(samples, 0.9), 46);
    EXPECT_DOUBLE_EQ(quantileOf(std::vector<double>{7}, 0.9), 7);
    EXPECT_THAT(quantileOf({}, 0.5), IsNan());
}

TEST(Timing, SummaryOfKnownSamples) {
    std::vector<double> samples;
    for (int i = 1; i <= 101; ++i)
        samples.push_back(i);
    const TimingSummary summary = summariseTimes(samples, {});
    EXPECT_DOUBLE_EQ(summary.medianMs, 51);
    EXPECT_DOUBLE_EQ(summary.p10Ms, 11);
    EXPECT_DOUBLE_EQ(summary.p90Ms, 91);
    EXPECT_EQ(summary.samples, 101);
    EXPECT_EQ(summary.verdict, TimingVerdict::Unstable);
    EXPECT_EQ(summary.reason, "p90 - p10 is 157 % of the median");
}

TEST(Timing, IntervalIsThatOfTheMedian) {
    // The median of n normal samples varies by 1.2533 sigma / sqrt(n): 95 % lie within 1.96 of that.
    const TimingSummary summary = summariseTimes(noisy(10, 0.1, 1000), {});
    const double expected = 2 * 1.96 * 1.2533 * 0.1 / std::sqrt(1000.0);
    EXPECT_NEAR(summary.highMs - summary.lowMs, expected, 0.35 * expected);
    EXPECT_LE(summary.lowMs, summary.medianMs);
    EXPECT_GE(summary.highMs, summary.medianMs);
    EXPECT_LT(summary.lowMs, 10);
    EXPECT_GT(summary.highMs, 10);
}

TEST(Timing, IntervalsHoldTheTruthAsOftenAsTheySay) {
    int held = 0;
    constexpr int kTrials = 200;
    for (int trial = 0; trial < kTrials; ++trial) {
        const TimingSummary summary =
            summariseTimes(noisy(10, 1, 51, 100 + static_cast<std::uint64_t>(trial)), {});
        held += summary.lowMs <= 10 && 10 <= summary.highMs ? 1 : 0;
    }
    // 95 % of 200, within four standard deviations.
    EXPECT_GE(held, 178);
    EXPECT_LE(held, 200);
}

TEST(Timing, TheSameSamplesGiveTheSameBits) {
    const std::vector<double> samples = noisy(3, 0.2, 333);
    std::vector<double> reordered = samples;
    std::ranges::reverse(reordered);
    const TimingSummary first = summariseTimes(samples, {});
    const TimingSummary second = summariseTimes(reordered, {});
    EXPECT_EQ(first.lowMs, second.lowMs);
    EXPECT_EQ(first.highMs, second.highMs);
    EXPECT_EQ(first.medianMs, second.medianMs);
}

TEST(Timing, QuietTimesAreStable) {
    const std::vector<double> sentinel = noisy(1, 0.005, 40, 2);
    const TimingSummary watched = summariseTimes(noisy(5, 0.05, 200), sentinel);
    EXPECT_EQ(watched.verdict, TimingVerdict::Stable) << watched.reason;
    EXPECT_THAT(watched.reason, ::testing::Not(HasSubstr("throttling")));
    const TimingSummary unwatched = summariseTimes(noisy(5, 0.05, 200), {});
    EXPECT_EQ(unwatched.verdict, TimingVerdict::Stable);
    EXPECT_THAT(unwatched.reason, HasSubstr("throttling was not watched"));
}

TEST(Timing, FewSamplesAreNotStable) {
    const TimingSummary summary = summariseTimes(noisy(5, 0.001, kFewestStableSamples - 1), {});
    EXPECT_EQ(summary.verdict, TimingVerdict::Unstable);
    EXPECT_EQ(summary.reason, "19 samples, at least 20 are needed");
    EXPECT_EQ(summariseTimes(noisy(5, 0.001, kFewestStableSamples), {}).verdict, TimingVerdict::Stable);
}

TEST(Timing, AWideIntervalIsNotStable) {
    // Two clusters 8 % apart: the spread passes, the median may be either.
    std::vector<double> samples(10, 5.0);
    samples.insert(samples.end(), 10, 5.4);
    const TimingSummary summary = summariseTimes(samples, {});
    EXPECT_EQ(summary.verdict, TimingVerdict::Unstable);
    EXPECT_THAT(summary.reason, HasSubstr("the median's interval is"));
}

TEST(Timing, ASlowingSentinelMeansThrottled) {
    std::vector<double> sentinel(20, 1.0);
    sentinel.insert(sentinel.end(), 20, 1.3);
    EXPECT_NEAR(sentinelSlowdown(sentinel), 0.3, 1e-12);
    const TimingSummary summary = summariseTimes(noisy(5, 0.05, 200), sentinel);
    EXPECT_EQ(summary.verdict, TimingVerdict::Throttled);
    EXPECT_EQ(summary.reason, "the sentinel loop became 30 % slower during the run");
}

TEST(Timing, ThrottlingThatPassesIsNoticed) {
    std::vector<double> sentinel(16, 1.0);
    std::fill(sentinel.begin() + 4, sentinel.begin() + 8, 1.2);
    EXPECT_NEAR(sentinelSlowdown(sentinel), 0.2, 1e-12);
}

TEST(Timing, OneLateSentinelOrAFasterEndIsNoThrottling) {
    std::vector<double> sentinel(40, 1.0);
    sentinel[30] = 9;
    EXPECT_NEAR(sentinelSlowdown(sentinel), 0, 1e-12);
    std::vector<double> warming(40, 1.0);
    std::fill(warming.begin(), warming.begin() + 20, 1.5);
    EXPECT_LE(sentinelSlowdown(warming), 0);
    EXPECT_THAT(sentinelSlowdown(std::vector<double>(kFewestSentinels - 1, 1.0)), IsNan());
}

TEST(Timing, SamplesThatAreNoTimesAreSaid) {
    const TimingSummary none = summariseTimes({}, {});
    EXPECT_EQ(none.samples, 0);
    EXPECT_THAT(none.medianMs, IsNan());
    EXPECT_EQ(none.reason, "no samples");
    for (const double bad :
         {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        const TimingSummary summary = summariseTimes(std::vector<double>{1, bad, 1}, {});
        EXPECT_THAT(summary.medianMs, IsNan());
        EXPECT_EQ(summary.verdict, TimingVerdict::Unstable);
        EXPECT_EQ(summary.reason, "some times are not positive numbers");
    }
}

TEST(Verdict, HasText) {
    EXPECT_STREQ(toText(TimingVerdict::Stable), "stable");
    EXPECT_STREQ(toText(TimingVerdict::Unstable), "unstable");
    EXPECT_STREQ(toText(TimingVerdict::Throttled), "throttled");
}

}  // namespace
}  // namespace bitloom::device
