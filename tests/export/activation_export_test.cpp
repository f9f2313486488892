// The rounding of activations in exported files: read back to the bit, checked, and no trace where there is
// none.
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/export/activation_text.h"
#include "engine/export/packed_layer.h"
#include "engine/export/quantized_hdf5.h"
#include "engine/export/quantized_safetensors.h"
#include "tests/export/sample_model.h"
#include "tests/support/test_paths.h"

namespace bitloom::exporting {
namespace {

using ::testing::HasSubstr;

quant::QuantizedModel roundedModel() {
    quant::QuantizedModel model = testing::smallModel();
    model.activations = {{"input", {8, 0.0186F, 114}},
                         {"conv1", {4, std::nextafter(0.1F, 1.0F), 0}},
                         {"block.bn", {2, 1e-8F, 3}}};
    return model;
}

TEST(ActivationExport, BothFormatsReadBackToTheBit) {
    const testing::TemporaryFolder folder;
    const quant::QuantizedModel model = roundedModel();
    ASSERT_TRUE(writeQuantizedSafetensors(folder / "a", model));
    ASSERT_TRUE(writeQuantizedHdf5(folder / "b", model));
    const auto first = readQuantizedSafetensors(folder / "a");
    const auto second = readQuantizedHdf5(folder / "b");
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(first->activations, model.activations);
    EXPECT_EQ(second->activations, model.activations);
    testing::expectEqual(*first, model);
}

TEST(ActivationExport, FilesWithoutAreOfTheFirstVersionAndOthersAreNot) {
    const testing::TemporaryFolder folder;
    ASSERT_TRUE(writeQuantizedSafetensors(folder / "plain", testing::smallModel()));
    ASSERT_TRUE(writeQuantizedSafetensors(folder / "rounded", roundedModel()));
    const auto plain = checkpoint::readCheckpoint(folder / "plain");
    const auto rounded = checkpoint::readCheckpoint(folder / "rounded");
    ASSERT_TRUE(plain.ok() && rounded.ok());
    EXPECT_EQ(plain->metadata.at("version"), "1");
    EXPECT_FALSE(plain->metadata.contains("activations"));
    EXPECT_EQ(rounded->metadata.at("version"), "2") << "a reader that knows no activations must refuse it";
    // Without what the version promises a file is not whole.
    auto metadata = rounded->metadata;
    metadata.erase("activations");
    ASSERT_TRUE(checkpoint::writeSafetensors(folder / "lacking", rounded->tensors, metadata));
    EXPECT_THAT(readQuantizedSafetensors(folder / "lacking").error().message,
                HasSubstr("lacks \"activations\""));
    metadata["activations"] = R"({"conv1": {"bits": 4, "scale": 0.1, "zero_point": 16}})";
    ASSERT_TRUE(checkpoint::writeSafetensors(folder / "wrong", rounded->tensors, metadata));
    EXPECT_THAT(readQuantizedSafetensors(folder / "wrong").error().message,
                HasSubstr("activation conv1: 4 bits, scale 0.1, zero point 16"));
}

TEST(ActivationExport, WhatMakesNoRoundingIsRefused) {
    for (const char* text : {"", "[]", "{\"a\": 3}", "{\"a\": {\"bits\": 8, \"scale\": 1}}",
                             "{\"a\": {\"bits\": 8.5, \"scale\": 1, \"zero_point\": 0}}",
                             "{\"a\": {\"bits\": 9, \"scale\": 1, \"zero_point\": 0}}",
                             "{\"a\": {\"bits\": 1, \"scale\": 1, \"zero_point\": 0}}",
                             "{\"a\": {\"bits\": 8, \"scale\": 0, \"zero_point\": 0}}",
                             "{\"a\": {\"bits\": 8, \"scale\": 1e300, \"zero_point\": 0}}",
                             "{\"a\": {\"bits\": 8, \"scale\": \"1\", \"zero_point\": 0}}",
                             "{\"a\": {\"bits\": 8, \"scale\": 1, \"zero_point\": -1}}",
                             "{\"a\": {\"bits\": 8, \"scale\": 1, \"zero_point\": 256}}"}) {
        EXPECT_FALSE(activationsFromText(text).ok()) << text;
    }
    EXPECT_TRUE(activationsFromText("{\"a\": {\"bits\": 8, \"scale\": 1, \"zero_point\": 255}}").ok());
    const testing::TemporaryFolder folder;
    quant::QuantizedModel model = roundedModel();
    model.activations["conv9"] = {};
    EXPECT_THAT(writeQuantizedHdf5(folder / "a", model).error().message,
                HasSubstr("activation conv9: the network has no such node"));
    model = roundedModel();
    model.activations["conv1"].scale = std::numeric_limits<float>::infinity();
    EXPECT_FALSE(writeQuantizedSafetensors(folder / "a", model).ok());
}

}  // namespace
}  // namespace bitloom::exporting
