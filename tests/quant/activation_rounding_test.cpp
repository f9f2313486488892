// Ranges on values whose best range is known, rounding, its gradients against float64 autograd of the
// formula, what is saved.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "engine/graph/zoo/zoo.h"
#include "engine/quant/activation/activation_quantizers.h"
#include "engine/quant/activation/range_search.h"
#include "engine/quant/activation/rounding_function.h"

namespace bitloom::quant {
namespace {

using ::testing::HasSubstr;
using torch::Tensor;

std::span<const float> spanOf(const Tensor& values) {
    return {values.data_ptr<float>(), static_cast<std::size_t>(values.numel())};
}

QuantizedActivation searched(const Tensor& values, int bits) {
    ValueExtent extent;
    extent.add(spanOf(values));
    ValueCounts counts(extent);
    counts.add(spanOf(values));
    return searchRange(counts, bits);
}

/// README.md section 1, in libtorch's own operations.
Tensor roundedBy(const Tensor& x, const QuantizedActivation& rounding) {
    const double s = static_cast<double>(rounding.scale);
    const Tensor q = torch::clamp(torch::round(x / s) + rounding.zeroPoint, 0, rounding.highest());
    return s * (q - rounding.zeroPoint);
}

double errorOf(const Tensor& x, const QuantizedActivation& rounding) {
    return (x - roundedBy(x, rounding)).abs().pow(2.4).sum().item<double>();
}

TEST(RangeSearch, ValuesOnAGridKeepIt) {
    torch::manual_seed(1);
    // 16 levels of 0.25, all of them there: any shrinking loses, the whole range loses nothing.
    const Tensor values = 0.25 * torch::randint(0, 16, {4000}).to(torch::kFloat32);
    const QuantizedActivation best = searched(values, 4);
    EXPECT_FLOAT_EQ(best.scale, 0.25F);
    EXPECT_EQ(best.zeroPoint, 0);
    EXPECT_EQ(best.bits, 4);
    const QuantizedActivation shifted = searched(values - 1.25, 4);
    EXPECT_FLOAT_EQ(shifted.scale, 0.25F);
    EXPECT_EQ(shifted.zeroPoint, 5);
}

TEST(RangeSearch, FindsTheBestOfTheEighty) {
    torch::manual_seed(2);
    for (const int bits : {2, 3, 4, 8}) {
        for (const bool positive : {true, false}) {
            Tensor values = torch::randn({50000});
            if (positive) values = values.clamp_min(0);
            const float low = values.min().item<float>();
            const float high = values.max().item<float>();
            double least = std::numeric_limits<double>::infinity();
            for (int i = 0; i < 80; ++i) {
                const float share = 1 - 0.01F * static_cast<float>(i);
                least = std::min(least, errorOf(values, roundingBetween(share * low, share * high, bits)));
            }
            const QuantizedActivation best = searched(values, bits);
            EXPECT_LE(errorOf(values, best), 1.01 * least) << bits << " bits";
            EXPECT_EQ(best.zeroPoint == 0, positive);
            if (bits <= 4) {
                EXPECT_LT(best.scale, roundingBetween(low, high, bits).scale) << "the tail is clipped";
            }
        }
    }
}

TEST(RangeSearch, AnActivationOfZerosHasARange) {
    const QuantizedActivation rounding = searched(torch::zeros({100}), 8);
    EXPECT_FLOAT_EQ(rounding.scale, 1.0F / 255);
    EXPECT_EQ(rounding.zeroPoint, 0);
    EXPECT_GE(searched(torch::full({10}, 1e-12F), 8).scale, kLeastScale);
}

TEST(RangeSearch, NotFiniteIsSeen) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> values(3000, 0.5F);
        values[2500] = bad;
        ValueExtent extent;
        extent.add(values);
        EXPECT_FALSE(extent.finite);
    }
}

TEST(RangeSearch, LsqStartsAtTwiceTheMeanOverTheRoot) {
    ValueExtent extent;
    extent.add(std::vector<float>{0, 1, 2, 5});
    EXPECT_FLOAT_EQ(lsqStart(extent, 4).scale, static_cast<float>(2 * 2 / std::sqrt(15.0)));
    EXPECT_EQ(lsqStart(extent, 4).zeroPoint, 0);
    extent.add(std::vector<float>{-5});
    EXPECT_FLOAT_EQ(lsqStart(extent, 4).scale, 10.0F / 15);
    EXPECT_GT(lsqStart(ValueExtent(), 4).scale, 0);
}

TEST(ActivationRounding, IsItsFormula) {
    torch::manual_seed(3);
    for (const auto memory : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
        for (const int bits : {2, 3, 4, 8}) {
            for (const int zero : {0, 1, (1 << bits) - 1}) {
                const QuantizedActivation rounding{bits, 0.25F, zero};
                const Tensor x = (3 * torch::randn({3, 5, 7, 2})).contiguous(memory);
                const Tensor computed = roundingFunctions({{"a", rounding}}).at("a")(x);
                EXPECT_TRUE(torch::equal(computed, roundedBy(x, rounding))) << bits << " bits";
                EXPECT_EQ(computed.strides(), x.strides());
                EXPECT_GE(computed.min().item<float>(), rounding.low());
                EXPECT_LE(computed.max().item<float>(), rounding.high());
            }
        }
    }
}

