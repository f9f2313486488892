#include "widgets/plots/mixture_curves.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::makeMixture;
using testing::makeSnapshot;

/// Value of a piecewise linear curve at `x`.
double at(const Curve& curve, double x) {
    const auto after = std::upper_bound(curve.x.begin(), curve.x.end(), x);
    if (after == curve.x.begin()) return curve.y.front();
    if (after == curve.x.end()) return curve.y.back();
    const auto i = static_cast<std::size_t>(after - curve.x.begin());
    const double part = (x - curve.x[i - 1]) / (curve.x[i] - curve.x[i - 1]);
    return curve.y[i - 1] + part * (curve.y[i] - curve.y[i - 1]);
}

double area(const Curve& curve) {
    double sum = 0;
    for (std::size_t i = 1; i < curve.x.size(); ++i) {
        sum += 0.5 * (curve.y[i] + curve.y[i - 1]) * (curve.x[i] - curve.x[i - 1]);
    }
    return sum;
}

TEST(MixtureCurves, AgreeWithTheReferenceDefinitions) {
    for (const int components : {2, 4, 16, 256}) {
        const auto snapshot = makeSnapshot("layer", components);
        const report::Mixture& mixture = snapshot->mixtures[0];
        MixtureCurves curves;
        makeMixtureCurves(mixture, snapshot->weights, 1000, curves);
        const double scale = 1000 * snapshot->weights.binWidth();
        const double peak = *std::max_element(curves.sum.y.begin(), curves.sum.y.end());
        for (std::size_t i = 0; i < curves.sum.x.size(); ++i) {
            EXPECT_NEAR(curves.sum.y[i], scale * report::density(mixture, curves.sum.x[i]), 1e-9 * peak);
        }
        for (std::size_t i = 0; i < curves.soft.x.size(); ++i) {
            EXPECT_NEAR(curves.soft.y[i], report::softValue(mixture, curves.soft.x[i]), 1e-9);
        }
        for (double w = -0.395; w < 0.4; w += 0.0101) {
            EXPECT_NEAR(at(curves.sum, w), scale * report::density(mixture, w), 0.02 * peak)
                << components << ' ' << w;
            EXPECT_NEAR(at(curves.hard, w), report::hardValue(mixture, w), 1e-6) << components << ' ' << w;
        }
    }
}

TEST(MixtureCurves, ComponentsHoldTheirShareOfTheWeights) {
    const auto snapshot = makeSnapshot("layer", 4);
    MixtureCurves curves;
    makeMixtureCurves(snapshot->mixtures[0], snapshot->weights, 1000, curves);
    ASSERT_EQ(curves.components.size(), 4U);
    for (const Curve& component : curves.components) {
        EXPECT_EQ(component.x.size(), static_cast<std::size_t>(kPointsPerComponent));
        EXPECT_NEAR(area(component) / snapshot->weights.binWidth(), 250, 0.5);
    }
}

TEST(MixtureCurves, DegenerateMixturesGiveNothing) {
    MixtureCurves curves;
    makeMixtureCurves({}, makeSnapshot("layer", 4)->weights, 10, curves);
    EXPECT_TRUE(curves.sum.x.empty());
    report::Mixture flat = makeMixture(4);
    for (auto& component : flat.components)
        component.sigma = 0;
    makeMixtureCurves(flat, makeSnapshot("layer", 4)->weights, 10, curves);
    EXPECT_TRUE(curves.components.empty());
    makeMixtureCurves(makeMixture(4), {}, 10, curves);
    EXPECT_TRUE(curves.soft.x.empty());
}

TEST(MixtureCurves, ADeadComponentDoesNotDisturbTheOthers) {
    report::Mixture mixture = makeMixture(4);
    mixture.components[2].pi = 0;
    MixtureCurves curves;
    makeMixtureCurves(mixture, makeSnapshot("layer", 4)->weights, 10, curves);
    EXPECT_TRUE(curves.components[2].x.empty());
    for (const double value : curves.sum.y)
        EXPECT_TRUE(std::isfinite(value));
    for (const double value : curves.soft.y)
        EXPECT_TRUE(std::isfinite(value));
}

TEST(MixtureCurves, SimplifyKeepsWithinTheTolerance) {
    Curve whole;
    for (int i = 0; i <= 1000; ++i) {
        whole.x.push_back(i / 100.0);
        whole.y.push_back(std::sin(i / 100.0));
    }
    Curve thin = whole;
    simplify(thin, 1e-3, 0);
    EXPECT_LT(thin.x.size(), 150U);
    EXPECT_EQ(thin.x.front(), whole.x.front());
    EXPECT_EQ(thin.x.back(), whole.x.back());
    for (std::size_t i = 0; i < whole.x.size(); ++i)
        EXPECT_NEAR(at(thin, whole.x[i]), whole.y[i], 2.1e-3);
    Curve straight = {{0, 1, 2, 3}, {0, 2, 4, 6}};
    simplify(straight, 1e-9, 0);
    EXPECT_EQ(straight.x, (std::vector<double>{0, 3}));
}

TEST(MixtureCurves, BinsHoldTheirLeftEdge) {
    report::Histogram histogram;
    histogram.low = -1;
    histogram.high = 1;
    histogram.counts = {1, 2, 3, 4};
    EXPECT_EQ(binAt(histogram, -1), 0U);
    EXPECT_EQ(binAt(histogram, -0.5), 1U);
    EXPECT_EQ(binAt(histogram, 0.999), 3U);
    EXPECT_FALSE(binAt(histogram, 1));
    EXPECT_FALSE(binAt(histogram, -1.001));
    EXPECT_FALSE(binAt(histogram, report::kNoValue));
    EXPECT_FALSE(binAt({}, 0));
}

TEST(MixtureCurves, AxesEndAtRoundNumbers) {
    EXPECT_EQ(niceCeiling(0), 1);
    EXPECT_EQ(niceCeiling(report::kNoValue), 1);
    EXPECT_EQ(niceCeiling(97), 100);
    EXPECT_EQ(niceCeiling(101), 150);
    EXPECT_EQ(niceCeiling(2000), 2000);
    EXPECT_DOUBLE_EQ(niceCeiling(0.031), 0.04);
}

TEST(MixtureCurves, TotalsCountWhatLiesOutside) {
    report::Histogram histogram;
    histogram.counts = {1, 2};
    histogram.below = 3;
    histogram.above = 4;
    EXPECT_EQ(total(histogram), 10);
    EXPECT_EQ(total(makeMixture(3)), 60);
}

}  // namespace
}  // namespace bitloom::widgets
