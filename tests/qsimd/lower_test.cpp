// Lowering: what fuses, where buffers lie, what it refuses; int8 codebooks and ranges with known answers.
#include "engine/qsimd/lower.h"

#include <cmath>
#include <limits>
#include <set>

#include <gmock/gmock.h>

#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/quantize_weights.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::sourceOf;
using testing::zooGraph;

std::vector<std::string> kindsOf(const Model& model) {
    std::vector<std::string> kinds;
    for (const Step& step : model.steps) {
        const char* names[] = {"conv", "pool", "elementwise", "combine", "place", "softmax"};
        kinds.emplace_back(names[step.index()]);
    }
    return kinds;
}

TEST(Lower, AResNetIsConvolutionsAndPoolsAlone) {
    const auto model = lower(sourceOf(zooGraph("resnet18", 64), 16), {});
    ASSERT_TRUE(model.ok()) << model.error().message;
    std::size_t convolutions = 0;
    std::size_t residuals = 0;
    for (const Step& step : model->steps) {
        const auto* convolution = std::get_if<Convolution>(&step);
        if (convolution == nullptr) continue;
        ++convolutions;
        residuals += convolution->residual >= 0 ? 1 : 0;
    }
    EXPECT_EQ(convolutions, 21u);         // 20 convolutions and the linear layer
    EXPECT_EQ(residuals, 8u);             // one a block
    EXPECT_EQ(model->steps.size(), 23u);  // and the maximum and the average pool
}

TEST(Lower, BuffersThatLiveTogetherLieApart) {
    for (const char* arch : {"resnet20", "resnet50", "vgg-small"}) {
        const auto model = lower(sourceOf(zooGraph(arch), 16), {});
        ASSERT_TRUE(model.ok()) << model.error().message;
        EXPECT_EQ(validate(*model), "") << arch;
        std::uint64_t sum = 0;
        for (std::size_t a = 0; a < model->buffers.size(); ++a) {
            const Buffer& one = model->buffers[a];
            sum += bufferBytes(one);
            for (std::size_t b = 0; b < a; ++b) {
                const Buffer& other = model->buffers[b];
                if (one.firstStep > other.lastStep || other.firstStep > one.lastStep) continue;
                EXPECT_TRUE(one.offset + bufferBytes(one) <= other.offset ||
                            other.offset + bufferBytes(other) <= one.offset)
                    << arch << ": " << one.name << " over " << other.name;
            }
        }
        EXPECT_LT(model->arenaBytes, sum / 2) << arch << ": memory is used again";
    }
}

TEST(Lower, TheSameNetworkGivesTheSameModel) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet20"), 16);
    const auto a = lower(source, {});
    const auto b = lower(source, {});
    ASSERT_TRUE(a.ok() && b.ok());
    EXPECT_EQ(kindsOf(*a), kindsOf(*b));
    EXPECT_EQ(a->arenaBytes, b->arenaBytes);
}

TEST(Lower, ContractsAreHeldLayerByLayer) {
    DeployedNetwork source = sourceOf(zooGraph("resnet20"), 16);
    JobControl control;
    const std::vector<std::vector<float>> images = {testing::randomImage(source.graph, 1)};
    LoweringOptions options;
    options.activations = calibrate(source, images, 1, control).value();
    options.contract = Contract::Int8;
    options.contracts["layer2.1.conv1"] = Contract::Exact;
    options.contracts["conv1"] = Contract::Exact;
    const auto model = lower(source, options);
    ASSERT_TRUE(model.ok()) << model.error().message;
    for (const Step& step : model->steps) {
        const auto* convolution = std::get_if<Convolution>(&step);
        if (convolution == nullptr) continue;
        const bool exact = options.contracts.contains(convolution->layer);
        EXPECT_EQ(convolution->family == Family::K2, !exact) << convolution->layer;
        const Buffer& input = model->buffers[static_cast<std::size_t>(convolution->input)];
        EXPECT_EQ(input.type == ValueType::Float32, exact) << convolution->layer;
    }
    EXPECT_EQ(model->buffers[static_cast<std::size_t>(model->output)].type, ValueType::Float32);
}

TEST(Lower, RefusesWhatItCannotRunAndSaysWhere) {
    const auto errorOf = [](const DeployedNetwork& source, const LoweringOptions& options = {}) {
        const auto model = lower(source, options);
        return model.ok() ? std::string("no error") : model.error().message;
    };
    const DeployedNetwork good = sourceOf(zooGraph("resnet20"), 16);
    DeployedNetwork bad = good;
    bad.rest.erase("layer1.0.bn1.running_mean");
    EXPECT_THAT(errorOf(bad), HasSubstr("no layer1.0.bn1.running_mean"));
    bad = good;
    bad.rest["linear.weight"] = graph::Tensor::fromFloats({2}, {1, 2});
    EXPECT_THAT(errorOf(bad), HasSubstr("linear.weight has 2 values"));
    bad = good;
    bad.rest["conv1.weight"] = graph::Tensor::fromFloats(
        {16, 3, 3, 3}, std::vector<float>(432, std::numeric_limits<float>::quiet_NaN()));
    EXPECT_THAT(errorOf(bad), HasSubstr("value 0 of conv1.weight is not finite"));
    bad = good;
    bad.quantized.at("layer1.0.conv1").indices.back() = 16;
    EXPECT_THAT(errorOf(bad), HasSubstr("layer1.0.conv1: an index is beyond the codebook"));
    bad = good;
    bad.quantized.at("layer1.0.conv1").codebook.pop_back();
    EXPECT_THAT(errorOf(bad), HasSubstr("layer1.0.conv1: a codebook of 15 values"));
    LoweringOptions options;
    options.contract = Contract::Int8;
    EXPECT_THAT(errorOf(good, options), HasSubstr("has no range: calibrate"));
    options = {};
    options.contracts["nowhere"] = Contract::Exact;
    EXPECT_THAT(errorOf(good, options), HasSubstr("No layer nowhere"));
    DeployedNetwork odd;
    odd.graph = graph::Graph("odd");
    const auto input = odd.graph.add("input", graph::Input{{2, 4, 4}});
    odd.graph.add("norm", graph::BatchNorm2d{.channels = 2}, {input});
    EXPECT_THAT(errorOf(odd), HasSubstr("node norm: BatchNorm2d has no kernel in this place"));
}

