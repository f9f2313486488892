// The certified cells and kernels against the scalar definitions in report/mixture.h, at awkward sizes and
// values.
#include "engine/quant/dgms/dgms_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <hwy/targets.h>

#include "engine/base/random.h"
#include "engine/quant/dgms/hard_assignment.h"
#include "engine/report/mixture.h"

namespace bitloom::quant::dgms {
namespace {

struct Scale {
    double spread;  // of mu
    double sigma;   // centre of sigma's range
};

Components randomComponents(Random& random, int size, Scale scale, double tau, bool parity) {
    std::vector<double> mu, logSigma, logPi;
    for (int k = 0; k < size; ++k) {
        if (k > 0) mu.push_back(scale.spread * random.normal());
        logSigma.push_back(std::log(scale.sigma * std::exp(random.uniform(-1, 1))));
        logPi.push_back(std::log(random.uniform(0.01, 1)));
    }
    return makeComponents(mu.data(), logSigma.data(), logPi.data(), size, tau, parity);
}

report::Mixture toMixture(const Components& components) {
    report::Mixture mixture;
    mixture.temperature = components.temperature;
    for (int k = 0; k < components.size(); ++k) {
        mixture.components.push_back({components.pi[k], components.mu[k], components.sigma[k], 0});
    }
    return mixture;
}

double spreadOf(const Components& components) {
    const auto [low, high] = std::minmax_element(components.mu.begin(), components.mu.end());
    return *high - *low;
}

class Cells : public ::testing::TestWithParam<double> {};

/// Phi = mu_k in constant cells, to the certified bound, whatever the mixture; r of far components is below
/// theirs.
TEST_P(Cells, KeepTheirPromises) {
    Random random({42});
    int constantWeights = 0;
    for (int round = 0; round < 60; ++round) {
        const int size = 2 + static_cast<int>(random.below(20));
        const Scale scale{0.1, std::pow(10.0, random.uniform(-3, -1))};
        const Components components = randomComponents(random, size, scale, GetParam(), false);
        const report::Mixture mixture = toMixture(components);
        const Tolerance tolerance = round % 2 == 0 ? Tolerance::forFloat() : Tolerance::forDouble();
        const CellTable cells = buildCells(components, -0.4, 0.4, 300, tolerance);
        ASSERT_EQ(cells.bucket.size(), 300u);
        for (int i = 0; i < 500; ++i) {
            const double weight = random.uniform(-0.4, 0.4);
            const auto cell =
                std::min<std::size_t>(static_cast<std::size_t>((weight - cells.low) * cells.scale), 299);
            const std::int32_t bucket = cells.bucket[cell];
            const std::vector<double> r = report::responsibilities(mixture, weight);
            if (bucket < size) {
                ++constantWeights;
                const double bound = std::exp(-tolerance.saturation) * spreadOf(components) + 1e-15;
                EXPECT_LE(std::abs(report::softValue(mixture, weight) - components.mu[bucket]), bound);
                EXPECT_EQ(cells.value[bucket], components.mu[bucket]);
                continue;
            }
            const Segment& segment = cells.segments.at(static_cast<std::size_t>(bucket - size));
            EXPECT_EQ(segment.near.size() + static_cast<std::size_t>(segment.farCount), components.mu.size());
            for (int k = 0; k < size; ++k) {
                const bool near = std::binary_search(segment.near.begin(), segment.near.end(), k);
                if (!near) {
                    EXPECT_LE(r[k], std::exp(-tolerance.farGap) * (1 + 1e-9));
                }
            }
        }
    }
    if (GetParam() <= 0.01) {
        EXPECT_GT(constantWeights, 5000);
    }
    if (GetParam() >= 0.1) {
        EXPECT_EQ(constantWeights, 0);
    }
}

INSTANTIATE_TEST_SUITE_P(Temperatures, Cells, ::testing::Values(0.001, 0.01, 0.03, 0.1, 1.0));

TEST(CellTable, RangesThatCannotBeCutGiveTheDenseTable) {
    Random random({1});
    const Components components = randomComponents(random, 5, {0.1, 0.02}, 0.01, false);
    const double infinity = std::numeric_limits<double>::infinity();
    for (const auto& [low, high] : {std::pair{0.5, 0.5}, {0.0, 0.0}, {-infinity, 1.0}, {0.0, std::nan("")}}) {
        const CellTable cells = buildCells(components, low, high, 1000, Tolerance::forFloat());
        ASSERT_EQ(cells.bucket.size(), 1u);
        ASSERT_EQ(cells.segments.size(), 1u);
        EXPECT_EQ(cells.segments[0].near.size(), 5u);
        EXPECT_EQ(cells.segments[0].farCount, 0);
    }
}

class KernelSize : public ::testing::TestWithParam<std::size_t> {};

/// Block sizes around vector lengths, misaligned arrays, untouched neighbours; Phi against the scalar
/// definition.
TEST_P(KernelSize, ForwardMatchesTheDefinition) {
    const std::size_t count = GetParam();
    Random random({count});
    for (const int size : {2, 7, 16}) {
        MixtureTable table;
        table.components = randomComponents(random, size, {0.1, 0.02}, 0.01, false);
        table.cells = buildCells(table.components, -0.3, 0.3, 100, Tolerance::forFloat());
        const report::Mixture mixture = toMixture(table.components);
        std::vector<float> weights(count + 2);
        for (float& weight : weights)
            weight = static_cast<float>(random.uniform(-0.3, 0.3));
        std::vector<float> soft(count + 2, -77.0f);
        softForward(table, weights.data() + 1, count, soft.data() + 1);
        EXPECT_EQ(soft.front(), -77.0f);
        EXPECT_EQ(soft.back(), -77.0f);
        for (std::size_t i = 1; i <= count; ++i) {
            EXPECT_NEAR(soft[i], report::softValue(mixture, weights[i]), 2e-7) << i;
        }
        const WeightRange range = rangeOf(weights.data() + 1, count);
        EXPECT_EQ(range.low, *std::min_element(weights.begin() + 1, weights.end() - 1));
        EXPECT_EQ(range.high, *std::max_element(weights.begin() + 1, weights.end() - 1));
        EXPECT_TRUE(range.finite);
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, KernelSize,
                         ::testing::Values(1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 127, 1009, kBlockSize - 1,
                                           kBlockSize));

/// Every instruction set that this machine has, against the widest one.
TEST(Kernel, InstructionSetsAgree) {
    constexpr std::size_t kCount = 1009;
    Random random({17});
    MixtureTable table;
    table.components = randomComponents(random, 16, {0.1, 0.02}, 0.01, false);
    table.cells = buildCells(table.components, -0.3, 0.3, 100, Tolerance::forFloat());
    std::vector<float> weights(kCount);
    std::vector<float> upstream(kCount);
    for (float& weight : weights)
        weight = static_cast<float>(random.uniform(-0.3, 0.3));
    for (float& gradient : upstream)
        gradient = static_cast<float>(random.normal());
    struct Output {
        std::vector<float> soft = std::vector<float>(kCount);
        std::vector<float> gradient = std::vector<float>(kCount);
        std::vector<double> sums;
    };
    std::vector<Output> outputs;
    std::vector<std::string> names;
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
        names.emplace_back(kernelTarget());
        Output& output = outputs.emplace_back();
        output.sums.resize(SumLayout(table).size());
        softForward(table, weights.data(), kCount, output.soft.data());
        softBackward(table, weights.data(), upstream.data(), kCount, output.sums.data(),
                     output.gradient.data());
    }
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    ASSERT_FALSE(outputs.empty());
    for (std::size_t i = 1; i < outputs.size(); ++i) {
        SCOPED_TRACE(names[i] + " against " + names[0]);
        EXPECT_NE(names[i], names[0]);
        for (std::size_t j = 0; j < kCount; ++j) {
            EXPECT_NEAR(outputs[i].soft[j], outputs[0].soft[j], 1e-7);
            EXPECT_NEAR(outputs[i].gradient[j], outputs[0].gradient[j],
                        1e-6 * (1 + std::abs(outputs[0].gradient[j])));
        }
        for (std::size_t j = 0; j < outputs[0].sums.size(); ++j) {
            EXPECT_NEAR(outputs[i].sums[j], outputs[0].sums[j], 1e-9 * (1 + std::abs(outputs[0].sums[j])));
        }
    }
}

TEST(Kernel, FindsWhatIsNotFinite) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
        for (const std::size_t position : {0u, 5u, 40u, 66u}) {
            std::vector<float> weights(67, 0.1f);
            weights[position] = bad;
            EXPECT_FALSE(rangeOf(weights.data(), weights.size()).finite) << position;
        }
    }
}

