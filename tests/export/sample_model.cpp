#include "tests/export/sample_model.h"

#include <cstring>

#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "engine/graph/graph_json.h"
#include "engine/graph/zoo/zoo.h"

namespace bitloom::testing {

using quant::QuantizedModel;
using quant::QuantizedTensor;

namespace {

QuantizedTensor makeLayer(const graph::Shape& shape, int components, bool filterWise, std::uint64_t seed) {
    Random random({seed});
    QuantizedTensor layer;
    layer.shape = shape;
    layer.groups = filterWise ? static_cast<int>(shape.front()) : 1;
    layer.components = components;
    for (int i = 0; i < layer.groups * components; ++i) {
        layer.codebook.push_back(i % components == 0 ? 0.0f : static_cast<float>(random.uniform(-0.3, 0.3)));
    }
    for (std::int64_t i = 0; i < graph::elementCount(shape); ++i) {
        layer.indices.push_back(
            static_cast<std::uint8_t>(random.below(static_cast<std::uint64_t>(components))));
    }
    return layer;
}

/// Everything the graph has beside the weights of `model.layers`.
void fillRest(QuantizedModel& model) {
    Random random({99});
    for (const graph::ParameterSpec& parameter : model.graph.parameters()) {
        const std::string suffix = ".weight";
        const bool weight = parameter.name.ends_with(suffix);
        if (weight && model.layers.contains(parameter.name.substr(0, parameter.name.size() - suffix.size())))
            continue;
        const auto count = static_cast<std::size_t>(graph::elementCount(parameter.shape));
        if (parameter.name.ends_with("num_batches_tracked")) {
            model.rest[parameter.name] =
                graph::Tensor::fromInt64(parameter.shape, std::vector<std::int64_t>(count, 7));
            continue;
        }
        std::vector<float> values(count);
        for (float& value : values)
            value = static_cast<float>(random.normal());
        model.rest[parameter.name] = graph::Tensor::fromFloats(parameter.shape, values);
    }
}

}  // namespace

QuantizedModel smallModel(int components, bool filterWise) {
    QuantizedModel model;
    model.graph = graph::Graph("small");
    const auto input = model.graph.add("input", graph::Input{{3, 8, 8}});
    const auto conv1 = model.graph.add(
        "conv1", graph::Conv2d{.inChannels = 3, .outChannels = 4, .kernel = {3, 3}, .padding = {1, 1}},
        {input});
    const auto conv2 = model.graph.add(
        "block.conv2", graph::Conv2d{.inChannels = 4, .outChannels = 5, .kernel = {3, 3}, .padding = {1, 1}},
        {conv1});
    const auto norm = model.graph.add("block.bn", graph::BatchNorm2d{.channels = 5}, {conv2});
    const auto pool = model.graph.add("pool", graph::GlobalAvgPool{}, {norm});
    const auto flat = model.graph.add("flatten", graph::Flatten{}, {pool});
    model.graph.add("fc", graph::Linear{.inFeatures = 5, .outFeatures = 10}, {flat});
    model.layers["block.conv2"] = makeLayer({5, 4, 3, 3}, components, filterWise, 1);
    model.layers["fc"] = makeLayer({10, 5}, 3, false, 2);
    fillRest(model);
    return model;
}

QuantizedModel resnet20Model(int components) {
    QuantizedModel model;
    model.graph = graph::zoo::makeModel("resnet20").value();
    bool first = true;
    for (const graph::Node& node : model.graph.nodes()) {
        if (!std::holds_alternative<graph::Conv2d>(node.op)) continue;
        if (!first) {
            const graph::Shape shape = graph::parametersOf(node.op).front().shape;
            model.layers[node.name] = makeLayer(shape, components, false, model.layers.size());
        }
        first = false;
    }
    fillRest(model);
    return model;
}

void expectEqual(const QuantizedModel& a, const QuantizedModel& b) {
    EXPECT_EQ(graph::toJson(a.graph), graph::toJson(b.graph));
    EXPECT_EQ(a.outsideAverage, b.outsideAverage);
    ASSERT_EQ(a.layers.size(), b.layers.size());
    for (const auto& [node, layer] : a.layers) {
        ASSERT_TRUE(b.layers.contains(node)) << node;
        const QuantizedTensor& other = b.layers.find(node)->second;
        EXPECT_EQ(layer.shape, other.shape) << node;
        EXPECT_EQ(layer.groups, other.groups) << node;
        EXPECT_EQ(layer.components, other.components) << node;
        EXPECT_EQ(layer.indices, other.indices) << node;
        ASSERT_EQ(layer.codebook.size(), other.codebook.size()) << node;
        EXPECT_EQ(
            std::memcmp(layer.codebook.data(), other.codebook.data(), layer.codebook.size() * sizeof(float)),
            0)
            << node;
    }
    ASSERT_EQ(a.rest.size(), b.rest.size());
    for (const auto& [name, tensor] : a.rest) {
        ASSERT_TRUE(b.rest.contains(name)) << name;
        const graph::Tensor& other = b.rest.find(name)->second;
        EXPECT_EQ(tensor.dtype, other.dtype) << name;
        EXPECT_EQ(tensor.shape, other.shape) << name;
        EXPECT_EQ(tensor.bytes, other.bytes) << name;
    }
}

}  // namespace bitloom::testing
