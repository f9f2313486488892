// Learned bitwidths over nested mixtures: merging keeps moments, from 3 bits on the zero, the codebook
// follows its width, the width's gradient is the sampled one, a saved state goes on to the bit.
#include "engine/quant/mixed/mixed_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "engine/base/random.h"
#include "engine/quant/mixed/mixture_merge.h"
#include "engine/quant/registry.h"
#include "tests/quant/quantizer_checks.h"

namespace bitloom::quant::mixed {
namespace {

using ::testing::HasSubstr;

double momentOf(const dgms::InitialMixture& mixture, int order) {
    double moment = 0;
    for (std::size_t k = 0; k < mixture.mu.size(); ++k) {
        const double mu = mixture.mu[k];
        const double square = mixture.sigma[k] * mixture.sigma[k] + mu * mu;
        moment += mixture.pi[k] * (order == 0 ? 1 : order == 1 ? mu : square);
    }
    return moment;
}

TEST(MergedMixture, KeepsMassAndSecondMomentAndWithoutTheZeroTheMean) {
    const dgms::InitialMixture mixture{{0, -0.9, -0.4, -0.2, 0.3, 0.45, 1.0, 1.2},
                                       {0.1, 0.2, 0.05, 0.1, 0.1, 0.02, 0.3, 0.1},
                                       {0.3, 0.05, 0.1, 0.15, 0.15, 0.1, 0.1, 0.05}};
    for (const int bits : {3, 2, 1}) {
        const dgms::InitialMixture merged = mergedTo(mixture, bits);
        const auto used = std::ranges::count_if(merged.pi, [](double pi) { return pi > 0; });
        EXPECT_EQ(used, 1 << bits);
        EXPECT_EQ(merged.mu[0], 0);
        EXPECT_EQ(merged.pi[0] > 0, bits > 2) << "of few values none is given away to zero";
        EXPECT_NEAR(momentOf(merged, 0), momentOf(mixture, 0), 1e-12);
        EXPECT_NEAR(momentOf(merged, 2), momentOf(mixture, 2), 1e-12);
    }
    for (const int bits : {2, 1})
        EXPECT_NEAR(momentOf(mergedTo(mixture, bits), 1), momentOf(mixture, 1), 1e-12);
    const dgms::InitialMixture two = mergedTo(mixture, 1);
    EXPECT_LT(two.mu[1], 0);
    EXPECT_GT(two.mu[2], 0);
}

TEST(MergedMixture, TheCheapestPairGoesFirst) {
    const dgms::InitialMixture mixture{{0, -1, 1, 1.1}, {0.1, 0.1, 0.1, 0.1}, {0.4, 0.2, 0.2, 0.2}};
    dgms::InitialMixture five = mixture;
    five.mu.push_back(2);
    five.sigma.push_back(0.1);
    five.pi.push_back(0.2);
    const dgms::InitialMixture merged = mergedTo(five, 2);
    EXPECT_THAT(merged.mu, ::testing::Contains(::testing::DoubleNear(1.05, 1e-12)));
    EXPECT_THAT(merged.mu, ::testing::Contains(2));
    const dgms::InitialMixture few{{0, 0.5}, {0.1, 0.1}, {0.5, 0.5}};
    EXPECT_EQ(mergedTo(few, 3).mu, few.mu) << "nothing to merge";
}

TEST(MergedMixture, WhatIsNotANumberIsLeftForTheLossToTell) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const dgms::InitialMixture broken{{0, kNan, 1, kNan}, {0.1, 0.1, 0.1, 0.1}, {0.4, 0.2, 0.2, 0.2}};
    const dgms::InitialMixture merged = mergedTo(broken, 1);
    EXPECT_EQ(std::ranges::count_if(merged.pi, [](double pi) { return pi > 0; }), 2);
    EXPECT_TRUE(std::ranges::any_of(merged.mu, [](double mu) { return std::isnan(mu); }));
}

class MixedQuantizerTest : public ::testing::Test {
  protected:
    MixedQuantizerTest() {
        std::vector<float> values(16 * 8 * 9);
        Random random({7});
        for (float& value : values)
            value = static_cast<float>(0.1 * random.normal());
        m_values = values;
        m_weight = torch::tensor(values).reshape({16, 8, 3, 3}).set_requires_grad(true);
        m_options.layer = {"dgms-mixed", 16, {}};
    }
    [[nodiscard]] std::unique_ptr<MixedQuantizer> make(int bits) const {
        const MethodRequest request{{16, 8, 3, 3}, m_values, m_options, {"dgms-mixed", 1 << bits, {}}, 5};
        auto made = MixedQuantizer::make(request);
        EXPECT_TRUE(made.ok());
        return std::unique_ptr<MixedQuantizer>(dynamic_cast<MixedQuantizer*>(made->release()));
    }
    [[nodiscard]] double errorOf(const MixedQuantizer& quantizer) const {
        const std::vector<float> hard = quantizer.hard(m_weight).dequantize();
        double sum = 0;
        for (std::size_t i = 0; i < hard.size(); ++i)
            sum += (hard[i] - m_values[i]) * (hard[i] - m_values[i]);
        return sum;
    }
    std::vector<float> m_values;
    torch::Tensor m_weight;
    QuantizerOptions m_options;
};

TEST_F(MixedQuantizerTest, TheCodebookFollowsItsWidth) {
    const auto quantizer = make(4);
    double before = errorOf(*quantizer);
    for (int bits = 4; bits > 1; --bits) {
        const double expected = quantizer->lossOfLowering();
        EXPECT_GT(expected, 0);
        quantizer->width().lower();
        // Both at once, when only asked, and after the next pass.
        EXPECT_EQ(quantizer->hard(m_weight).components, 1 << (bits - 1));
        const double asked = errorOf(*quantizer);
        EXPECT_GT(asked, before);
        (void)quantizer->soft(m_weight);
        EXPECT_EQ(quantizer->hard(m_weight).components, 1 << (bits - 1));
        EXPECT_DOUBLE_EQ(errorOf(*quantizer), asked);
        const report::LayerSnapshot snapshot = quantizer->snapshot(m_weight);
        EXPECT_EQ(snapshot.bits, bits - 1);
        EXPECT_EQ(snapshot.mixtures.front().components.size(), std::size_t{1} << (bits - 1));
        before = asked;
    }
    const QuantizedTensor one = quantizer->hard(m_weight);
    EXPECT_LT(one.codebook[0] * one.codebook[1], 0) << "a value on each side";
    EXPECT_EQ(one.zeros(), 0);
}

TEST_F(MixedQuantizerTest, OneBitAndMoreStartWithoutASurprise) {
    for (const int bits : {1, 2, 3, 8}) {
        const auto quantizer = make(bits);
        const QuantizedTensor hard = quantizer->hard(m_weight);
        EXPECT_EQ(hard.components, 1 << bits);
        EXPECT_EQ(static_cast<int>(hard.codebook.size()), 1 << bits);
        EXPECT_EQ(quantizer->snapshot(m_weight).bits, bits);
        const torch::Tensor forward = quantizer->hardForward(m_weight).detach();
        if (bits == 1) {
            EXPECT_TRUE(torch::equal(forward.reshape(-1), torch::tensor(hard.dequantize())));
        }
        EXPECT_EQ(hard.zeros() > 0, bits > 2);
    }
}

TEST_F(MixedQuantizerTest, TheWidthsGradientIsThatOfTheSample) {
    m_options.sdq.errorWeight = 0;
    const auto upper = make(3);
    const auto other = make(3);
    other->width().lower();
    const torch::Tensor gradient =
        torch::sin(torch::arange(m_weight.numel(), torch::kFloat32)).view_as(m_weight);
    bool both[2] = {false, false};
    for (int pass = 1; pass <= 20; ++pass) {
        const sdq::Bitwidth::Sample sample = upper->width().sample(pass);
        both[sample.stays ? 1 : 0] = true;
        m_weight.mutable_grad().reset();
        const torch::Tensor chosen = upper->hardForward(m_weight);
        const torch::NoGradGuard guard;
        const torch::Tensor high = torch::tensor(upper->hard(m_weight).dequantize()).view_as(m_weight);
        const torch::Tensor low = torch::tensor(other->hard(m_weight).dequantize()).view_as(m_weight);
        ASSERT_TRUE(torch::allclose(chosen, sample.stays ? high : low)) << pass;
        {
            const torch::AutoGradMode recording(true);
            chosen.backward(gradient);
        }
        const double expected =
            (gradient.to(torch::kFloat64) * (high - low)).sum().item<double>() * sample.slope;
        const double theta = std::log(upper->width().probability() / (1 - upper->width().probability()));
        EXPECT_EQ(theta, sdq::Bitwidth::kFirstTheta) << "not updated in this test";
        sdq::Bitwidth probe = upper->width();
        probe.update();
        EXPECT_NEAR(probe.lastGradient(), expected, 1e-6 * std::abs(expected) + 1e-9) << pass;
        upper->width().addGradient(-probe.lastGradient());
        EXPECT_TRUE(torch::equal(m_weight.grad(), gradient)) << "straight through";
    }
    EXPECT_TRUE(both[0] && both[1]);
}

TEST_F(MixedQuantizerTest, AFixedWidthSamplesNothing) {
    const auto quantizer = make(3);
    quantizer->width().fix();
    const torch::Tensor first = quantizer->hardForward(m_weight).detach();
    for (int pass = 0; pass < 20; ++pass)
        EXPECT_TRUE(torch::equal(quantizer->hardForward(m_weight), first));
    EXPECT_EQ(quantizer->width().probability(), 1);
}

TEST_F(MixedQuantizerTest, ASavedStateGoesOnToTheBit) {
    const auto quantizer = make(4);
    for (int pass = 0; pass < 30; ++pass)
        quantizer->hardForward(m_weight).sum().backward();
    quantizer->width().lower();
    for (int pass = 0; pass < 3; ++pass)
        quantizer->hardForward(m_weight).sum().backward();
    const auto other = make(3);
    const Status restored = other->restore(quantizer->state());
    ASSERT_TRUE(restored.ok()) << restored.error().message;
    EXPECT_EQ(other->parameters().front().tensor.numel(), 15) << "as large as it began";
    for (int pass = 0; pass < 30; ++pass) {
        ASSERT_TRUE(torch::equal(quantizer->hardForward(m_weight), other->hardForward(m_weight))) << pass;
    }
    EXPECT_EQ(quantizer->hard(m_weight).indices, other->hard(m_weight).indices);
    expectEntriesChecked(*other, {"width", "errors", "sensitivity", "passes", "mu"});
    for (const char* name : {"log_pi", "lower/log_pi"}) {
        graph::StateDict state = quantizer->state();
        state.erase(name);
        expectRefused(*other, state, name);
    }
}

TEST_F(MixedQuantizerTest, EqualWeightsHaveACodebook) {
    m_values.assign(m_values.size(), 0.25F);
    m_weight = torch::full({16, 8, 3, 3}, 0.25F);
    const auto equal = make(4);
    EXPECT_THAT(equal->hard(m_weight).dequantize(), ::testing::Each(0.25F));
    equal->width().lower();
    equal->width().lower();
    equal->width().lower();
    (void)equal->soft(m_weight);
    EXPECT_EQ(equal->hard(m_weight).components, 2);
    EXPECT_THAT(equal->hard(m_weight).dequantize(), ::testing::Each(::testing::FloatNear(0.25F, 1e-6F)));
}

TEST_F(MixedQuantizerTest, FewerDistinctValuesThanComponentsAreNoTrouble) {
    for (std::size_t i = 0; i < m_values.size(); ++i)
        m_values[i] = i % 3 == 0 ? 0.3F : -0.1F;
    m_weight = torch::tensor(m_values).reshape({16, 8, 3, 3});
    const auto quantizer = make(4);
    for (int bits = 4; bits >= 1; --bits) {
        const std::vector<float> hard = quantizer->hard(m_weight).dequantize();
        for (std::size_t i = 0; i < hard.size(); ++i)
            ASSERT_NEAR(hard[i], m_values[i], 1e-3) << bits << " bits, weight " << i;
        if (bits == 1) break;
        quantizer->width().lower();
        (void)quantizer->soft(m_weight);
    }
}

TEST(MixedOptions, AreChecked) {
    EXPECT_THAT(checkComponents({}, {"dgms-mixed", 12, {}}, "quantizer").error().message,
                HasSubstr("components = 12"));
    QuantizerOptions filters;
    filters.granularity = Granularity::Filter;
    EXPECT_THAT(checkComponents(filters, {"dgms-mixed", 16, {}}, "quantizer").error().message,
                HasSubstr("one mixture a layer"));
    EXPECT_TRUE(checkComponents({}, {"dgms-mixed", 16, {}}, "quantizer").ok());
}

}  // namespace
}  // namespace bitloom::quant::mixed
