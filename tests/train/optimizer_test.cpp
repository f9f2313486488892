// Our SGD against torch::optim::SGD, and its saved state.
#include "engine/train/optimizer.h"

#include <gtest/gtest.h>
#include <torch/optim/sgd.h>

namespace bitloom::train {
namespace {

struct SgdCase {
    double momentum;
    double decay;
    bool nesterov;
};

torch::Tensor leaf(const torch::Tensor& values) {
    return values.detach().clone().set_requires_grad(true);
}

/// A loss with its own gradient for each element and each step.
torch::Tensor lossOf(const torch::Tensor& tensor, int step) {
    return (tensor.pow(2) * (0.5 + 0.1 * step) + tensor * 0.3).sum();
}

double largestDifference(const torch::Tensor& a, const torch::Tensor& b) {
    return (a - b).abs().max().item<double>();
}

class SgdAgainstTorch : public ::testing::TestWithParam<SgdCase> {};

TEST_P(SgdAgainstTorch, TwentyStepsAgree) {
    const auto [momentum, decay, nesterov] = GetParam();
    torch::manual_seed(3);
    const torch::Tensor start = torch::randn({8, 5, 3, 3});
    torch::Tensor ours = leaf(start);
    torch::Tensor oursChannelsLast = leaf(start.contiguous(torch::MemoryFormat::ChannelsLast));
    torch::Tensor theirs = leaf(start);
    Sgd sgd({{"full", 0.05, decay, {{"a", ours}, {"b", oursChannelsLast}}}}, nesterov);
    torch::optim::SGD reference(
        {theirs}, torch::optim::SGDOptions(0.05).momentum(momentum).weight_decay(decay).nesterov(nesterov));
    for (int step = 0; step < 20; ++step) {
        const double factor = 1.0 / (1 + step);
        sgd.clearGradients();
        lossOf(ours, step).backward();
        lossOf(oursChannelsLast, step).backward();
        sgd.step(factor, momentum);
        reference.zero_grad();
        lossOf(theirs, step).backward();
        static_cast<torch::optim::SGDOptions&>(reference.param_groups()[0].options()).lr(0.05 * factor);
        reference.step();
    }
    // torch fuses multiplications with additions where the processor can, so the last place may differ.
    const double tolerance = 1e-7 * start.abs().max().item<double>();
    EXPECT_LE(largestDifference(ours, theirs), tolerance);
    EXPECT_LE(largestDifference(oursChannelsLast, theirs), tolerance);
    EXPECT_GT(largestDifference(ours, start), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Settings, SgdAgainstTorch,
                         ::testing::Values(SgdCase{0, 0, false}, SgdCase{0.9, 0, false},
                                           SgdCase{0.9, 5e-4, false}, SgdCase{0.9, 5e-4, true},
                                           SgdCase{0, 5e-4, false}));

TEST(Sgd, LargeTensorsAndDoublePrecisionAgreeToo) {
    torch::manual_seed(4);
    const torch::Tensor start = torch::randn({100003});  // several threads' shares
    torch::Tensor single = leaf(start);
    torch::Tensor precise = leaf(start.to(torch::kFloat64));
    Sgd sgd({{"full", 0.1, 1e-3, {{"single", single}, {"precise", precise}}}}, true);
    for (int step = 0; step < 5; ++step) {
        sgd.clearGradients();
        lossOf(single, step).backward();
        lossOf(precise, step).backward();
        sgd.step(1, 0.9);
    }
    EXPECT_LE(largestDifference(single, precise), 2e-6);
}

TEST(Sgd, TensorsWithoutGradientStay) {
    torch::Tensor trained = leaf(torch::ones({4}));
    torch::Tensor idle = leaf(torch::ones({4}));
    Sgd sgd({{"full", 0.1, 0.5, {{"trained", trained}, {"idle", idle}}}}, false);
    lossOf(trained, 0).backward();
    sgd.step(1, 0.9);
    EXPECT_GT(largestDifference(trained, torch::ones({4})), 0);
    EXPECT_EQ(largestDifference(idle, torch::ones({4})), 0);
}

TEST(Sgd, RestoredMomentumContinuesBitExactly) {
    torch::Tensor first = leaf(torch::linspace(-1, 1, 60).reshape({4, 5, 3}));
    Sgd sgd({{"full", 0.05, 1e-3, {{"w", first}}}}, false);
    const auto stepOnce = [](Sgd& optimizer, const torch::Tensor& tensor, int step) {
        optimizer.clearGradients();
        lossOf(tensor, step).backward();
        optimizer.step(1, 0.9);
    };
    stepOnce(sgd, first, 0);
    stepOnce(sgd, first, 1);
    torch::Tensor second = leaf(first);
    Sgd resumed({{"full", 0.05, 1e-3, {{"w", second}}}}, false);
    ASSERT_TRUE(resumed.restore(sgd.state()).ok());
    stepOnce(sgd, first, 2);
    stepOnce(resumed, second, 2);
    EXPECT_TRUE(torch::equal(first, second));
}

TEST(Sgd, RestoreNamesWhatDoesNotFit) {
    torch::Tensor tensor = leaf(torch::ones({4}));
    Sgd sgd({{"full", 0.1, 0, {{"conv1.weight", tensor}}}}, false);
    const Status missing = sgd.restore({});
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find("full/conv1.weight"), std::string::npos);
    const Status reshaped = sgd.restore({{"full/conv1.weight", graph::Tensor::fromFloats({2}, {1, 2})}});
    ASSERT_FALSE(reshaped.ok());
    EXPECT_NE(reshaped.error().message.find("[2]"), std::string::npos);
}

}  // namespace
}  // namespace bitloom::train