/// Extreme temperatures, widths and distances must give finite numbers.
TEST(Kernel, ExtremesStayFinite) {
    Random random({3});
    for (const double tau : {1e-3, 1.0}) {
        for (const double sigma : {1e-4, 10.0}) {
            for (const bool parity : {false, true}) {
                MixtureTable table;
                table.components = randomComponents(random, 6, {0.1, sigma}, tau, parity);
                std::vector<float> weights{-1e6f, -5, -0.3f, -1e-30f, 0, 1e-38f, 0.1f, 3, 1e6f};
                for (const int cells : {1, 50}) {
                    table.cells = buildCells(table.components, -1e6, 1e6, cells, Tolerance::forFloat());
                    std::vector<float> soft(weights.size());
                    const std::vector<float> upstream(weights.size(), 1);
                    std::vector<float> gradient(weights.size());
                    std::vector<double> sums(SumLayout(table).size());
                    softForward(table, weights.data(), weights.size(), soft.data());
                    softBackward(table, weights.data(), upstream.data(), weights.size(), sums.data(),
                                 gradient.data());
                    for (const float value : soft)
                        EXPECT_TRUE(std::isfinite(value));
                    for (const float value : gradient)
                        EXPECT_TRUE(std::isfinite(value));
                    for (const double value : sums)
                        EXPECT_TRUE(std::isfinite(value));
                }
            }
        }
    }
}

