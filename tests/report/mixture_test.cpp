// The scalar reference of DGMS against closed forms.
#include "engine/report/mixture.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include <gtest/gtest.h>

namespace bitloom::report {
namespace {

double sigmoid(double value) {
    return 1 / (1 + std::exp(-value));
}

/// Two equal components at 0 and 1.
Mixture pair(double sigma, double temperature) {
    return {{{0.5, 0, sigma, 0}, {0.5, 1, sigma, 0}}, temperature};
}

Mixture uneven() {
    return {{{0.5, 0, 0.02, 0}, {0.2, -0.3, 0.1, 0}, {0.25, 0.2, 0.05, 0}, {0.05, 0.7, 0.3, 0}}, 0.01};
}

// Two components: Phi = mu_0 + (mu_1 - mu_0) S(Delta), S(Delta) = sigmoid(tanh(Delta / 2) / tau), where Delta
// is the difference of the scores; equal components at 0 and 1 have Delta = (2 w - 1) / (2 sigma^2).
TEST(Mixture, SoftValueOfTwoEqualComponents) {
    for (const double sigma : {0.1, 0.5, 3.0}) {
        for (const double temperature : {0.001, 0.01, 0.1, 1.0}) {
            const Mixture mixture = pair(sigma, temperature);
            for (double weight = -1; weight <= 2; weight += 0.01) {
                const double delta = (2 * weight - 1) / (2 * sigma * sigma);
                const double expected = sigmoid(std::tanh(delta / 2) / temperature);
                EXPECT_NEAR(softValue(mixture, weight), expected, 1e-9)
                    << weight << " " << sigma << " " << temperature;
            }
        }
    }
}

TEST(Mixture, ResponsibilitiesOfTwoEqualComponents) {
    const double sigma = 0.4;
    for (double weight = -1; weight <= 2; weight += 0.05) {
        const std::vector<double> r = responsibilities(pair(sigma, 0.01), weight);
        ASSERT_EQ(r.size(), 2u);
        EXPECT_NEAR(r[1], sigmoid((2 * weight - 1) / (2 * sigma * sigma)), 1e-12);
    }
}

TEST(Mixture, AFixedSetHasNoDeviations) {
    EXPECT_FALSE(isFixedSet({}));
    EXPECT_FALSE(isFixedSet(pair(0.1, 1)));
    Mixture mixture{{{0.25, -1, 0, 10}, {0.75, 0.5, 0, 30}, {0, 1, 0, 0}}, 1};
    EXPECT_TRUE(isFixedSet(mixture));
    EXPECT_EQ(hardIndex(mixture, -9), 0u);
    EXPECT_EQ(hardValue(mixture, 0.7), 0.5);
    EXPECT_EQ(hardValue(mixture, 0.8), 1) << "the nearest value, whatever its share";
    mixture.components[1].sigma = 0.1;
    EXPECT_FALSE(isFixedSet(mixture));
}

// With equal sigma the border lies where w = 1/2 + sigma^2 log(pi_0 / pi_1), between means 0 and 1.
TEST(Mixture, MixingWeightsMoveTheBorder) {
    Mixture mixture = pair(0.2, 0.01);
    mixture.components[0].pi = 0.8;
    mixture.components[1].pi = 0.2;
    const double border = 0.5 + 0.04 * std::log(4.0);
    EXPECT_EQ(hardIndex(mixture, border - 1e-9), 0u);
    EXPECT_EQ(hardIndex(mixture, border + 1e-9), 1u);
    EXPECT_EQ(hardValue(mixture, border + 1e-9), 1);
    EXPECT_NEAR(responsibilities(mixture, border)[0], 0.5, 1e-12);
}

TEST(Mixture, ResponsibilitiesAreThePosterior) {
    const Mixture mixture = uneven();
    for (double weight = -1; weight <= 1.5; weight += 0.01) {
        const std::vector<double> r = responsibilities(mixture, weight);
        EXPECT_NEAR(std::accumulate(r.begin(), r.end(), 0.0), 1, 1e-12);
        for (std::size_t k = 0; k < r.size(); ++k) {
            EXPECT_NEAR(r[k], componentDensity(mixture.components[k], weight) / density(mixture, weight),
                        1e-9);
        }
    }
}

TEST(Mixture, FarAwayAndNarrowStaysFinite) {
    Mixture mixture = uneven();
    mixture.components[0].sigma = 1e-4;
    mixture.components[1].sigma = 1e4;
    for (const double weight : {-1e6, -3.0, 0.0, 3.0, 1e6}) {
        const std::vector<double> r = responsibilities(mixture, weight);
        EXPECT_NEAR(std::accumulate(r.begin(), r.end(), 0.0), 1, 1e-12) << weight;
        EXPECT_TRUE(std::isfinite(softValue(mixture, weight))) << weight;
    }
    EXPECT_EQ(hardIndex(mixture, 1e6), 1u) << "the widest component owns both tails";
    EXPECT_EQ(hardIndex(mixture, -1e6), 1u);
    EXPECT_EQ(hardIndex(mixture, 0), 0u);
}

TEST(Mixture, ComponentWithoutWeightIsNeverChosen) {
    Mixture mixture = pair(0.2, 0.01);
    mixture.components[0].pi = 0;
    mixture.components[1].pi = 1;
    EXPECT_EQ(hardIndex(mixture, 0), 1u);
    EXPECT_EQ(responsibilities(mixture, 0)[0], 0);
    EXPECT_NEAR(softValue(mixture, 0), 1, 1e-12);
}

TEST(Mixture, TiesGoToTheLowestIndex) {
    EXPECT_EQ(hardIndex(pair(0.25, 0.01), 0.5), 0u);
    const Mixture same = {{{0.25, 0.1, 0.5, 0}, {0.25, 0.1, 0.5, 0}, {0.5, 0.1, 0.5, 0}, {0.5, 0.1, 0.5, 0}},
                          0.01};
    EXPECT_EQ(hardIndex(same, 0.3), 2u);
}

TEST(Mixture, SoftTendsToHardAsTheTemperatureFalls) {
    Mixture mixture = uneven();
    mixture.temperature = 1e-3;
    // Away from the borders: where the largest posterior leads by far.
    for (const double weight : {-0.35, -0.02, 0.0, 0.02, 0.21, 0.9}) {
        EXPECT_NEAR(softValue(mixture, weight), hardValue(mixture, weight), 1e-9) << weight;
    }
}

TEST(Mixture, DensityIntegratesToOne) {
    const Mixture mixture = uneven();
    constexpr double kStep =
        1e-3;  // a twentieth of the narrowest sigma: the trapezoid rule is exact to rounding
    double sum = 0;
    for (int i = -5000; i <= 5000; ++i)
        sum += kStep * density(mixture, i * kStep);
    EXPECT_NEAR(sum, 1, 1e-9);
}

TEST(Mixture, PeakOfOneComponent) {
    const MixtureComponent component{0.3, 0.5, 0.2, 0};
    EXPECT_NEAR(componentDensity(component, 0.5), 0.3 / (0.2 * std::sqrt(2 * std::numbers::pi)), 1e-12);
    EXPECT_NEAR(componentDensity(component, 0.7) / componentDensity(component, 0.5), std::exp(-0.5), 1e-12);
}

TEST(Mixture, PackedBytesCountIndicesAndCodebooks) {
    const auto of = [](std::size_t components) {
        Mixture mixture;
        mixture.components.resize(components);
        return mixture;
    };
    EXPECT_EQ(packedWeightBytes(1000, {}), 4000);
    EXPECT_EQ(packedWeightBytes(1000, {of(16)}), 500 + 64);
    EXPECT_EQ(packedWeightBytes(1001, {of(2)}), 126 + 8);
    EXPECT_EQ(packedWeightBytes(1000, {of(5)}), 375 + 20) << "five components need three bits";
    EXPECT_EQ(packedWeightBytes(1000, {of(4), of(16)}), (500 * 2 + 500 * 4) / 8 + 80);
}

}  // namespace
}  // namespace bitloom::report
