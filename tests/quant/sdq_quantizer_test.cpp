// SDQ's first phase: samples follow their probability, the bitwidth's gradient is the sampled one, the budget
// is met, a saved state goes on to the bit.
#include "engine/quant/sdq/sdq_quantizer.h"

#include <cmath>
#include <map>

#include <gmock/gmock.h>

#include "engine/graph/graph.h"
#include "engine/quant/sdq/bit_budget.h"
#include "engine/quant/uniform/levels.h"
#include "tests/quant/quantizer_checks.h"

namespace bitloom::quant::sdq {
namespace {

using ::testing::HasSubstr;

TEST(Bitwidth, SamplesFollowTheProbability) {
    const Bitwidth width(5, 42);
    int stays = 0;
    constexpr int kPasses = 20000;
    double slope = 0;
    for (int pass = 0; pass < kPasses; ++pass) {
        const Bitwidth::Sample sample = width.sample(pass);
        stays += sample.stays ? 1 : 0;
        slope += sample.slope / kPasses;
    }
    EXPECT_NEAR(static_cast<double>(stays) / kPasses, width.probability(), 0.015);
    EXPECT_GT(slope, 0.05);
    EXPECT_LE(slope, 0.25);
    EXPECT_EQ(width.sample(3).slope, width.sample(3).slope) << "the same for every layer";
}

TEST(Bitwidth, OneBitIsTheLeast) {
    Bitwidth width(2, 1);
    width.lower();
    EXPECT_EQ(width.bits(), 1);
    EXPECT_FALSE(width.isOpen());
    EXPECT_EQ(width.probability(), 1);
    EXPECT_TRUE(width.sample(7).stays);
    EXPECT_EQ(width.sample(7).slope, 0);
}

TEST(Bitwidth, AdamTakesItsRateAtFirst) {
    Bitwidth width(4, 1);
    width.addGradient(0.125);
    width.addGradient(0.125);
    width.update();
    EXPECT_NEAR(std::log(width.probability() / (1 - width.probability())),
                Bitwidth::kFirstTheta - Bitwidth::kRate, 1e-6);
    EXPECT_EQ(width.lastGradient(), 0.25);
    Bitwidth other(8, 1);
    ASSERT_TRUE(other.restore(width.state()).ok());
    EXPECT_EQ(other.bits(), 4);
    EXPECT_EQ(other.state(), width.state());
    EXPECT_FALSE(other.restore({9, 0, 0, 0, 0, 0, 0}).ok());
}

class SdqQuantizerTest : public ::testing::Test {
  protected:
    SdqQuantizerTest() {
        torch::manual_seed(3);
        m_weight = (0.1 * torch::randn({32, 32})).set_requires_grad(true);
        m_values.assign(m_weight.data_ptr<float>(), m_weight.data_ptr<float>() + m_weight.numel());
    }
    std::unique_ptr<Quantizer> make(int bits) {
        const LayerOptions layer{"sdq", 1 << bits, {}};
        auto made = SdqQuantizer::make({m_weight.sizes().vec(), m_values, m_options, layer, 9});
        EXPECT_TRUE(made.ok());
        return std::move(*made);
    }
    torch::Tensor m_weight;
    std::vector<float> m_values;
    QuantizerOptions m_options;
};

TEST_F(SdqQuantizerTest, EqualAndZeroWeightsAndFewDistinctOnesGoDownToOneBit) {
    const auto expectGoesDown = [&](double largestError) {
        m_values.assign(m_weight.data_ptr<float>(), m_weight.data_ptr<float>() + m_weight.numel());
        const auto quantizer = make(4);
        auto& chooser = dynamic_cast<BitChooser&>(*quantizer);
        while (chooser.width().bits() > 1) {
            EXPECT_TRUE(std::isfinite(chooser.lossOfLowering()));
            chooser.width().lower();
            EXPECT_TRUE(torch::isfinite(quantizer->soft(m_weight)).all().item<bool>());
        }
        const std::vector<float> hard = quantizer->hard(m_weight).dequantize();
        for (std::size_t i = 0; i < hard.size(); ++i)
            ASSERT_NEAR(hard[i], m_values[i], largestError) << "weight " << i;
    };
    m_weight = torch::full({32, 32}, 0.25F);
    expectGoesDown(1e-6);
    m_weight = torch::zeros({32, 32});
    expectGoesDown(2e-6);
    m_weight = torch::where(torch::arange(1024).reshape({32, 32}) % 2 == 0, torch::full({32, 32}, 0.2F),
                            torch::full({32, 32}, -0.2F));
    expectGoesDown(1e-6);
}

TEST_F(SdqQuantizerTest, TheWidthsGradientIsThatOfTheSample) {
    m_options.sdq.errorWeight = 0;
    const auto quantizer = make(3);
    Bitwidth& width = dynamic_cast<BitChooser&>(*quantizer).width();
    const torch::Tensor upstream = torch::randn_like(m_weight);
    const Bitwidth::Sample sample = width.sample(1);
    const torch::Tensor sampled = quantizer->soft(m_weight);
    const torch::Tensor gradient = torch::autograd::grad({sampled}, {m_weight}, {upstream}).front();
    const uniform::Levels<float> upper(3, uniform::fitClip(m_values, 3));
    const uniform::Levels<float> lower(2, uniform::fitClip(m_values, 2));
    const uniform::Levels<float>& used = sample.stays ? upper : lower;
    double product = 0;
    for (std::size_t i = 0; i < m_values.size(); ++i) {
        const float up = upstream.data_ptr<float>()[i];
        EXPECT_EQ(sampled.data_ptr<float>()[i], used.nearest(m_values[i]));
        EXPECT_EQ(gradient.data_ptr<float>()[i], std::abs(m_values[i]) <= used.clip() ? up : 0.0F);
        product += static_cast<double>(up) *
                   (static_cast<double>(upper.nearest(m_values[i])) - lower.nearest(m_values[i]));
    }
    width.update();
    EXPECT_NEAR(width.lastGradient(), product * sample.slope, 1e-9 + 1e-9 * std::abs(product));
}

TEST_F(SdqQuantizerTest, ScoringSamplesNothing) {
    const auto quantizer = make(4);
    const torch::NoGradGuard guard;
    const std::vector<float> hard = quantizer->hard(m_weight).dequantize();
    for (int i = 0; i < 20; ++i)
        EXPECT_TRUE(torch::equal(quantizer->soft(m_weight).reshape(-1), torch::tensor(hard)));
}

TEST_F(SdqQuantizerTest, ASnapshotShowsTheChoice) {
    const auto quantizer = make(2);
    Bitwidth& width = dynamic_cast<BitChooser&>(*quantizer).width();
    width.addGradient(-0.5);
    width.update();
    const report::LayerSnapshot open = quantizer->snapshot(m_weight);
    EXPECT_EQ(open.bits, 2);
    EXPECT_EQ(open.choice.probability, width.probability());
    EXPECT_EQ(open.choice.gradient, -0.5);
    EXPECT_TRUE(open.choice.open);
    width.lower();
    const report::LayerSnapshot least = quantizer->snapshot(m_weight);
    EXPECT_EQ(least.bits, 1);
    EXPECT_EQ(least.choice.probability, 1);
    EXPECT_FALSE(least.choice.open);
    EXPECT_TRUE(least.choice.isLearned());
}

TEST_F(SdqQuantizerTest, ASavedStateGoesOnToTheBit) {
    const auto quantizer = make(3);
    for (int i = 0; i < 30; ++i)
        quantizer->soft(m_weight).sum().backward();
    const auto other = make(8);
    ASSERT_TRUE(other->restore(quantizer->state()).ok());
    const auto& chooser = dynamic_cast<BitChooser&>(*quantizer);
    EXPECT_EQ(dynamic_cast<BitChooser&>(*other).lossOfLowering(), chooser.lossOfLowering());
    for (int i = 0; i < 30; ++i)
        ASSERT_TRUE(torch::equal(quantizer->soft(m_weight), other->soft(m_weight))) << i;
    expectEntriesChecked(*other, {"width", "sensitivity"});
}

TEST_F(SdqQuantizerTest, ClipsFollowTheWeightsEveryTwentyFivePasses) {
    const auto quantizer = make(4);
    const auto greatest = [&](float factor) {
        return quantizer->soft(factor * m_weight.detach()).abs().max().item<double>();
    };
    const double first = std::max(greatest(1), greatest(1));
    for (int pass = 3; pass <= 25; ++pass)
        EXPECT_LE(greatest(3), first * 1.3) << pass << ": clipped where the small weights ended";
    double later = 0;
    for (int pass = 26; pass <= 50; ++pass)
        later = std::max(later, greatest(3));
    EXPECT_NEAR(later / first, 3, 1);
}

TEST(WidthErrors, TheRegularisersGradientIsThatOfTheExpectedError) {
    const WidthErrors errors{4, 0.01, 0.07};
    constexpr double kWeight = 0.3;
    const auto expected = [&](double theta) {
        const double beta = 1 / (1 + std::exp(-theta));
        return kWeight * (beta * errors.upper + (1 - beta) * errors.lower);
    };
    Bitwidth width(4, 1);
    errors.addGradient(kWeight, width);
    width.update();
    constexpr double kStep = 1e-5;
    const double slope =
        (expected(Bitwidth::kFirstTheta + kStep) - expected(Bitwidth::kFirstTheta - kStep)) / (2 * kStep);
    EXPECT_LT(slope, 0) << "more bits, less error";
    EXPECT_NEAR(width.lastGradient(), slope, 1e-9);
}

class BitBudgetTest : public ::testing::Test {
  protected:
    BitBudgetTest() {
        const auto conv = [](int in, int out) {
            return graph::Conv2d{.inChannels = in, .outChannels = out, .kernel = {3, 3}, .padding = {1, 1}};
        };
        auto last = m_graph.add("input", graph::Input{{4, 8, 8}});
        last = m_graph.add("stem", conv(4, 8), {last});
        last = m_graph.add("layer1.0.conv1", conv(8, 8), {last});
        last = m_graph.add("layer1.0.conv2", conv(8, 16), {last});
        m_graph.add("layer1.1.conv1", conv(16, 16), {last});
        m_options.layer = {"sdq", 256, {}};
        for (const graph::ParameterSpec& parameter : m_graph.parameters()) {
            std::vector<float> values(static_cast<std::size_t>(graph::elementCount(parameter.shape)));
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = std::sin(static_cast<float>(3 * i + 1));
            m_state[parameter.name] = graph::Tensor::fromFloats(parameter.shape, values);
        }
    }
    /// Makes quantizers and their budget.
    Status make() {
        BITLOOM_ASSIGN_OR_RETURN(m_quantizers, makeQuantizers(m_graph, m_state, m_options, 1));
        BITLOOM_ASSIGN_OR_RETURN(m_hooks, makeStepHooks(m_graph, m_options, m_quantizers));
        return {};
    }
    [[nodiscard]] BitBudget& budget() { return dynamic_cast<BitBudget&>(*m_hooks.front()); }
    [[nodiscard]] Bitwidth& widthOf(const char* node) {
        return dynamic_cast<BitChooser&>(*m_quantizers.find(node)->second).width();
    }
    void setTheta(const char* node, double theta) {
        std::vector<double> state = widthOf(node).state();
        state[1] = theta;
        ASSERT_TRUE(widthOf(node).restore(state).ok());
    }
    /// Trains nothing but the widths; the task's gradient is the same for all weights of a layer, 0 unless
    /// m_gradients says otherwise.
    void run(std::int64_t steps) { run(1, steps, steps); }
    void run(std::int64_t first, std::int64_t last, std::int64_t steps) {
        for (std::int64_t step = first; step <= last; ++step) {
            for (auto& [node, quantizer] : m_quantizers) {
                const torch::Tensor weight = torch::tensor(m_state[node + ".weight"].toFloats())
                                                 .reshape(m_state[node + ".weight"].shape)
                                                 .set_requires_grad(true);
                (quantizer->soft(weight) * m_gradients[node]).sum().backward();
            }
            budget().afterBackward(step, steps);
        }
    }

