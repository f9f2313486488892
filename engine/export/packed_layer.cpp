#include "engine/export/packed_layer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <variant>

#include "engine/export/activation_text.h"

namespace bitloom::exporting {
namespace {

using quant::QuantizedTensor;

constexpr int kMaxComponents = 256;

Status checkCodebook(const std::string& node, const QuantizedTensor& layer) {
    if (layer.components < 2 || layer.components > kMaxComponents) {
        return fail("layer {}: a codebook of {} entries; 2 to {} are possible", node, layer.components,
                    kMaxComponents);
    }
    const bool perFilter = !layer.shape.empty() && layer.groups == layer.shape.front();
    if (layer.groups != 1 && !perFilter) {
        return fail(
            "layer {}: {} codebooks for a weight of shape {}; one, or one per output channel, is possible",
            node, layer.groups, graph::toText(layer.shape));
    }
    const auto entries = static_cast<std::size_t>(layer.groups) * static_cast<std::size_t>(layer.components);
    if (layer.codebook.size() != entries) {
        return fail("layer {}: {} codebook values where {} belong", node, layer.codebook.size(), entries);
    }
    if (!std::all_of(layer.codebook.begin(), layer.codebook.end(),
                     [](float v) { return std::isfinite(v); })) {
        return fail("layer {}: the codebook holds NaN or infinity", node);
    }
    return {};
}

Status checkIndices(const std::string& node, const QuantizedTensor& layer) {
    const std::int64_t weights = graph::elementCount(layer.shape);
    if (static_cast<std::int64_t>(layer.indices.size()) != weights) {
        return fail("layer {}: {} indices for a weight of shape {}", node, layer.indices.size(),
                    graph::toText(layer.shape));
    }
    const auto wrong = std::find_if(layer.indices.begin(), layer.indices.end(),
                                    [&](std::uint8_t index) { return index >= layer.components; });
    if (wrong != layer.indices.end()) {
        return fail("layer {}: index {} at weight {} of a codebook with {} entries", node, *wrong,
                    wrong - layer.indices.begin(), layer.components);
    }
    return {};
}

Status checkPlace(const std::string& node, const QuantizedTensor& layer, const graph::Graph& graph) {
    const std::optional<graph::NodeId> id = graph.find(node);
    if (!id) return fail("layer {}: the network {} has no such node", node, graph.arch());
    const graph::Op& op = graph.node(*id).op;
    if (!std::holds_alternative<graph::Conv2d>(op) && !std::holds_alternative<graph::Linear>(op)) {
        return fail("layer {}: a {} has no weight to quantize", node, graph::kindName(op));
    }
    for (const graph::ParameterSpec& parameter : graph::parametersOf(op)) {
        if (parameter.name != "weight" || parameter.shape == layer.shape) continue;
        return fail("layer {}: shape {}, but the network's weight is {}", node, graph::toText(layer.shape),
                    graph::toText(parameter.shape));
    }
    return {};
}

}  // namespace

graph::Tensor indicesTensor(const QuantizedTensor& layer) {
    const std::vector<std::uint8_t> packed = quant::packIndices(layer.indices, layer.indexBits());
    graph::Tensor tensor{graph::DType::U8, {static_cast<std::int64_t>(packed.size())}, {}};
    tensor.bytes.resize(packed.size());
    std::memcpy(tensor.bytes.data(), packed.data(), packed.size());
    return tensor;
}

graph::Tensor codebookTensor(const QuantizedTensor& layer) {
    return graph::Tensor::fromFloats({layer.groups, layer.components}, layer.codebook);
}

Result<QuantizedTensor> unpackLayer(const std::string& node, const graph::Shape& shape, std::int64_t bits,
                                    const graph::Tensor& indices, const graph::Tensor& codebook) {
    if (indices.dtype != graph::DType::U8 || indices.shape.size() != 1) {
        return fail("layer {}: indices are {} {}, expected uint8 in one dimension", node,
                    graph::toText(indices.dtype), graph::toText(indices.shape));
    }
    const bool twoDimensions = codebook.dtype == graph::DType::F32 && codebook.shape.size() == 2;
    if (!twoDimensions || codebook.shape[1] < 2 || codebook.shape[1] > kMaxComponents ||
        codebook.shape[0] < 1) {
        return fail("layer {}: the codebook is {} {}, expected float32 [groups, 2 to {}]", node,
                    graph::toText(codebook.dtype), graph::toText(codebook.shape), kMaxComponents);
    }
    QuantizedTensor layer;
    layer.shape = shape;
    layer.groups =
        static_cast<int>(std::min<std::int64_t>(codebook.shape[0], std::numeric_limits<int>::max()));
    layer.components = static_cast<int>(codebook.shape[1]);
    layer.codebook = codebook.toFloats();
    if (bits != layer.indexBits()) {
        return fail("layer {}: {} bits an index, but {} components take {}", node, bits, layer.components,
                    layer.indexBits());
    }
    // One division instead of a product that a hostile shape could overflow: what the bytes can hold bounds
    // the weights.
    const std::int64_t room = static_cast<std::int64_t>(indices.bytes.size()) * 8 / bits;
    std::int64_t weights = 1;
    for (const std::int64_t size : shape) {
        if (size < 1 || size > room || weights > room / size) {
            return fail("layer {}: shape {} does not fit the {} packed bytes", node, graph::toText(shape),
                        indices.bytes.size());
        }
        weights *= size;
    }
    if (static_cast<std::int64_t>(indices.bytes.size()) != (weights * bits + 7) / 8) {
        return fail("layer {}: {} packed bytes for {} weights of {} bits", node, indices.bytes.size(),
                    weights, bits);
    }
    std::vector<std::uint8_t> packed(indices.bytes.size());
    std::memcpy(packed.data(), indices.bytes.data(), packed.size());
    layer.indices = quant::unpackIndices(packed, static_cast<int>(bits), weights);
    BITLOOM_RETURN_IF_ERROR(checkCodebook(node, layer));
    BITLOOM_RETURN_IF_ERROR(checkIndices(node, layer));
    return layer;
}

Status checkModel(const quant::QuantizedModel& model) {
    for (const auto& [node, layer] : model.layers) {
        BITLOOM_RETURN_IF_ERROR(checkPlace(node, layer, model.graph));
        BITLOOM_RETURN_IF_ERROR(checkCodebook(node, layer));
        BITLOOM_RETURN_IF_ERROR(checkIndices(node, layer));
        if (model.rest.contains(node + ".weight")) {
            return fail("layer {}: its weight is there twice, quantized and in full precision", node);
        }
    }
    return checkActivations(model);
}

}  // namespace bitloom::exporting