TEST(ActivationRounding, TiesGoToTheEvenNumberAndNaNStays) {
    const Tensor x = torch::tensor({0.5F, 1.5F, 2.5F, -0.5F, 14.5F, 15.5F, 1e30F, -1e30F, std::nanf("")});
    const Tensor y = roundingFunctions({{"a", {4, 1, 0}}}).at("a")(x);
    EXPECT_TRUE(torch::equal(y.slice(0, 0, 8), torch::tensor({0.F, 2.F, 2.F, 0.F, 14.F, 15.F, 15.F, 0.F})));
    EXPECT_TRUE(std::isnan(y[8].item<float>()));
}

/// Autograd of the formula with rounding passed straight through: x^ = s (clamp(x/s + d, -z, Qp - z)), d what
/// rounding adds.
std::vector<Tensor> straightThrough(const Tensor& x, const Tensor& step, const ActivationRounding& rounding,
                                    const Tensor& upstream) {
    const Tensor leaf = x.detach().clone().set_requires_grad(true);
    const Tensor s = step.detach().clone().set_requires_grad(true);
    const Tensor place = leaf / s;
    const Tensor rounded = place + (torch::round(place) - place).detach();
    const Tensor q = torch::clamp(rounded, -rounding.zeroPoint, rounding.highest - rounding.zeroPoint);
    return torch::autograd::grad({s * q}, {leaf, s}, {upstream});
}

TEST(ActivationGradient, MatchesAutogradOfTheFormula) {
    for (const torch::Dtype dtype : {torch::kFloat64, torch::kFloat32}) {
        for (const int bits : {2, 3, 4, 8}) {
            for (const int zero : {0, 1 << (bits - 1)}) {
                torch::manual_seed(4);
                const ActivationRounding rounding{(1 << bits) - 1, zero, 0.37};
                Tensor x = torch::randn({20000}, torch::kFloat64);
                const double s = 2.5 / rounding.highest;
                // Away from ties and from the ends, where one-sided derivatives differ: both dtypes then
                // agree.
                const Tensor place = x / s;
                const Tensor toTie = (place - torch::floor(place) - 0.5).abs();
                const Tensor toEnds =
                    torch::minimum((place + zero).abs(), (place + zero - rounding.highest).abs());
                x = x.masked_select((toTie > 1e-3).logical_and(toEnds > 0.51)).to(dtype);
                x.set_requires_grad(true);
                const Tensor step = torch::full({1}, s, dtype).set_requires_grad(true);
                const Tensor upstream = torch::randn_like(x);
                const auto computed =
                    torch::autograd::grad({roundActivation(x, step, rounding)}, {x, step}, {upstream});
                const auto expected =
                    straightThrough(x.to(torch::kFloat64), torch::full({1}, s, torch::kFloat64), rounding,
                                    upstream.to(torch::kFloat64));
                EXPECT_TRUE(torch::allclose(computed[0].to(torch::kFloat64), expected[0], 1e-13, 0)) << bits;
                const double want = 0.37 * expected[1].item<double>();
                EXPECT_NEAR(computed[1].item<double>(), want,
                            (dtype == torch::kFloat64 ? 1e-11 : 1e-5) * (1 + std::abs(want)))
                    << bits << " bits, zero " << zero;
            }
        }
    }
}

/// Where rounding does not move, x^ of the clipped values is s times a constant: there the derivative is a
/// plain one, and finite differences see it.
TEST(ActivationGradient, OfClippedValuesIsTheSlope) {
    const ActivationRounding rounding{15, 4, 1};
    const Tensor x = torch::tensor({9.0, 12.0, -7.0}, torch::kFloat64);
    const auto sumAt = [&](double s) {
        return roundActivation(x, torch::full({1}, s, torch::kFloat64), rounding).sum().item<double>();
    };
    const Tensor step = torch::full({1}, 0.5, torch::kFloat64).set_requires_grad(true);
    const auto gradient = torch::autograd::grad({roundActivation(x, step, rounding).sum()}, {step});
    EXPECT_NEAR(gradient[0].item<double>(), (sumAt(0.5001) - sumAt(0.4999)) / 0.0002, 1e-9);
    EXPECT_NEAR(gradient[0].item<double>(), 11 + 11 - 4, 1e-12);
}

