// Equally spaced levels: the levels themselves, the clip that fits, gradients against float64 formulas, the
// bin regulariser, what is saved.
#include "engine/quant/uniform/uniform_quantizer.h"

#include <cmath>
#include <limits>
#include <set>

#include <gmock/gmock.h>

#include "engine/quant/uniform/levels.h"
#include "engine/quant/uniform/uniform_function.h"
#include "tests/quant/quantizer_checks.h"

namespace bitloom::quant::uniform {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;

torch::Tensor normalWeights(std::int64_t count, torch::Dtype dtype, double scale = 0.1) {
    torch::manual_seed(7);
    return scale * torch::randn({count / 8, 8}, dtype);
}

TEST(UniformLevels, IncludeBothEndsAndRoundToTheNearest) {
    EXPECT_THAT(Levels<float>(1, 0.5F).values(), ElementsAre(-0.5F, 0.5F));
    EXPECT_THAT(Levels<float>(2, 3.0F).values(), ElementsAre(-3.0F, -1.0F, 1.0F, 3.0F));
    const Levels<float> levels(2, 3.0F);
    EXPECT_FLOAT_EQ(static_cast<float>(levels.step()), 2.0F);
    EXPECT_EQ(levels.nearest(-100.0F), -3.0F);
    EXPECT_EQ(levels.nearest(100.0F), 3.0F);
    EXPECT_EQ(levels.nearest(-0.1F), -1.0F);
    EXPECT_EQ(levels.nearest(0.0F), 1.0F) << "half-way goes up";
    EXPECT_EQ(levels.nearest(1.9F), 1.0F);
    const Levels<double> fine(8, 1.0);
    for (std::size_t k = 0; k < 256; ++k)
        EXPECT_EQ(fine.indexOf(fine.values()[k]), k);
}

TEST(UniformLevels, TheClipFitsAsWellAsAnyOfTheSixty) {
    const torch::Tensor weight = normalWeights(4096, torch::kFloat32);
    const std::span<const float> values(weight.data_ptr<float>(), 4096);
    const float largest = weight.abs().max().item<float>();
    for (int bits = 1; bits <= kMostBits; ++bits) {
        const float clip = fitClip(values, bits);
        double least = 1e9;
        for (int i = 1; i <= 60; ++i)
            least = std::min(least, relativeError(values, {bits, largest * static_cast<float>(i) / 60}));
        EXPECT_LE(relativeError(values, {bits, clip}), least * 1.001) << bits << " bits";
    }
    // One bit: mean |w| is the best of all clips.
    EXPECT_NEAR(fitClip(values, 1), weight.abs().mean().item<float>(), largest / 60);
    const std::vector<float> zeros(100, 0.0F);
    EXPECT_LT(Levels<float>(1, fitClip(zeros, 1)).nearest(0), 2e-6F) << "no level is 0; this is as good";
    EXPECT_EQ(relativeError(zeros, {3, fitClip(zeros, 3)}), 0.0);
}

TEST(UniformLevels, WhatIsNotANumberStaysSo) {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const Levels<float> levels(2, 3.0F);
    EXPECT_TRUE(std::isnan(levels.nearest(kNan)));
    EXPECT_EQ(levels.indexOf(kNan), 0U);
    EXPECT_EQ(levels.nearest(-kInfinity), -3.0F);
    const std::vector<float> finite{0.1F, -0.4F, 0.2F, 0.3F};
    std::vector<float> broken = finite;
    broken.insert(broken.end(), {kNan, kInfinity, -kInfinity});
    EXPECT_EQ(fitClip(broken, 2), fitClip(finite, 2));
}

struct Reference {
    torch::Tensor weight;
    double clip;
};

/// README.md sections 2 to 4, term by term.
Reference referenceGradient(const torch::Tensor& weight, double clip, const torch::Tensor& upstream,
                            const RoundingOptions& options) {
    const int count = 1 << options.bits;
    const double step = 2 * clip / (count - 1);
    const torch::Tensor index = torch::floor((weight.clamp(-clip, clip) + clip) / step + 0.5);
    const torch::Tensor value = -clip + index * step;
    const torch::Tensor inside = (weight.abs() <= clip).to(torch::kFloat64);
    torch::Tensor gradient = upstream * inside;
    const torch::Tensor perClip = inside * (value - weight) / clip + (1 - inside) * weight.sign();
    for (int n = 0; n < count; ++n) {
        const torch::Tensor members = (index == n).to(torch::kFloat64);
        const double size = members.sum().item<double>();
        if (size < 2) continue;
        gradient = gradient + members * 2 * (weight - value) / size / (step * step) * options.binRegulariser *
                                  std::exp2(-options.bits);
    }
    return {gradient, (upstream * perClip).sum().item<double>() /
                          std::sqrt(static_cast<double>(weight.numel()) * std::exp2(options.bits - 1))};
}

TEST(UniformGradient, MatchesItsDefinition) {
    for (const torch::Dtype dtype : {torch::kFloat64, torch::kFloat32}) {
        for (int bits = 1; bits <= kMostBits; ++bits) {
            const RoundingOptions options{bits, 0.1};
            const torch::Tensor weight = normalWeights(20000, dtype).set_requires_grad(true);
            const torch::Tensor clip = torch::full({1}, 0.17, dtype).set_requires_grad(true);
            torch::manual_seed(8);
            const torch::Tensor upstream = torch::randn_like(weight);
            const auto gradients =
                torch::autograd::grad({roundWeights(weight, clip, options)}, {weight, clip}, {upstream});
            const Reference expected =
                referenceGradient(weight.detach().to(torch::kFloat64), clip.item<double>(),
                                  upstream.to(torch::kFloat64), options);
            const double error = (gradients[0].to(torch::kFloat64) - expected.weight).norm().item<double>() /
                                 expected.weight.norm().item<double>();
            // Single precision may round a weight half-way between two levels to the other one.
            const double tolerance = dtype == torch::kFloat64 ? 1e-12 : 2e-3;
            EXPECT_LE(error, tolerance) << bits << " bits";
            EXPECT_NEAR(gradients[1].item<double>(), expected.clip,
                        std::abs(expected.clip) * tolerance + 1e-9);
        }
    }
}

TEST(UniformGradient, DependsOnNeitherThreadsNorMemoryOrder) {
    const torch::Tensor weight = (0.1 * torch::randn({64, 16, 3, 3})).set_requires_grad(true);
    const torch::Tensor clip = torch::full({1}, 0.2F).set_requires_grad(true);
    const torch::Tensor upstream = torch::randn_like(weight);
    const auto differentiate = [&](const torch::Tensor& w, const torch::Tensor& up, int threads) {
        const int before = torch::get_num_threads();
        torch::set_num_threads(threads);
        auto gradients = torch::autograd::grad({roundWeights(w, clip, {4, 0.1})}, {w, clip}, {up});
        torch::set_num_threads(before);
        return gradients;
    };
    const auto one = differentiate(weight, upstream, 1);
    const auto two = differentiate(weight, upstream, 2);
    EXPECT_TRUE(torch::equal(one[0], two[0]));
    EXPECT_TRUE(torch::equal(one[1], two[1]));
    const torch::Tensor last =
        weight.detach().contiguous(torch::MemoryFormat::ChannelsLast).set_requires_grad(true);
    const auto other = differentiate(last, upstream, 1);
    EXPECT_TRUE(torch::equal(one[0], other[0]));
    EXPECT_NEAR(one[1].item<float>(), other[1].item<float>(), 1e-5);
}

class UniformQuantizerTest : public ::testing::Test {
  protected:
    std::unique_ptr<Quantizer> make(int components) {
        m_values.assign(m_weight.data_ptr<float>(), m_weight.data_ptr<float>() + m_weight.numel());
        LayerOptions layer{"uniform", components, {}};
        auto made = UniformQuantizer::make({m_weight.sizes().vec(), m_values, m_options, layer, 1});
        EXPECT_TRUE(made.ok());
        return std::move(*made);
    }
    torch::Tensor m_weight = normalWeights(4096, torch::kFloat32);
    std::vector<float> m_values;
    QuantizerOptions m_options;
};

TEST_F(UniformQuantizerTest, DeploysWhatItTrains) {
    for (const int components : {2, 4, 8, 256}) {
        const auto quantizer = make(components);
        const QuantizedTensor hard = quantizer->hard(m_weight);
        EXPECT_EQ(hard.components, components);
        const torch::Tensor soft = quantizer->soft(m_weight);
        const std::vector<float> deployed = hard.dequantize();
        EXPECT_TRUE(torch::equal(soft.reshape(-1), torch::tensor(deployed)));
        const report::LayerSnapshot snapshot = quantizer->snapshot(m_weight);
        EXPECT_EQ(snapshot.bits, std::log2(components));
        EXPECT_EQ(snapshot.mixtures.front().components.size(), static_cast<std::size_t>(components));
        EXPECT_EQ(snapshot.mixtures.front().temperature, 0) << "there is no softmax";
        EXPECT_EQ(snapshot.sparsity, 0);
    }
}

TEST_F(UniformQuantizerTest, ComesBackAsItWas) {
    const auto quantizer = make(8);
    {
        const torch::NoGradGuard guard;
        quantizer->parameters().front().tensor.mul_(0.7);
    }
    const auto other = make(8);
    ASSERT_TRUE(other->restore(quantizer->state()).ok());
    EXPECT_TRUE(torch::equal(quantizer->soft(m_weight), other->soft(m_weight)));
    expectEntriesChecked(*other, {"clip", "least_clip"});
}

TEST_F(UniformQuantizerTest, AClipCannotCollapse) {
    const auto quantizer = make(4);
    torch::Tensor clip = quantizer->parameters().front().tensor;
    const float first = clip.item<float>();
    {
        const torch::NoGradGuard guard;
        clip.fill_(-5.0F);
    }
    (void)quantizer->soft(m_weight);
    EXPECT_GT(clip.item<float>(), 0);
    EXPECT_LT(clip.item<float>(), first);
}

TEST_F(UniformQuantizerTest, AllEqualWeightsAreFine) {
    m_weight = torch::full({16, 16}, 0.25F);
    EXPECT_THAT(make(4)->hard(m_weight).dequantize(), ::testing::Each(FloatEq(0.25F)));
    m_weight = torch::zeros({16, 16});
    const auto quantizer = make(4);
    EXPECT_THAT(quantizer->hard(m_weight).dequantize(), ::testing::Each(::testing::FloatNear(0, 2e-6F)));
    EXPECT_TRUE(torch::isfinite(quantizer->soft(m_weight)).all().item<bool>());
}

TEST_F(UniformQuantizerTest, TheBinRegulariserLeavesZerosAlone) {
    m_options.binRegulariser = 0.1;
    m_weight = torch::zeros({16, 16}).set_requires_grad(true);
    const auto quantizer = make(4);
    const torch::Tensor push = torch::linspace(-1, 1, 256).reshape({16, 16});
    for (int step = 0; step < 20; ++step) {
        m_weight.mutable_grad().reset();
        (quantizer->soft(m_weight) * push).sum().backward();
        const torch::NoGradGuard guard;
        m_weight.sub_(0.03 * m_weight.grad());
    }
    EXPECT_LT(m_weight.abs().max().item<float>(), 1) << "levels a millionth apart would pull them out";
}

TEST_F(UniformQuantizerTest, FewerDistinctValuesThanLevelsAreNoTrouble) {
    m_weight =
        torch::where(m_weight > 0, torch::full_like(m_weight, 0.3F), torch::full_like(m_weight, -0.1F));
    const QuantizedTensor hard = make(16)->hard(m_weight);
    EXPECT_EQ(hard.components, 16);
    const std::vector<float> values = hard.dequantize();
    EXPECT_EQ(std::set<float>(values.begin(), values.end()).size(), 2u);
    for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_NEAR(values[i], m_weight.data_ptr<float>()[i], 0.3 / 15 + 1e-6);
}

}  // namespace
}  // namespace bitloom::quant::uniform
