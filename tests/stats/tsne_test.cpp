#include "engine/stats/tsne.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "tests/stats/tsne_data.h"

namespace bitloom::stats {
namespace {

using ::testing::HasSubstr;

Affinities affinitiesOf(const PointCloud& points, double perplexity) {
    const JobControl control;
    const auto k = static_cast<std::size_t>(3 * perplexity);
    const Neighbours neighbours = nearestNeighbours(points, k, 1, control);
    return symmetricAffinities(neighbours, conditionalAffinities(neighbours, perplexity, 1));
}

std::vector<PlanePoint> randomLayout(std::size_t count, double deviation, std::uint64_t seed) {
    std::vector<PlanePoint> points(count);
    Random random({seed});
    for (PlanePoint& point : points)
        point = {deviation * random.normal(), deviation * random.normal()};
    return points;
}

TsneLayout laidOut(const PointCloud& points, const TsneOptions& options,
                   std::span<const PlanePoint> start = {}) {
    JobControl control;
    auto layout = tsne(points, options, control, {}, start);
    EXPECT_TRUE(layout.ok()) << (layout ? "" : layout.error().message);
    return layout ? std::move(*layout) : TsneLayout{};
}

double squaredDistance(const PlanePoint& a, const PlanePoint& b) {
    return (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y);
}

/// Share of the 10 nearest neighbours in the plane that are of a point's own cluster, mean over points.
double purity(const std::vector<PlanePoint>& layout, std::size_t classes) {
    constexpr std::size_t kNearest = 10;
    double same = 0;
    std::vector<std::size_t> order(layout.size());
    for (std::size_t i = 0; i < layout.size(); ++i) {
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::nth_element(order, order.begin() + kNearest, {},
                                 [&](std::size_t j) { return squaredDistance(layout[i], layout[j]); });
        for (std::size_t n = 0; n <= kNearest; ++n)
            same += order[n] != i && order[n] % classes == i % classes ? 1 : 0;
    }
    return same / static_cast<double>(layout.size() * kNearest);
}

TEST(NearestNeighbours, AreThoseThatSortingFinds) {
    const Clouds clouds = makeClouds(131, 7, 3, 2, 5);
    const PointCloud points = clouds.points();
    const JobControl control;
    const Neighbours found = nearestNeighbours(points, 9, 2, control);
    for (std::size_t i = 0; i < points.count(); ++i) {
        std::vector<std::pair<double, std::int32_t>> all;
        for (std::size_t j = 0; j < points.count(); ++j) {
            double squared = 0;
            for (std::size_t d = 0; d < points.dimension; ++d)
                squared += std::pow(double{points[i][d]} - double{points[j][d]}, 2);
            if (j != i) all.emplace_back(squared, static_cast<std::int32_t>(j));
        }
        std::ranges::sort(all);
        for (std::size_t n = 0; n < 9; ++n) {
            EXPECT_EQ(found.index[i * 9 + n], all[n].second) << i << ", " << n;
            EXPECT_NEAR(found.squaredDistances[i * 9 + n], all[n].first, 1e-5 * all[n].first);
        }
    }
}

TEST(NearestNeighbours, EqualDistancesGoByIndex) {
    const std::vector<float> values = {0, 1, 1, -1, 5};
    const JobControl control;
    const Neighbours found = nearestNeighbours({values, 1}, 3, 1, control);
    EXPECT_THAT(std::vector(found.index.begin(), found.index.begin() + 3), ::testing::ElementsAre(1, 2, 3));
}

TEST(Affinities, EveryRowReachesThePerplexity) {
    const Clouds clouds = makeClouds(400, 16, 4, 3, 1);
    const JobControl control;
    for (const double perplexity : {5.0, 30.0, 50.0}) {
        const auto k = static_cast<std::size_t>(3 * perplexity);
        const Neighbours neighbours = nearestNeighbours(clouds.points(), k, 2, control);
        const std::vector<double> conditional = conditionalAffinities(neighbours, perplexity, 2);
        for (std::size_t i = 0; i < 400; ++i) {
            double sum = 0;
            double entropy = 0;
            for (std::size_t n = i * k; n < (i + 1) * k; ++n) {
                sum += conditional[n];
                if (conditional[n] > 0) entropy -= conditional[n] * std::log(conditional[n]);
            }
            EXPECT_NEAR(sum, 1, 1e-12);
            EXPECT_NEAR(std::exp(entropy), perplexity, 1e-5 * perplexity) << i;
        }
    }
}

TEST(Affinities, AreSymmetricAndSumToOne) {
    const Clouds clouds = makeClouds(90, 4, 3, 3, 2);
    const Affinities p = affinitiesOf(clouds.points(), 7);
    ASSERT_EQ(p.count(), 90u);
    EXPECT_NEAR(std::accumulate(p.values.begin(), p.values.end(), 0.0), 1, 1e-12);
    const auto valueAt = [&](std::size_t row, std::int32_t column) {
        const auto begin = p.columns.begin() + static_cast<std::ptrdiff_t>(p.rows[row]);
        const auto end = p.columns.begin() + static_cast<std::ptrdiff_t>(p.rows[row + 1]);
        EXPECT_TRUE(std::ranges::is_sorted(begin, end));
        const auto found = std::lower_bound(begin, end, column);
        return found == end || *found != column
                   ? 0
                   : p.values[static_cast<std::size_t>(found - p.columns.begin())];
    };
    for (std::size_t i = 0; i < 90; ++i) {
        for (std::int32_t j = 0; j < 90; ++j)
            EXPECT_EQ(valueAt(i, j), valueAt(static_cast<std::size_t>(j), static_cast<std::int32_t>(i)));
    }
}

TEST(Affinities, PointsThatCoincideShareTheirProbability) {
    std::vector<float> values(40, 1.0f);  // in one dimension
    for (std::size_t i = 30; i < 40; ++i)
        values[i] = static_cast<float>(i);
    const JobControl control;
    const Neighbours neighbours = nearestNeighbours({values, 1}, 12, 1, control);
    const std::vector<double> conditional = conditionalAffinities(neighbours, 4, 1);
    for (std::size_t n = 0; n < 12; ++n)
        EXPECT_NEAR(conditional[n], 1.0 / 12, 1e-9);
}

TEST(QuadTree, WithoutApproximationIsTheSumOverAllPairs) {
    std::vector<PlanePoint> points = randomLayout(300, 5, 3);
    for (std::size_t i = 0; i < 40; ++i)
        points[i] = points[0];  // more in one place than a leaf holds
    QuadTree tree;
    tree.build(points);
    std::vector<Repulsion> result(points.size());
    tree.repulsions(0, 2, result);
    for (std::size_t i = 0; i < points.size(); ++i) {
        Repulsion expected;
        for (std::size_t j = 0; j < points.size(); ++j) {
            if (j == i) continue;
            const double q = 1 / (1 + squaredDistance(points[i], points[j]));
            expected.sum += q;
            expected.force.x += q * q * (points[i].x - points[j].x);
            expected.force.y += q * q * (points[i].y - points[j].y);
        }
        EXPECT_NEAR(result[i].sum, expected.sum, 1e-11 * 300);
        EXPECT_NEAR(result[i].force.x, expected.force.x, 1e-11 * 300);
        EXPECT_NEAR(result[i].force.y, expected.force.y, 1e-11 * 300);
    }
}

TEST(TsneObjective, ExactGradientMatchesFiniteDifferences) {
    const Clouds clouds = makeClouds(60, 5, 3, 3, 4);
    const Affinities affinities = affinitiesOf(clouds.points(), 6);
    TsneObjective objective(affinities, 0, 1);
    std::vector<PlanePoint> points = randomLayout(60, 2, 8);
    std::vector<PlanePoint> gradient(60);
    objective.gradient(points, 1, gradient);
    constexpr double kStep = 1e-5;
    for (std::size_t i = 0; i < 60; ++i) {
        for (double PlanePoint::*axis : {&PlanePoint::x, &PlanePoint::y}) {
            const double here = points[i].*axis;
            points[i].*axis = here + kStep;
            const double above = objective.divergence(points);
            points[i].*axis = here - kStep;
            const double below = objective.divergence(points);
            points[i].*axis = here;
            EXPECT_NEAR(gradient[i].*axis, (above - below) / (2 * kStep), 1e-8) << i;
        }
    }
}

TEST(TsneObjective, ExaggerationScalesTheAttractionAlone) {
    const Clouds clouds = makeClouds(60, 5, 3, 3, 4);
    const Affinities affinities = affinitiesOf(clouds.points(), 6);
    TsneObjective objective(affinities, 0, 1);
    const std::vector<PlanePoint> points = randomLayout(60, 2, 8);
    std::vector<PlanePoint> once(60), twice(60), thrice(60);
    objective.gradient(points, 1, once);
    objective.gradient(points, 2, twice);
    objective.gradient(points, 3, thrice);
    for (std::size_t i = 0; i < 60; ++i)
        EXPECT_NEAR(thrice[i].x - twice[i].x, twice[i].x - once[i].x, 1e-12);
}

/// Relative error of the gradient at an ordinary layout: sqrt(sum |g - exact|^2 / sum |exact|^2).
double gradientError(double theta) {
    const Clouds clouds = makeClouds(3000, 32, 10, 2, 6);
    const Affinities affinities = affinitiesOf(clouds.points(), 30);
    const std::vector<PlanePoint> points = laidOut(clouds.points(), {.iterations = 400, .threads = 2}).points;
    std::vector<PlanePoint> exact(points.size());
    std::vector<PlanePoint> approximate(points.size());
    TsneObjective(affinities, 0, 2).gradient(points, 12, exact);
    TsneObjective(affinities, theta, 2).gradient(points, 12, approximate);
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
        error += squaredDistance(approximate[i], exact[i]);
        norm += squaredDistance(exact[i], {});
    }
    return std::sqrt(error / norm);
}

TEST(TsneObjective, ApproximationStaysNearTheExactGradient) {
    EXPECT_LT(gradientError(0.5), 2e-3);
    EXPECT_LT(gradientError(0.2), 2e-4);
}

TEST(Tsne, SeparatedClustersStaySeparated) {
    const Clouds clouds = makeClouds(1500, 64, 10, 1.5, 7);
    const TsneLayout layout = laidOut(clouds.points(), {.threads = 2});
    EXPECT_GT(purity(layout.points, 10), 0.99);
    EXPECT_GT(layout.divergence, 0);
    EXPECT_LT(layout.divergence, 2.5);
    PlanePoint sum;
    for (const PlanePoint& point : layout.points) {
        sum.x += point.x;
        sum.y += point.y;
    }
    EXPECT_NEAR(sum.x, 0, 1e-6);
    EXPECT_NEAR(sum.y, 0, 1e-6);
}

TEST(Tsne, OneCloudIsNotTornIntoItsLabels) {
    const Clouds clouds = makeClouds(900, 16, 3, 0, 7);
    const TsneLayout layout = laidOut(clouds.points(), {.iterations = 500, .threads = 2});
    EXPECT_NEAR(purity(layout.points, 3), 1.0 / 3, 0.05) << "labels that the points do not know";
}

TEST(Tsne, ThreadsChangeNoBit) {
    const Clouds clouds = makeClouds(700, 20, 5, 2, 9);
    const TsneLayout one = laidOut(clouds.points(), {.iterations = 60, .threads = 1});
    const TsneLayout two = laidOut(clouds.points(), {.iterations = 60, .threads = 2});
    const TsneLayout other = laidOut(clouds.points(), {.iterations = 60, .seed = 1, .threads = 2});
    ASSERT_EQ(one.points.size(), two.points.size());
    bool differs = false;
    for (std::size_t i = 0; i < one.points.size(); ++i) {
        ASSERT_EQ(one.points[i].x, two.points[i].x) << i;
        ASSERT_EQ(one.points[i].y, two.points[i].y) << i;
        differs = differs || one.points[i].x != other.points[i].x;
    }
    EXPECT_EQ(one.divergence, two.divergence);
    EXPECT_TRUE(differs) << "a seed of its own";
}

TEST(Tsne, AStartDecidesWhereClustersLie) {
    const Clouds clouds = makeClouds(600, 32, 6, 1.5, 10);
    const TsneLayout first = laidOut(clouds.points(), {.threads = 2});
    const TsneLayout again = laidOut(clouds.points(), {.seed = 5, .threads = 2}, first.points);
    double product = 0;
    double norms[2] = {};
    for (std::size_t i = 0; i < 600; ++i) {
        product += first.points[i].x * again.points[i].x + first.points[i].y * again.points[i].y;
        norms[0] += squaredDistance(first.points[i], {});
        norms[1] += squaredDistance(again.points[i], {});
    }
    EXPECT_GT(product / std::sqrt(norms[0] * norms[1]), 0.7) << "chance gives about 0";
}

TEST(Tsne, ReportsEachIterationAndStopsWithinOne) {
    const Clouds clouds = makeClouds(200, 8, 2, 2, 11);
    JobControl control;
    std::vector<int> seen;
    const auto layout = tsne(clouds.points(), {.iterations = 100}, control,
                             [&](int done, std::span<const PlanePoint> points) {
                                 EXPECT_EQ(points.size(), 200u);
                                 seen.push_back(done);
                                 if (done == 3) control.stop();
                             });
    ASSERT_FALSE(layout.ok());
    EXPECT_EQ(layout.error().kind, ErrorKind::Cancelled);
    EXPECT_THAT(seen, ::testing::ElementsAre(1, 2, 3));
}

TEST(Tsne, NamesWhatItCannotLayOut) {
    Clouds clouds = makeClouds(100, 4, 2, 2, 12);
    const auto messageOf = [](const PointCloud& points, const TsneOptions& options, ErrorKind kind) {
        JobControl control;
        const auto layout = tsne(points, options, control);
        if (layout) return std::string("no error");
        EXPECT_EQ(layout.error().kind, kind);
        return layout.error().message;
    };
    EXPECT_THAT(messageOf(clouds.points(), {.perplexity = 34}, ErrorKind::Usage), HasSubstr("at least 102"));
    EXPECT_THAT(messageOf(clouds.points(), {.perplexity = 1}, ErrorKind::Usage), HasSubstr("below 2"));
    EXPECT_THAT(messageOf(clouds.points(), {.theta = 0.9}, ErrorKind::Usage), HasSubstr("theta 0.9"));
    clouds.values[4 * 17 + 2] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(messageOf(clouds.points(), {}, ErrorKind::Failed), HasSubstr("point 17, dimension 2 is nan"));
    std::ranges::fill(clouds.values, 0.5f);
    EXPECT_THAT(messageOf(clouds.points(), {}, ErrorKind::Failed), HasSubstr("all 100 points are the same"));
}

}  // namespace
}  // namespace bitloom::stats