TEST(QuantizeCodebook, PowersOfTwoAreExact) {
    for (const std::vector<float>& set :
         {std::vector<float>{-1, 1}, std::vector<float>{-1, -0.5F, 0.5F, 1},
          std::vector<float>{-1, -0.5F, -0.25F, -0.125F, 0.125F, 0.25F, 0.5F, 1}}) {
        std::vector<float> scaled = set;
        for (float& value : scaled)
            value *= 0.037F;
        const Int8Values codebook = quantizeCodebook(scaled, std::vector<std::int64_t>(set.size(), 10));
        for (std::size_t i = 0; i < set.size(); ++i)
            EXPECT_FLOAT_EQ(codebook.scale * static_cast<float>(codebook.numbers[i]), scaled[i]);
        EXPECT_LT(codebook.error, 1e-12);
    }
}

TEST(QuantizeCodebook, WhatIsUsedMostIsMetBest) {
    const std::vector<float> values = {0, 0.31F, -0.2F, 1};
    const Int8Values rare = quantizeCodebook(values, std::vector<std::int64_t>{10, 1, 1, 1000000});
    EXPECT_FLOAT_EQ(rare.scale * static_cast<float>(rare.numbers[3]), 1.0F);
    EXPECT_EQ(rare.numbers[0], 0);
    const Int8Values often = quantizeCodebook(values, std::vector<std::int64_t>{10, 1000000, 1, 1});
    EXPECT_NEAR(often.scale * static_cast<float>(often.numbers[1]), 0.31, 2e-4);
    const Int8Values zeros = quantizeCodebook(std::vector<float>{0, 0}, std::vector<std::int64_t>{1, 1});
    EXPECT_THAT(zeros.numbers, ElementsAre(0, 0));
}

TEST(QuantizeWeights, AreWithin7Bits) {
    std::vector<float> weights;
    for (int i = -500; i <= 500; ++i)
        weights.push_back(0.0123F * static_cast<float>(i) + 0.001F);
    const Int8Values rounded = quantizeWeights(weights);
    for (std::size_t i = 0; i < weights.size(); ++i) {
        EXPECT_LE(std::abs(rounded.numbers[i]), 64);
        EXPECT_NEAR(rounded.scale * static_cast<float>(rounded.numbers[i]), weights[i], 0.51 * rounded.scale);
    }
    EXPECT_EQ(rounded.numbers.back(), 64);
    EXPECT_THAT(quantizeWeights(std::vector<float>{0, 0}).numbers, ElementsAre(0, 0));
}

TEST(BestRange, KeepsAFlatDistributionAndClipsAnOutlier) {
    std::vector<std::int64_t> counts(1000, 100);
    const Range flat = bestRange(counts, 0, 10);
    EXPECT_EQ(flat.low, 0);
    EXPECT_GT(flat.high, 9.8F);
    // All values below 1, but for one at 10: a step of 10 / 255 for all would cost more than that one.
    counts.assign(1000, 0);
    for (std::size_t i = 0; i < 100; ++i)
        counts[i] = 100000;
    counts.back() = 1;
    EXPECT_LT(bestRange(counts, 0, 10).high, 2);
    EXPECT_GE(bestRange(counts, 0, 10).high, 0.99F);
    const Range zero = bestRange(std::vector<std::int64_t>(10), 0, 0);
    EXPECT_LT(zero.low, zero.high + 1);
    EXPECT_EQ(zero.low, 0);
}

TEST(BestRange, HoldsZeroAlways) {
    const Range positive = bestRange(std::vector<std::int64_t>(100, 1), 3, 5);
    EXPECT_EQ(positive.low, 0);
    const Range negative = bestRange(std::vector<std::int64_t>(100, 1), -5, -3);
    EXPECT_EQ(negative.high, 0);
    EXPECT_LT(negative.low, -2);
}

TEST(Calibrate, NeedsImagesOfTheRightSize) {
    const DeployedNetwork source = sourceOf(zooGraph("resnet20"), 16);
    JobControl control;
    EXPECT_THAT(calibrate(source, {}, 1, control).error().message, HasSubstr("at least one image"));
    const std::vector<std::vector<float>> small = {std::vector<float>(5)};
    EXPECT_THAT(calibrate(source, small, 1, control).error().message,
                HasSubstr("has 5 values, the network takes 3072"));
    std::vector<std::vector<float>> nan = {testing::randomImage(source.graph, 1)};
    nan[0][7] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(calibrate(source, nan, 1, control).error().message, HasSubstr("is not finite"));
    control.stop();
    const std::vector<std::vector<float>> images = {testing::randomImage(source.graph, 1)};
    EXPECT_EQ(calibrate(source, images, 1, control).error().kind, ErrorKind::Cancelled);
}

}  // namespace
}  // namespace bitloom::qsimd