    graph::Graph m_graph{"net"};
    graph::StateDict m_state;
    QuantizerOptions m_options;
    std::map<std::string, double> m_gradients;
    QuantizerMap m_quantizers;
    std::vector<std::unique_ptr<StepHook>> m_hooks;
};

TEST_F(BitBudgetTest, IsMetByTheEndAndNotUndercutByMoreThanAStep) {
    for (const double target : {1.0, 2.0, 3.5, 8.0}) {
        m_options.sdq.target = target;
        ASSERT_TRUE(make().ok());
        EXPECT_EQ(budget().meanBits(), 8);
        run(300);
        EXPECT_LE(budget().meanBits(), target + 1e-9);
        EXPECT_GT(budget().meanBits(), target - 1) << "no step but the last went below";
    }
}

TEST_F(BitBudgetTest, AWidthBelowThreeTenthsGoesDownWhileTheMeanIsAbove) {
    m_options.sdq.errorWeight = m_options.sdq.budgetWeight = 0;
    ASSERT_TRUE(make().ok());
    setTheta("layer1.0.conv2", std::log(0.31 / 0.69));
    budget().afterBackward(1, 100);
    EXPECT_EQ(budget().meanBits(), 8);
    setTheta("layer1.0.conv2", std::log(0.29 / 0.71));
    budget().afterBackward(2, 100);
    EXPECT_EQ(widthOf("layer1.0.conv2").bits(), 7);
    EXPECT_EQ(widthOf("layer1.0.conv1").bits(), 8);
    EXPECT_EQ(widthOf("layer1.1.conv1").bits(), 8);
}

TEST_F(BitBudgetTest, ItsRegulariserPullsByTheShareOfTheWeights) {
    m_options.sdq.errorWeight = 0;
    ASSERT_TRUE(make().ok());
    const double beta = widthOf("layer1.1.conv1").probability();
    budget().afterBackward(1, 100);
    const double weights = 8 * 8 * 9 + 8 * 16 * 9 + 16 * 16 * 9;
    EXPECT_NEAR(widthOf("layer1.1.conv1").lastGradient(), 0.3 * 16 * 16 * 9 / weights * beta * (1 - beta),
                1e-12);
    m_options.sdq.target = 7.9;  // above what is expected with beta = 0.73
    ASSERT_TRUE(make().ok());
    budget().afterBackward(1, 100);
    EXPECT_EQ(widthOf("layer1.1.conv1").lastGradient(), 0);
}

TEST_F(BitBudgetTest, NothingMoreIsTakenWhereALayerMeetsTheTargetToTheBit) {
    m_options.sdq.errorWeight = m_options.sdq.budgetWeight = 0;
    const double weights = 8 * 8 * 9 + 8 * 16 * 9 + 16 * 16 * 9;
    m_options.sdq.target = 8 - 8 * 16 * 9 / weights;
    ASSERT_TRUE(make().ok());
    setTheta("layer1.0.conv2", -2);
    budget().afterBackward(100, 100);
    EXPECT_NEAR(budget().meanBits(), m_options.sdq.target, 1e-9);
    EXPECT_EQ(widthOf("layer1.0.conv2").bits(), 7);
}

TEST_F(BitBudgetTest, ExpectsWhatAWidthThatMayGoDownTakes) {
    ASSERT_TRUE(make().ok());
    // All start at 8 bits and stay with the same probability, so whatever the costs are, their mean does too.
    const double stays = widthOf("layer1.0.conv1").probability();
    EXPECT_NEAR(budget().expectedBits(), 7 + stays, 1e-12);
    widthOf("layer1.1.conv1").lower();
    const double weights = 8 * 8 * 9 + 8 * 16 * 9 + 16 * 16 * 9;
    EXPECT_NEAR(budget().meanBits(), 8 - 16 * 16 * 9 / weights, 1e-12);
    EXPECT_NEAR(budget().expectedBits(), 7 + stays - 16 * 16 * 9 / weights, 1e-12);
}

/// All layers have weights of one kind. The large one's bit is the cheapest for what it saves, and saves
/// twice what is missing.
TEST_F(BitBudgetTest, TheLastBitIsOfALayerThatIsLargeEnoughAndNoLarger) {
    const double weights = 8 * 8 * 9 + 8 * 16 * 9 + 16 * 16 * 9;
    m_options.sdq.target = 8 - 8 * 8 * 9 / weights;
    for (const double errorWeight : {0.0, 1e3}) {  // going down by itself, or not
        m_options.sdq.errorWeight = errorWeight;
        ASSERT_TRUE(make().ok());
        run(100);
        EXPECT_EQ(widthOf("layer1.0.conv1").bits(), 7) << errorWeight;
        EXPECT_EQ(widthOf("layer1.0.conv2").bits(), 8) << errorWeight;
        EXPECT_EQ(widthOf("layer1.1.conv1").bits(), 8) << errorWeight;
    }
}

/// By size and by relative error the large layer would be first.
TEST_F(BitBudgetTest, BitsAreTakenWhereTheLossFeelsItLeast) {
    const double weights = 8 * 8 * 9 + 8 * 16 * 9 + 16 * 16 * 9;
    m_options.sdq.target = 8 - 2 * (8 * 8 * 9 + 8 * 16 * 9) / weights;
    m_options.sdq.errorWeight = 1e3;  // nothing goes down by itself
    m_gradients = {{"layer1.0.conv1", 1e-3}, {"layer1.0.conv2", 1e-3}, {"layer1.1.conv1", 0.1}};
    ASSERT_TRUE(make().ok());
    run(100);
    EXPECT_EQ(widthOf("layer1.0.conv1").bits(), 6);
    EXPECT_EQ(widthOf("layer1.0.conv2").bits(), 6);
    EXPECT_EQ(widthOf("layer1.1.conv1").bits(), 8);
}

TEST(Sensitivity, IsTheMeanOfTheLastHundredPasses) {
    const torch::Tensor weight = torch::tensor({3.0F, 4.0F});
    Sensitivity sensitivity;
    EXPECT_EQ(sensitivity.value(), 1) << "nothing known";
    sensitivity.add(weight, torch::tensor({1.0F, 1.0F}));
    EXPECT_NEAR(sensitivity.value(), 25.0 * 2 / 2, 1e-5);
    sensitivity.add(weight, torch::tensor({2.0F, 2.0F}));
    EXPECT_NEAR(sensitivity.value(), 25 * (1 + 4) / 2.0, 1e-5);
    const Sensitivity saved(sensitivity.value(), sensitivity.passes());
    EXPECT_EQ(saved.value(), sensitivity.value());
    for (int i = 0; i < 1000; ++i)
        sensitivity.add(weight, torch::tensor({0.0F, 0.0F}));
    EXPECT_LT(sensitivity.value(), 0.1) << "the past fades";
}

TEST_F(BitBudgetTest, LeavesTheEndsOut) {
    m_options.firstLastBits = 8;
    m_options.sdq.target = 3;
    ASSERT_TRUE(make().ok());
    ASSERT_TRUE(m_quantizers.contains("stem"));
    EXPECT_EQ(budget().meanBits(), 8);
    run(300);
    EXPECT_LE(budget().meanBits(), 3 + 1e-9);
    EXPECT_GT(budget().meanBits(), 2);
    const QuantizedTensor stem = m_quantizers.find("stem")->second->hard(
        torch::tensor(m_state["stem.weight"].toFloats()).reshape({8, 4, 3, 3}));
    EXPECT_EQ(stem.components, 256) << "it keeps its bits";
}

TEST_F(BitBudgetTest, TheClosingTakesTheCheapestBitsOneAfterTheOther) {
    m_options.sdq.target = 2.6;
    m_options.sdq.errorWeight = 1e3;  // nothing goes down by itself
    m_options.sdq.budgetWeight = 0;
    // |G| is the same for all layers, as their relative errors are: so is what a bit adds to the loss.
    m_gradients = {
        {"layer1.0.conv1", 1e-3 / 24}, {"layer1.0.conv2", 1e-3 / 33.94}, {"layer1.1.conv1", 1e-3 / 48}};
    ASSERT_TRUE(make().ok());
    run(1, 80, 100);
    EXPECT_EQ(budget().meanBits(), 8);
    run(81, 92, 100);
    EXPECT_LT(budget().meanBits(), 8) << "not all at the last step";
    EXPECT_GT(budget().meanBits(), 2.6);
    run(93, 100, 100);
    EXPECT_LE(budget().meanBits(), 2.6);
    // For each weight a bit of the largest costs a fourth of one of the smallest, and one bit less is what
    // makes it as dear.
    const int small = widthOf("layer1.0.conv1").bits();
    const int large = widthOf("layer1.1.conv1").bits();
    EXPECT_LE(large, 3);
    EXPECT_GE(small, large + 1);
    EXPECT_LE(small, large + 2);
}

TEST_F(BitBudgetTest, CountsBytesAndBitOperations) {
    const double weights = 8 * 8 * 9 + 8 * 16 * 9 + 16 * 16 * 9;
    m_options.sdq.budget = BitBudgetKind::Bytes;
    m_options.sdq.target = weights * 3 / 8;
    ASSERT_TRUE(make().ok());
    run(300);
    double bytes = 0;
    for (const auto& [node, quantizer] : m_quantizers)
        bytes += static_cast<double>(m_state[node + ".weight"].count()) * widthOf(node.c_str()).bits() / 8;
    EXPECT_LE(bytes, m_options.sdq.target);
    EXPECT_GT(bytes, m_options.sdq.target / 2);
}

TEST_F(BitBudgetTest, CountsBitOperationsByMultiplications) {
    // The same weights with a quarter of the pixels: its bits are the dear ones by weights, the cheap ones by
    // multiply-adds.
    m_graph = graph::Graph("net");
    const auto conv = [](int in, int out, int stride) {
        return graph::Conv2d{.inChannels = in,
                             .outChannels = out,
                             .kernel = {3, 3},
                             .stride = {stride, stride},
                             .padding = {1, 1}};
    };
    auto last = m_graph.add("input", graph::Input{{4, 8, 8}});
    last = m_graph.add("stem", conv(4, 8, 1), {last});
    last = m_graph.add("layer1.0.conv1", conv(8, 8, 1), {last});
    last = m_graph.add("layer1.0.conv2", conv(8, 16, 2), {last});
    m_graph.add("layer1.1.conv1", conv(16, 16, 1), {last});
    const std::map<std::string, double, std::less<>> macs = {{"layer1.0.conv1", 8. * 8 * 9 * 64},
                                                             {"layer1.0.conv2", 8. * 16 * 9 * 16},
                                                             {"layer1.1.conv1", 16. * 16 * 9 * 16}};
    double all = 0;
    for (const auto& [node, count] : macs)
        all += count;
    m_options.sdq.budget = BitBudgetKind::BitOps;
    const auto operations = [&] {
        double sum = 0;
        for (const auto& [node, count] : macs)
            sum += count * widthOf(node.c_str()).bits() * 32;
        return sum;
    };
    for (const double bits : {1.0, 2.5, 4.0}) {
        m_options.sdq.target = all * bits * 32;
        ASSERT_TRUE(make().ok());
        run(300);
        EXPECT_LE(operations(), m_options.sdq.target * (1 + 1e-9)) << bits;
        EXPECT_GT(operations(), m_options.sdq.target - all * 32) << bits;
        EXPECT_NEAR(budget().meanBits(), operations() / (32 * all), 1e-9);
    }
    m_options.sdq.target = all * 8 * 32;
    ASSERT_TRUE(make().ok());
    run(100);
    EXPECT_EQ(budget().meanBits(), 8) << "nothing has to go";
    m_options.sdq.target = all * 0.99 * 32;
    const Status below = make();
    ASSERT_FALSE(below.ok());
    EXPECT_EQ(below.error().kind, ErrorKind::Usage);
    EXPECT_THAT(below.error().message, HasSubstr(fmt::format("{:.6g} bit operations", all * 32)));
}

TEST_F(BitBudgetTest, LayersOfABlockMayShareAWidth) {
    m_options.sdq.perBlock = true;
    ASSERT_TRUE(make().ok());
    EXPECT_EQ(&widthOf("layer1.0.conv1"), &widthOf("layer1.0.conv2"));
    EXPECT_NE(&widthOf("layer1.0.conv1"), &widthOf("layer1.1.conv1"));
    run(300);
    EXPECT_LE(budget().meanBits(), 2);
    EXPECT_EQ(m_quantizers.find("layer1.0.conv1")->second->hard(torch::ones({8, 8, 3, 3})).components,
              1 << widthOf("layer1.0.conv2").bits());
}

TEST_F(BitBudgetTest, LayersOfABlockStartAtTheSameBits) {
    m_options.sdq.perBlock = true;
    m_options.layers["layer1.0.conv2"] = {"sdq", 4, {}};
    const Status differ = make();
    ASSERT_FALSE(differ.ok());
    EXPECT_EQ(differ.error().kind, ErrorKind::Usage);
    EXPECT_THAT(differ.error().message, HasSubstr("layer1.0.conv2 starts at 2 bits"));
    m_options.layers["layer1.0.conv1"] = {"sdq", 4, {}};
    EXPECT_TRUE(make().ok());
}

TEST_F(BitBudgetTest, ABudgetBelowOneBitIsRefused) {
    m_options.sdq.target = 0.9;
    const Status below = make();
    ASSERT_FALSE(below.ok());
    EXPECT_EQ(below.error().kind, ErrorKind::Usage);
    EXPECT_THAT(below.error().message, HasSubstr("one bit a weight is the least"));
    m_options.sdq.budget = BitBudgetKind::Bytes;
    m_options.sdq.target = 100;
    const Status bytes = make();
    ASSERT_FALSE(bytes.ok()) << budget().meanBits() << " " << budget().expectedBits();
    EXPECT_THAT(bytes.error().message, HasSubstr("bytes"));
}

TEST_F(BitBudgetTest, OtherMethodsHaveNone) {
    m_options.layer = {"uniform", 4, {}};
    ASSERT_TRUE(make().ok());
    EXPECT_TRUE(m_hooks.empty());
    m_options.layer = {"uniform", 5, {}};
    EXPECT_THAT(make().error().message, HasSubstr("2^bits levels"));
    m_options.layer = {"sdq", 4, {1.0, 2.0, 3.0, 4.0}};
    EXPECT_THAT(make().error().message, HasSubstr("equally spaced"));
}

}  // namespace
}  // namespace bitloom::quant::sdq