/// The published forward gives weights far from every mean the plain average of mu; ours gives the nearest
/// component's.
TEST(Kernel, ParityReproducesThePublishedTails) {
    const double mu[] = {-0.1, 0.3};
    const double logSigma[] = {std::log(0.01), std::log(0.01), std::log(0.01)};
    const double logPi[] = {0, 0, 0};
    const float weight = 1.0f;
    for (const bool parity : {false, true}) {
        MixtureTable table;
        table.components = makeComponents(mu, logSigma, logPi, 3, 0.01, parity);
        table.cells = buildCells(table.components, -1, 1, 200, Tolerance::forFloat());
        float soft = 0;
        softForward(table, &weight, 1, &soft);
        EXPECT_NEAR(soft, parity ? 0.2 / 3 : 0.3, 1e-6);
    }
}

TEST(HardAssigner, IsTheArgmaxEverywhere) {
    Random random({8});
    for (int round = 0; round < 40; ++round) {
        const int size = 2 + static_cast<int>(random.below(30));
        const Components components =
            randomComponents(random, size, {0.1, std::pow(10.0, random.uniform(-3, -1))}, 0.01, false);
        const report::Mixture mixture = toMixture(components);
        const HardAssigner assigner(components, -0.4, 0.4, 1 + static_cast<int>(random.below(400)));
        for (int i = 0; i < 400; ++i) {
            const double weight = random.uniform(-0.5, 0.5);  // beyond the table too
            EXPECT_EQ(assigner.index(weight), report::hardIndex(mixture, weight));
        }
        EXPECT_EQ(assigner.index(-0.4), report::hardIndex(mixture, -0.4));
        EXPECT_EQ(assigner.index(0.4), report::hardIndex(mixture, 0.4));
    }
}

TEST(HardAssigner, TiesGoToTheLowestIndex) {
    const double mu[] = {0.5, 0.5, 1.0};
    const double logSigma[] = {-2, -2, -2, -2};
    const double logPi[] = {0, 0, 0, 0};
    const Components components = makeComponents(mu, logSigma, logPi, 4, 0.01, false);
    const HardAssigner assigner(components, -1, 2, 100);
    EXPECT_EQ(assigner.index(0.25), 0);
    EXPECT_EQ(assigner.index(0.5), 1);
    EXPECT_EQ(assigner.index(0.75), 1);
    EXPECT_EQ(assigner.index(0.76), 3);
}

}  // namespace
}  // namespace bitloom::quant::dgms
