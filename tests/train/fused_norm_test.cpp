// The fused batch norm against libtorch's operations in double precision, over channel counts, row counts
// around block and chunk sizes, memory formats and thread counts.
#include "engine/train/fused_norm.h"

#include <bit>
#include <cmath>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace bitloom::train {
namespace {

using torch::Tensor;

struct NormCase {
    std::vector<std::int64_t> shape;
    bool training;
    bool residual;
};

std::string nameOf(const NormCase& test) {
    std::string name;
    for (const std::int64_t extent : test.shape)
        name += std::to_string(extent) + "x";
    return name + (test.training ? "training" : "evaluation") + (test.residual ? "Residual" : "");
}

void PrintTo(const NormCase& test, std::ostream* stream) {
    *stream << nameOf(test);
}

std::vector<NormCase> allCases() {
    std::vector<NormCase> cases;
    // 2, 63, 65 and 4,100 rows: fewer and more than a block of 64, and than a chunk of 2,048 at 16 channels.
    for (const auto& shape : std::vector<std::vector<std::int64_t>>{
             {2, 16, 1, 1}, {7, 48, 3, 3}, {5, 32, 1, 13}, {41, 16, 10, 10}, {3, 5, 4, 4}}) {
        for (const bool training : {true, false}) {
            for (const bool residual : {true, false})
                cases.push_back({shape, training, residual});
        }
    }
    return cases;
}

/// Random inputs of a case; `Leaves` of one precision.
struct Leaves {
    Tensor x;
    Tensor residual;
    NormTensors norm;

