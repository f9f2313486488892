// Where mixtures start, on values whose clusters are obvious.
#include "engine/quant/dgms/dgms_init.h"

#include <cmath>

#include <gmock/gmock.h>

#include "engine/quant/dgms/components.h"

namespace bitloom::quant::dgms {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

TEST(DgmsInit, TheCentreNearestZeroBecomesZero) {
    const std::vector<float> values{-1.1f, -0.9f, 0.02f, 0.04f, 0.06f, 1.9f, 2.1f, 2.0f};
    const InitialMixture mixture = initialMixture(values, 3, SigmaInit::Standard);
    EXPECT_THAT(mixture.mu, ElementsAre(0, DoubleNear(-1, 1e-6), DoubleNear(2, 1e-6)));
    EXPECT_THAT(mixture.pi, ElementsAre(3.0 / 8, 2.0 / 8, 3.0 / 8));
    // About zero for the zero component: sqrt((0.02^2 + 0.04^2 + 0.06^2) / 2).
    EXPECT_THAT(mixture.sigma, ElementsAre(DoubleNear(std::sqrt(0.0056 / 2), 1e-6),
                                           DoubleNear(std::sqrt(0.02), 1e-6), DoubleNear(0.1, 1e-6)));
}

TEST(DgmsInit, WithoutZeroEveryCentreStays) {
    const std::vector<float> values{-1.1f, -0.9f, 0.02f, 0.04f, 0.06f, 1.9f, 2.1f, 2.0f};
    const InitialMixture mixture = mixtureWithoutZero(values, 3, SigmaInit::Standard);
    EXPECT_THAT(mixture.mu,
                ElementsAre(0, DoubleNear(-1, 1e-6), DoubleNear(0.04, 1e-6), DoubleNear(2, 1e-6)));
    EXPECT_THAT(mixture.pi, ElementsAre(0, 2.0 / 8, 3.0 / 8, 3.0 / 8));
    EXPECT_THAT(mixtureWithoutZero(std::vector<float>(9, 0.75f), 4, SigmaInit::Standard).mu,
                ElementsAre(0, 0.75));
}

TEST(DgmsInit, EmpiricalSigmaIsOneHundredth) {
    const std::vector<float> values{-1, -0.9f, 0, 0.1f, 1, 1.1f};
    EXPECT_THAT(initialMixture(values, 3, SigmaInit::Empirical).sigma, Each(0.01));
}

TEST(DgmsInit, SigmaHasAFloor) {
    std::vector<float> values(100, 0.0f);
    values[0] = 1;
    values[1] = -1;
    for (const double sigma : initialMixture(values, 3, SigmaInit::Standard).sigma)
        EXPECT_GE(sigma, kMinSigma);
    // 1e-3 of the layer's deviation where that is larger.
    for (float& value : values)
        value *= 1000;
    EXPECT_GE(initialMixture(values, 3, SigmaInit::Standard).sigma[1], 0.1);
}

TEST(DgmsInit, FewerDistinctValuesThanComponents) {
    const std::vector<float> values{0.5f, 0.5f, -0.25f, 0.5f};
    const InitialMixture mixture = initialMixture(values, 16, SigmaInit::Standard);
    EXPECT_THAT(mixture.mu, ElementsAre(0, -0.25, 0.5));
    for (const double pi : mixture.pi)
        EXPECT_GT(pi, 0);
    EXPECT_LT(mixture.pi[0], mixture.pi[1]);
}

TEST(DgmsInit, ConstantLayers) {
    EXPECT_THAT(initialMixture(std::vector<float>(9, 0.75f), 4, SigmaInit::Standard).mu,
                ElementsAre(0, 0.75));
    EXPECT_THAT(initialMixture(std::vector<float>(9, 0.0f), 4, SigmaInit::Standard).mu, ElementsAre(0));
    EXPECT_THAT(initialMixture(std::vector<float>(1, -2.0f), 2, SigmaInit::Empirical).mu, ElementsAre(0, -2));
}

TEST(DgmsInit, PaddedComponentsAreUnused) {
    InitialMixture mixture = initialMixture(std::vector<float>(9, 0.0f), 4, SigmaInit::Standard);
    pad(mixture, 2);
    EXPECT_THAT(mixture.mu, ElementsAre(0, 0));
    EXPECT_EQ(mixture.pi[1], 0);
    const double mu = 0;
    const double logSigma[] = {-5, 0};
    const double logPi[] = {0, kUnusedLogPi};
    const Components components = makeComponents(&mu, logSigma, logPi, 2, 0.01, false);
    EXPECT_EQ(components.pi[1], 0);
    for (const double weight : {-3.0, 0.0, 0.1, 3.0})
        EXPECT_EQ(components.hardIndex(weight), 0);
}

TEST(DgmsComponents, AreClampedAndNormalised) {
    const double mu = 0.5;
    const double logSigma[] = {-100, std::log(0.2)};
    const double logPi[] = {std::log(3.0), std::log(1.0)};
    const Components components = makeComponents(&mu, logSigma, logPi, 2, 7, false);
    EXPECT_EQ(components.sigma[0], kMinSigma);
    EXPECT_DOUBLE_EQ(components.sigma[1], 0.2);
    EXPECT_DOUBLE_EQ(components.pi[0], 0.75);
    EXPECT_EQ(components.temperature, kMaxTemperature);
    EXPECT_EQ(makeComponents(&mu, logSigma, logPi, 2, 0, false).temperature, kMinTemperature);
}

}  // namespace
}  // namespace bitloom::quant::dgms
