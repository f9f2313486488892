// Everything a file can get wrong about one layer, each with the message it gets.
#include "engine/export/packed_layer.h"

#include <limits>

#include <gmock/gmock.h>

#include "tests/export/sample_model.h"

namespace bitloom::exporting {
namespace {

using ::testing::HasSubstr;

struct Parts {
    graph::Shape shape{2, 3};
    std::int64_t bits = 2;
    graph::Tensor indices{graph::DType::U8, {2}, {std::byte{0b10'01'00'10}, std::byte{0b00'01}}};
    graph::Tensor codebook = graph::Tensor::fromFloats({1, 3}, {0, -0.5f, 0.25f});
};

Result<quant::QuantizedTensor> unpack(const Parts& parts) {
    return unpackLayer("conv", parts.shape, parts.bits, parts.indices, parts.codebook);
}

void expectError(const Parts& parts, const std::string& text) {
    const auto result = unpack(parts);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, HasSubstr("layer conv"));
    EXPECT_THAT(result.error().message, HasSubstr(text));
}

TEST(PackedLayer, UnpacksLowestBitsFirst) {
    const auto layer = unpack({});
    ASSERT_TRUE(layer) << layer.error().message;
    EXPECT_THAT(layer->indices, ::testing::ElementsAre(2, 0, 1, 2, 1, 0));
    EXPECT_THAT(layer->dequantize(), ::testing::ElementsAre(0.25f, 0, -0.5f, 0.25f, -0.5f, 0));
    EXPECT_EQ(layer->groups, 1);
    EXPECT_EQ(layer->components, 3);
    const graph::Tensor packed = indicesTensor(*layer);
    EXPECT_EQ(packed.bytes, Parts().indices.bytes);
    EXPECT_EQ(codebookTensor(*layer).bytes, Parts().codebook.bytes);
}

TEST(PackedLayer, RefusesAnIndexBeyondTheCodebook) {
    Parts parts;
    parts.indices.bytes[0] = std::byte{0b10'11'00'10};
    expectError(parts, "index 3 at weight 2 of a codebook with 3 entries");
}

TEST(PackedLayer, RefusesWrongTypesAndDimensions) {
    Parts parts;
    parts.indices.dtype = graph::DType::I8;
    expectError(parts, "indices are int8");
    parts = {};
    parts.indices.shape = {1, 2};
    expectError(parts, "one dimension");
    parts = {};
    parts.codebook.dtype = graph::DType::I32;
    expectError(parts, "codebook is int32");
    parts = {};
    parts.codebook.shape = {3};
    expectError(parts, "codebook");
}

TEST(PackedLayer, RefusesImpossibleCodebooks) {
    Parts parts;
    parts.codebook = graph::Tensor::fromFloats({1, 1}, {0});
    expectError(parts, "2 to 256");
    parts.codebook = graph::Tensor::fromFloats({1, 257}, std::vector<float>(257));
    expectError(parts, "2 to 256");
    parts.codebook = graph::Tensor::fromFloats({3, 3}, std::vector<float>(9));
    expectError(parts, "3 codebooks");
    parts.codebook = graph::Tensor::fromFloats({1, 3}, {0, 1, std::numeric_limits<float>::infinity()});
    expectError(parts, "NaN or infinity");
}

TEST(PackedLayer, RefusesSizesThatDoNotFit) {
    Parts parts;
    parts.bits = 3;
    expectError(parts, "3 components take 2");
    parts = {};
    parts.bits = 0;
    expectError(parts, "take 2");
    parts = {};
    parts.shape = {2, 7};
    expectError(parts, "does not fit");
    parts.shape = {1, 2};
    expectError(parts, "2 packed bytes for 2 weights");
    parts.shape = {-1, -6};
    expectError(parts, "does not fit");
    parts.shape = {0};
    expectError(parts, "does not fit");
    parts.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
    expectError(parts, "does not fit");
}

TEST(PackedLayer, ModelsMustFitTheirGraph) {
    EXPECT_TRUE(checkModel(testing::smallModel()));
    const auto expectModelError = [](const quant::QuantizedModel& model, const std::string& text) {
        const Status status = checkModel(model);
        ASSERT_FALSE(status);
        EXPECT_THAT(status.error().message, HasSubstr(text));
    };
    quant::QuantizedModel model = testing::smallModel();
    model.layers["block.bn"] = model.layers["fc"];
    expectModelError(model, "block.bn: a BatchNorm2d has no weight");
    model = testing::smallModel();
    model.layers["fc"].shape = {5, 10};
    expectModelError(model, "the network's weight is [10, 5]");
    model = testing::smallModel();
    model.layers["fc"].codebook.pop_back();
    expectModelError(model, "codebook values");
    model = testing::smallModel();
    model.layers["fc"].indices.pop_back();
    expectModelError(model, "49 indices");
    model = testing::smallModel();
    model.rest["fc.weight"] = graph::Tensor::fromFloats({10, 5}, std::vector<float>(50));
    expectModelError(model, "twice");
}

}  // namespace
}  // namespace bitloom::exporting