    static Leaves random(const NormCase& test) {
        torch::manual_seed(17);
        const std::int64_t channels = test.shape[1];
        Leaves leaves;
        leaves.x = torch::randn(test.shape) * 2 + torch::randn({1, channels, 1, 1});
        if (test.residual) leaves.residual = torch::randn(test.shape);
        leaves.norm = {torch::randn({channels}), torch::randn({channels}), torch::randn({channels}),
                       torch::rand({channels}) + 0.5};
        leaves.requireGradients();
        return leaves;
    }
    [[nodiscard]] Leaves wide() const {
        const auto convert = [](const Tensor& tensor) {
            return tensor.defined() ? tensor.detach().to(torch::kFloat64, false, /*copy=*/true) : tensor;
        };
        Leaves leaves{
            convert(x),
            convert(residual),
            {convert(norm.weight), convert(norm.bias), convert(norm.runningMean), convert(norm.runningVar)}};
        leaves.requireGradients();
        return leaves;
    }
    void requireGradients() {
        x.requires_grad_();
        if (residual.defined()) residual.requires_grad_();
        norm.weight.requires_grad_();
        norm.bias.requires_grad_();
    }
};

void expectClose(const Tensor& value, const Tensor& expected, const char* what) {
    ASSERT_TRUE(value.defined()) << what;
    EXPECT_TRUE(torch::allclose(value.detach().to(torch::kFloat64), expected.detach(), 1e-4, 2e-5)) << what;
}

class FusedNorm : public ::testing::TestWithParam<NormCase> {};

TEST_P(FusedNorm, MatchesSeparateOperations) {
    const NormCase& test = GetParam();
    const Leaves leaves = Leaves::random(test);
    const Leaves wide = leaves.wide();
    const Tensor y = batchNormRelu(leaves.x, leaves.residual, leaves.norm, {test.training, 0.3, 1e-3});
    Tensor expected = torch::batch_norm(wide.x, wide.norm.weight, wide.norm.bias, wide.norm.runningMean,
                                        wide.norm.runningVar, test.training, 0.3, 1e-3, false);
    if (test.residual) expected = expected + wide.residual;
    expected = torch::relu(expected);
    expectClose(y, expected, "output");
    expectClose(leaves.norm.runningMean, wide.norm.runningMean, "running mean");
    expectClose(leaves.norm.runningVar, wide.norm.runningVar, "running variance");
    const Tensor gradient = torch::randn(test.shape);
    y.backward(gradient);
    expected.backward(gradient.to(torch::kFloat64));
    expectClose(leaves.x.grad(), wide.x.grad(), "x");
    expectClose(leaves.norm.weight.grad(), wide.norm.weight.grad(), "weight");
    expectClose(leaves.norm.bias.grad(), wide.norm.bias.grad(), "bias");
    if (test.residual) expectClose(leaves.residual.grad(), wide.residual.grad(), "residual");
}

/// Stored in bfloat16 only what is written is rounded, by 2^-8 of itself at most: sums are as exact as ever.
TEST_P(FusedNorm, RoundsToBFloat16OnlyWhatItStores) {
    const NormCase& test = GetParam();
    Leaves leaves = Leaves::random(test);
    const auto rounded = [](const Tensor& tensor) {
        return tensor.detach().to(torch::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
    };
    leaves.x = rounded(leaves.x);
    if (test.residual) leaves.residual = rounded(leaves.residual);
    leaves.requireGradients();
    const Leaves wide = leaves.wide();
    const Tensor y = batchNormRelu(leaves.x, leaves.residual, leaves.norm, {test.training, 0.3, 1e-3});
    ASSERT_EQ(y.scalar_type(), torch::kBFloat16);
    Tensor expected = torch::batch_norm(wide.x, wide.norm.weight, wide.norm.bias, wide.norm.runningMean,
                                        wide.norm.runningVar, test.training, 0.3, 1e-3, false);
    if (test.residual) expected = expected + wide.residual;
    expected = torch::relu(expected);
    const auto expectRounded = [](const Tensor& value, const Tensor& exact, const char* what) {
        ASSERT_EQ(value.scalar_type(), torch::kBFloat16) << what;
        EXPECT_TRUE(torch::allclose(value.detach().to(torch::kFloat64), exact.detach(), 1.0 / 256, 5e-5))
            << what;
    };
    expectRounded(y, expected, "output");
    expectClose(leaves.norm.runningMean, wide.norm.runningMean, "running mean");
    expectClose(leaves.norm.runningVar, wide.norm.runningVar, "running variance");
    if (test.shape[1] % 16 != 0) return;  // libtorch's operations, which round in between
    const Tensor gradient = rounded(torch::randn(test.shape));
    y.backward(gradient);
    expected.backward(gradient.to(torch::kFloat64));
    expectClose(leaves.norm.weight.grad(), wide.norm.weight.grad(), "weight");
    expectClose(leaves.norm.bias.grad(), wide.norm.bias.grad(), "bias");
    expectRounded(leaves.x.grad(), wide.x.grad(), "x");
    if (test.residual) expectRounded(leaves.residual.grad(), wide.residual.grad(), "residual");
}

INSTANTIATE_TEST_SUITE_P(Shapes, FusedNorm, ::testing::ValuesIn(allCases()),
                         [](const auto& test) { return nameOf(test.param); });

const NormCase kLarge{{41, 16, 10, 10}, true, true};

TEST(FusedNormProperties, DoNotDependOnTheMemoryFormat) {
    const Leaves rowMajor = Leaves::random(kLarge);
    Leaves channelsLast = Leaves::random(kLarge);
    channelsLast.x = channelsLast.x.detach().contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
    const Tensor a = batchNormRelu(rowMajor.x, rowMajor.residual, rowMajor.norm, {.training = true});
    const Tensor b =
        batchNormRelu(channelsLast.x, channelsLast.residual, channelsLast.norm, {.training = true});
    EXPECT_TRUE(torch::equal(a, b));
    EXPECT_TRUE(b.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(FusedNormProperties, DoNotDependOnTheThreadCount) {
    const int before = at::get_num_threads();
    std::vector<Leaves> runs;
    std::vector<Tensor> outputs;
    for (const int threads : {1, 2, 3}) {
        at::set_num_threads(threads);
        runs.push_back(Leaves::random(kLarge));
        outputs.push_back(
            batchNormRelu(runs.back().x, runs.back().residual, runs.back().norm, {.training = true}));
        outputs.back().square().sum().backward();
    }
    at::set_num_threads(before);
    for (std::size_t i = 1; i < runs.size(); ++i) {
        EXPECT_TRUE(torch::equal(outputs[i], outputs[0]));
        EXPECT_TRUE(torch::equal(runs[i].x.grad(), runs[0].x.grad()));
        EXPECT_TRUE(torch::equal(runs[i].norm.weight.grad(), runs[0].norm.weight.grad()));
        EXPECT_TRUE(torch::equal(runs[i].norm.runningVar, runs[0].norm.runningVar));
    }
}

TEST(FusedNormProperties, KeepAFarMeanApartFromASmallDeviation) {
    Leaves leaves = Leaves::random(kLarge);
    leaves.x = (torch::randn(kLarge.shape) * 0.01 + 100).requires_grad_();
    const Leaves wide = leaves.wide();
    const Tensor y = batchNormRelu(leaves.x, {}, leaves.norm, {true, 0.1, 0});
    const Tensor expected =
        torch::relu(torch::batch_norm(wide.x, wide.norm.weight, wide.norm.bias, {}, {}, true, 0.1, 0, false));
    // A float32 of 100 resolves 8e-6, a thousandth of the deviation.
    EXPECT_LT((y - expected).abs().max().item<double>(), 5e-3);
}

TEST(FusedNormProperties, LetNotANumberThrough) {
    for (const torch::ScalarType stored : {torch::kFloat32, torch::kBFloat16}) {
        Leaves leaves = Leaves::random(kLarge);
        leaves.x = leaves.x.detach().clone();
        // All mantissa bits set: rounding them up as a number would give infinity.
        leaves.x.index_put_({0, 3, 0, 0}, std::bit_cast<float>(0x7fff'ffffu));
        const Tensor y = batchNormRelu(leaves.x.to(stored), leaves.residual, leaves.norm, {.training = true});
        EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
        EXPECT_FALSE(y.select(1, 2).isnan().any().item<bool>());
    }
}

TEST(FusedNormProperties, RefuseToTrainOnOneValueAChannel) {
    for (const std::int64_t channels : {5, 16}) {
        const Leaves leaves = Leaves::random({{1, channels, 1, 1}, true, false});
        EXPECT_THROW((void)batchNormRelu(leaves.x, {}, leaves.norm, {.training = true}), c10::Error);
        EXPECT_NO_THROW((void)batchNormRelu(leaves.x, {}, leaves.norm, {.training = false}));
    }
}

TEST(FusedNormProperties, RefuseWeightsOfAnotherChannelCount) {
    Leaves leaves = Leaves::random(kLarge);
    leaves.norm.weight = torch::ones({8});
    EXPECT_THROW((void)batchNormRelu(leaves.x, {}, leaves.norm, {.training = true}), c10::Error);
}

}  // namespace
}  // namespace bitloom::train
