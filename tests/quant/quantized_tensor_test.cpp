// Packing, sizes and the figures of quant/README.md, on numbers worked out by hand.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/quant/quantized_model.h"

namespace bitloom::quant {
namespace {

using ::testing::ElementsAre;

QuantizedTensor makeTensor(int components, std::vector<std::uint8_t> indices) {
    QuantizedTensor tensor;
    tensor.shape = {static_cast<std::int64_t>(indices.size()), 1};
    tensor.components = components;
    for (int k = 0; k < components; ++k)
        tensor.codebook.push_back(0.5f * static_cast<float>(k));
    tensor.indices = std::move(indices);
    return tensor;
}

TEST(QuantizedTensor, IndexBitsAreTheCeilingOfTheLogarithm) {
    const std::vector<std::pair<int, int>> expected{{2, 1},  {3, 2},  {4, 2},   {5, 3},   {8, 3},  {9, 4},
                                                    {16, 4}, {17, 5}, {128, 7}, {129, 8}, {256, 8}};
    for (const auto& [components, bits] : expected)
        EXPECT_EQ(makeTensor(components, {}).indexBits(), bits) << components;
}

TEST(QuantizedTensor, PacksLowestBitsFirstWithoutGaps) {
    EXPECT_THAT(packIndices({1, 2, 3, 0, 2}, 2), ElementsAre(0b00'11'10'01, 0b10));
    EXPECT_THAT(packIndices({5, 1, 7}, 3), ElementsAre(0b11'001'101, 0b1));
    EXPECT_THAT(packIndices({200, 3}, 8), ElementsAre(200, 3));
    EXPECT_THAT(packIndices({}, 4), ElementsAre());
    EXPECT_THAT(unpackIndices({0b11'001'101, 0b1}, 3, 3), ElementsAre(5, 1, 7));
}

TEST(QuantizedTensor, UnpackingUndoesPacking) {
    for (int bits = 1; bits <= 8; ++bits) {
        for (const int count : {1, 2, 7, 8, 9, 31, 257}) {
            std::vector<std::uint8_t> indices;
            indices.reserve(static_cast<std::size_t>(count));
            for (int i = 0; i < count; ++i)
                indices.push_back(static_cast<std::uint8_t>((i * 37 + 11) % (1 << bits)));
            const auto packed = packIndices(indices, bits);
            EXPECT_EQ(packed.size(), static_cast<std::size_t>((count * bits + 7) / 8));
            EXPECT_EQ(unpackIndices(packed, bits, count), indices) << bits << " bits, " << count;
        }
    }
}

TEST(QuantizedTensor, ZerosAndValues) {
    const QuantizedTensor tensor = makeTensor(3, {0, 1, 2, 0, 0, 1, 1});
    EXPECT_EQ(tensor.zeros(), 3);
    EXPECT_THAT(tensor.dequantize(), ElementsAre(0, 0.5f, 1, 0, 0, 0.5f, 0.5f));
}

TEST(QuantizedTensor, EveryFilterHasItsOwnCodebook) {
    QuantizedTensor tensor;
    tensor.shape = {2, 3};
    tensor.groups = 2;
    tensor.components = 2;
    tensor.codebook = {0, 1, 0, -2};
    tensor.indices = {0, 1, 1, 1, 0, 1};
    EXPECT_THAT(tensor.dequantize(), ElementsAre(0, 1, 1, -2, 0, -2));
    EXPECT_EQ(tensor.zeros(), 2);
}

/// conv 2x1x1x1 (FP32, 2 weights), conv 4x2x1x1 (8 weights, 4 entries, 2 zeros), linear 3x4 (12 weights, 3
/// entries, 6 zeros).
QuantizedModel makeModel() {
    QuantizedModel model;
    model.graph = graph::Graph("tiny");
    const auto input = model.graph.add("input", graph::Input{{1, 4, 4}});
    const auto a = model.graph.add("a", graph::Conv2d{.inChannels = 1, .outChannels = 2}, {input});
    const auto b = model.graph.add("b", graph::Conv2d{.inChannels = 2, .outChannels = 4}, {a});
    const auto norm = model.graph.add("bn", graph::BatchNorm2d{.channels = 4}, {b});
    const auto pool = model.graph.add("pool", graph::GlobalAvgPool{}, {norm});
    const auto flat = model.graph.add("flat", graph::Flatten{}, {pool});
    model.graph.add("fc", graph::Linear{.inFeatures = 4, .outFeatures = 3}, {flat});
    model.layers["b"] = makeTensor(4, {0, 0, 1, 1, 2, 2, 3, 3});
    model.layers["b"].shape = {4, 2, 1, 1};
    model.layers["fc"] = makeTensor(3, {0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2});
    model.layers["fc"].shape = {3, 4};
    model.rest["a.weight"] = graph::Tensor::fromFloats({2, 1, 1, 1}, {0, 1});
    model.rest["bn.weight"] = graph::Tensor::fromFloats({4}, {1, 1, 1, 1});
    model.rest["fc.bias"] = graph::Tensor::fromFloats({3}, {0, 0, 0});
    return model;
}

TEST(Metrics, FollowTheirDefinitions) {
    const ModelMetrics metrics = measure(makeModel());
    EXPECT_DOUBLE_EQ(metrics.bits, (8 * 2 + 12 * std::log2(3.0)) / 20);
    EXPECT_DOUBLE_EQ(metrics.sparsity, 8.0 / 20);
    // FP32 weights count whole, zeros included; batch norm and bias do not count.
    EXPECT_EQ(metrics.nonzeroParameters, 2 + 6 + 6);
    EXPECT_DOUBLE_EQ(metrics.compressionRate, 32.0 * 20 / (6 * 2 + 6 * 1));
    EXPECT_EQ(metrics.fp32Bytes, 4 * (2 + 4 + 3 + 8 + 12));
    // MAC x weight bits x 32: a 32 x 32 bits, b 128 x 2 bits, fc 12 x 2 bits (an index of three values).
    EXPECT_DOUBLE_EQ(metrics.bitOps, (32 * 32 + 128 * 2 + 12 * 2) * 32);
}

TEST(Metrics, ANetworkOfZerosHasNoCompressionRate) {
    QuantizedModel model = makeModel();
    model.layers.erase("fc");
    model.layers["b"] = makeTensor(4, {0, 0, 0, 0, 0, 0, 0, 0});
    model.layers["b"].shape = {4, 2, 1, 1};
    EXPECT_TRUE(std::isnan(measure(model).compressionRate));
}

TEST(Metrics, OneBitWidthGivesThePapersFormula) {
    QuantizedModel model = makeModel();
    model.layers.erase("fc");
    const double nonzero = 6.0 / 8;
    EXPECT_DOUBLE_EQ(measure(model).compressionRate, 32 / (2 * nonzero));
}

TEST(Metrics, FullPrecisionModelHasNoCompressionRate) {
    QuantizedModel model = makeModel();
    model.layers.clear();
    const ModelMetrics metrics = measure(model);
    EXPECT_EQ(metrics.bits, 32);
    EXPECT_EQ(metrics.sparsity, 0);
    EXPECT_TRUE(std::isnan(metrics.compressionRate));
    EXPECT_EQ(metrics.nonzeroParameters, 2);
}

TEST(Metrics, DequantizeGivesEveryParameterAgain) {
    const QuantizedModel model = makeModel();
    const graph::StateDict state = model.dequantize();
    EXPECT_EQ(state.size(), 5u);
    EXPECT_EQ(state.find("b.weight")->second.shape, (graph::Shape{4, 2, 1, 1}));
    EXPECT_THAT(state.find("b.weight")->second.toFloats(), ElementsAre(0, 0, 0.5f, 0.5f, 1, 1, 1.5f, 1.5f));
}

}  // namespace
}  // namespace bitloom::quant
