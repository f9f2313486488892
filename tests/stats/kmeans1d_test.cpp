#include "engine/stats/kmeans1d.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

#include "engine/base/random.h"

namespace bitloom::stats {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

std::vector<float> normalValues(std::size_t count, std::uint64_t seed) {
    Random random({seed});
    std::vector<float> values(count);
    for (float& value : values)
        value = static_cast<float>(0.05 * random.normal());
    return values;
}

/// Sum of squared distances to the nearest centre.
double costOf(const std::vector<float>& values, const std::vector<double>& centres) {
    double cost = 0;
    for (const float value : values) {
        double nearest = std::numeric_limits<double>::infinity();
        for (const double centre : centres)
            nearest = std::min(nearest, std::abs(double{value} - centre));
        cost += nearest * nearest;
    }
    return cost;
}

/// The least cost of any `k` clusters: dynamic programming over the sorted values, O(k n^2).
double optimalCost(std::vector<float> values, int k) {
    std::ranges::sort(values);
    const std::size_t n = values.size();
    std::vector<double> sums(n + 1);
    std::vector<double> squares(n + 1);
    for (std::size_t i = 0; i < n; ++i) {
        sums[i + 1] = sums[i] + double{values[i]};
        squares[i + 1] = squares[i] + double{values[i]} * double{values[i]};
    }
    const auto segment = [&](std::size_t begin, std::size_t end) {
        const double sum = sums[end] - sums[begin];
        return squares[end] - squares[begin] - sum * sum / static_cast<double>(end - begin);
    };
    std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
    best[0] = 0;
    for (int cluster = 0; cluster < k; ++cluster) {
        std::vector<double> next(n + 1, std::numeric_limits<double>::infinity());
        for (std::size_t end = 1; end <= n; ++end) {
            for (std::size_t begin = 0; begin < end; ++begin)
                next[end] = std::min(next[end], best[begin] + segment(begin, end));
        }
        best = next;
    }
    return best[n];
}

/// What the header promises of every result.
void expectSound(const Clusters& clusters, const std::vector<float>& values) {
    ASSERT_EQ(clusters.counts.size(), clusters.centres.size());
    ASSERT_EQ(clusters.deviations.size(), clusters.centres.size());
    EXPECT_TRUE(std::ranges::is_sorted(clusters.centres, std::less_equal<>{})) << "ascending and distinct";
    EXPECT_THAT(clusters.counts, Each(::testing::Gt(0)));
    EXPECT_THAT(clusters.deviations, Each(::testing::Ge(0.0)));
    const auto members = std::accumulate(clusters.counts.begin(), clusters.counts.end(), std::int64_t{0});
    EXPECT_EQ(members, static_cast<std::int64_t>(values.size()));
    EXPECT_GE(clusters.iterations, 1);
    EXPECT_LE(clusters.iterations, 500);
}

TEST(KMeans1d, FindsSeparatedGroups) {
    const std::vector<float> values = {10.5f, -8.0f, 0.0f, 9.5f, -8.5f, 1.0f, 10.0f, -9.0f};
    const Clusters clusters = kmeans1d(values, 3);
    expectSound(clusters, values);
    EXPECT_THAT(clusters.centres, ElementsAre(-8.5, 0.5, 10.0));
    EXPECT_THAT(clusters.counts, ElementsAre(3, 2, 3));
    EXPECT_THAT(clusters.deviations, ElementsAre(DoubleEq(0.5), DoubleEq(std::sqrt(0.5)), DoubleEq(0.5)));
}

TEST(KMeans1d, FindsGroupsOfVeryDifferentSize) {
    std::vector<float> values(997, 0.0f);
    values.insert(values.end(), {5.0f, 5.0f, -7.0f});
    const Clusters clusters = kmeans1d(values, 3);
    expectSound(clusters, values);
    EXPECT_THAT(clusters.centres, ElementsAre(-7.0, 0.0, 5.0));
    EXPECT_THAT(clusters.counts, ElementsAre(1, 997, 2));
    EXPECT_THAT(clusters.deviations, ElementsAre(0.0, 0.0, 0.0));
}

TEST(KMeans1d, OneClusterIsTheMean) {
    const std::vector<float> values = {1.0f, 2.0f, 6.0f};
    const Clusters clusters = kmeans1d(values, 1);
    expectSound(clusters, values);
    EXPECT_THAT(clusters.centres, ElementsAre(3.0));
    EXPECT_THAT(clusters.deviations, ElementsAre(DoubleEq(std::sqrt(7.0))));
}

TEST(KMeans1d, OneValueIsOneCluster) {
    const std::vector<float> values = {-0.25f};
    const Clusters clusters = kmeans1d(values, 16);
    expectSound(clusters, values);
    EXPECT_THAT(clusters.centres, ElementsAre(-0.25));
    EXPECT_THAT(clusters.deviations, ElementsAre(0.0));
}

TEST(KMeans1d, EqualValuesAreOneCluster) {
    const std::vector<float> values(1000, 0.1f);
    const Clusters clusters = kmeans1d(values, 4);
    expectSound(clusters, values);
    EXPECT_THAT(clusters.centres, ElementsAre(double{0.1f}));
    EXPECT_THAT(clusters.counts, ElementsAre(1000));
}

TEST(KMeans1d, GivesNoMoreClustersThanDistinctValues) {
    const std::vector<float> values = {3.0f, 1.0f, 1.0f, 2.0f, 3.0f, 3.0f, -0.0f, 0.0f};
    const Clusters clusters = kmeans1d(values, 16);
    expectSound(clusters, values);
    EXPECT_THAT(clusters.centres, ElementsAre(0.0, 1.0, 2.0, 3.0));
    EXPECT_THAT(clusters.counts, ElementsAre(2, 2, 1, 3));
}

TEST(KMeans1d, GivesAllClustersWhenOneValueOutweighsTheRest) {
    // Nine tenths are zero: most quantiles coincide.
    std::vector<float> values = normalValues(500, 3);
    values.resize(5000, 0.0f);
    const Clusters clusters = kmeans1d(values, 16);
    expectSound(clusters, values);
    EXPECT_EQ(clusters.centres.size(), 16u);
    EXPECT_LT(costOf(values, clusters.centres), 1.4 * optimalCost(values, 16));
}

TEST(KMeans1d, IsCloseToTheOptimumOnSmallInputs) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const std::vector<float> values = normalValues(200, seed);
        for (const int k : {2, 3, 4, 8, 16}) {
            const Clusters clusters = kmeans1d(values, k);
            expectSound(clusters, values);
            ASSERT_EQ(clusters.centres.size(), static_cast<std::size_t>(k));
            const double cost = costOf(values, clusters.centres);
            const double optimum = optimalCost(values, k);
            EXPECT_GE(cost, optimum * (1 - 1e-9)) << "seed " << seed << " k " << k;
            EXPECT_LE(cost, optimum * 1.4) << "seed " << seed << " k " << k;
        }
    }
}