TEST(ActivationGradient, DependsOnNeitherThreadsNorMemoryOrder) {
    torch::manual_seed(5);
    const Tensor x = torch::randn({8, 16, 16, 16});
    const Tensor upstream = torch::randn_like(x);
    const auto differentiate = [&](const Tensor& values, int threads) {
        const int before = torch::get_num_threads();
        torch::set_num_threads(threads);
        const Tensor leaf = values.detach().clone().set_requires_grad(true);
        const Tensor step = torch::full({1}, 0.1F).set_requires_grad(true);
        auto gradients =
            torch::autograd::grad({roundActivation(leaf, step, {15, 0, 1})}, {leaf, step}, {upstream});
        torch::set_num_threads(before);
        return gradients;
    };
    const auto one = differentiate(x, 1);
    const auto two = differentiate(x, 2);
    EXPECT_TRUE(torch::equal(one[0], two[0]));
    EXPECT_TRUE(torch::equal(one[1], two[1]));
    const auto last = differentiate(x.contiguous(torch::MemoryFormat::ChannelsLast), 1);
    EXPECT_TRUE(torch::equal(one[0], last[0]));
    EXPECT_NEAR(one[1].item<float>(), last[1].item<float>(), 1e-2);
}

class ActivationQuantizersTest : public ::testing::Test {
  protected:
    [[nodiscard]] ActivationQuantizers make(ActivationMethod method) const {
        ActivationOptions options;
        options.method = method;
        options.bits = 4;
        return ActivationQuantizers::make(m_graph, options).value();
    }
    [[nodiscard]] static ActivationMap scales(const ActivationQuantizers& quantizers) {
        ActivationMap map;
        float scale = 0.1F;
        for (const PlannedActivation& planned : quantizers.planned())
            map[planned.node] = {planned.bits, scale += 0.013F, planned.node == "input" ? 100 : 0};
        return map;
    }
    graph::Graph m_graph = graph::zoo::makeModel("resnet20").value();
};

TEST_F(ActivationQuantizersTest, TrainsAllStepsButTheImages) {
    EXPECT_TRUE(make(ActivationMethod::Ptq).steps().empty());
    EXPECT_TRUE(make(ActivationMethod::None).planned().empty());
    const auto steps = make(ActivationMethod::Lsq).steps();
    EXPECT_EQ(steps.size(), 19u);
    for (const ActivationStep& step : steps) {
        EXPECT_NE(step.node, "input");
        EXPECT_TRUE(step.tensor.requires_grad());
    }
}

TEST_F(ActivationQuantizersTest, ComesBackAsItWas) {
    ActivationQuantizers quantizers = make(ActivationMethod::Lsq);
    EXPECT_TRUE(quantizers.state().empty());
    EXPECT_TRUE(quantizers.functions().empty());
    ASSERT_TRUE(quantizers.set(scales(quantizers)).ok());
    {
        const torch::NoGradGuard guard;
        Tensor(quantizers.steps().front().tensor).mul_(1.7);
    }
    ActivationQuantizers other = make(ActivationMethod::Lsq);
    const Tensor before = other.steps().front().tensor;
    ASSERT_TRUE(other.restore(quantizers.state()).ok());
    EXPECT_EQ(other.deployed(), quantizers.deployed());
    EXPECT_TRUE(before.is_same(other.steps().front().tensor)) << "an optimizer holds it";
    ASSERT_TRUE(other.restore({}).ok());
    EXPECT_FALSE(other.ready());

    graph::StateDict bad = quantizers.state();
    bad.erase("relu");
    EXPECT_THAT(other.restore(bad).error().message, HasSubstr("no \"relu\""));
    ActivationMap wrong = scales(quantizers);
    wrong["relu"].scale = 0;
    EXPECT_THAT(other.set(wrong).error().message, HasSubstr("the activation relu"));
    wrong = scales(quantizers);
    wrong["relu"].bits = 5;
    EXPECT_FALSE(other.set(wrong).ok());
}

TEST_F(ActivationQuantizersTest, AStepCannotCollapseAndItsGradientHasLsqsScale) {
    ActivationQuantizers quantizers = make(ActivationMethod::Lsq);
    ASSERT_TRUE(quantizers.set(scales(quantizers)).ok());
    const ActivationStep step = quantizers.steps()[3];  // of 4 bits
    const Tensor x = torch::rand({2, 8, 4, 4});
    const auto gradientOf = [&] {
        return torch::autograd::grad({quantizers.functions().at(step.node)(x).sum()}, {step.tensor})[0]
            .item<double>();
    };
    const Tensor plain = step.tensor.detach().clone().set_requires_grad(true);
    const double unscaled =
        torch::autograd::grad({roundActivation(x, plain, {15, 0, 1}).sum()}, {plain})[0].item<double>();
    EXPECT_NEAR(gradientOf(), unscaled / std::sqrt(8 * 4 * 4 * 15.0), 1e-4);
    {
        const torch::NoGradGuard guard;
        Tensor(step.tensor).fill_(-1);
    }
    (void)gradientOf();
    EXPECT_FLOAT_EQ(step.tensor.item<float>(), kLeastScale);
}

}  // namespace
}  // namespace bitloom::quant