TEST(KMeans1d, MatchesTheKnownQuantizerOfANormalDistribution) {
    // Lloyd and Max's four levels for a unit normal (Max 1960, table I): 0.4528 and 1.510.
    const std::vector<float> values = normalValues(200'000, 7);
    const Clusters clusters = kmeans1d(values, 4);
    expectSound(clusters, values);
    const double tolerance = 0.05 * 0.02;
    EXPECT_THAT(clusters.centres, ElementsAre(DoubleNear(-0.0755, tolerance), DoubleNear(-0.02264, tolerance),
                                              DoubleNear(0.02264, tolerance), DoubleNear(0.0755, tolerance)));
}

TEST(KMeans1d, Gives256Clusters) {
    const std::vector<float> values = normalValues(50'000, 11);
    const Clusters clusters = kmeans1d(values, 256);
    expectSound(clusters, values);
    EXPECT_EQ(clusters.centres.size(), 256u);
    // The least mean squared error of many levels on a normal distribution (Panter and Dite 1951).
    const double limit = std::numbers::sqrt3 * std::numbers::pi / 2 * 0.05 * 0.05 / (256.0 * 256.0);
    EXPECT_NEAR(costOf(values, clusters.centres) / 50'000, limit, 0.1 * limit);
}

TEST(KMeans1d, DoesNotDependOnTheOrderOfValues) {
    std::vector<float> values = normalValues(3000, 5);
    const Clusters first = kmeans1d(values, 8);
    std::ranges::reverse(values);
    std::rotate(values.begin(), values.begin() + 1234, values.end());
    const Clusters second = kmeans1d(values, 8);
    EXPECT_EQ(first.centres, second.centres);
    EXPECT_EQ(first.deviations, second.deviations);
    EXPECT_EQ(first.iterations, second.iterations);
}

TEST(KMeans1d, SurvivesExtremeValues) {
    const float largest = std::numeric_limits<float>::max();
    const float tiny = std::numeric_limits<float>::denorm_min();
    const std::vector<float> values = {largest, -largest, tiny, -tiny, 0.0f, 1.0f, 1.0f + 1e-7f, largest / 2};
    for (int k = 1; k <= 9; ++k) {
        const Clusters clusters = kmeans1d(values, k);
        expectSound(clusters, values);
        EXPECT_EQ(clusters.centres.size(), static_cast<std::size_t>(std::min(k, 8)));
    }
}

TEST(KMeans1d, NeighbouringFloatsStayApart) {
    std::vector<float> values = {0.1f};
    for (int i = 0; i < 15; ++i)
        values.push_back(std::nextafter(values.back(), 1.0f));
    const Clusters clusters = kmeans1d(values, 16);
    expectSound(clusters, values);
    EXPECT_EQ(clusters.centres.size(), 16u);
}

}  // namespace
}  // namespace bitloom::stats
