// Through checkpoint's safetensors writer and reader; what is particular to quantized models is in the
// metadata.
#include "engine/export/quantized_safetensors.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "engine/checkpoint/checkpoint.h"
#include "engine/export/activation_text.h"
#include "engine/export/packed_layer.h"
#include "engine/graph/graph_json.h"

namespace bitloom::exporting {
namespace {

using nlohmann::json;
using quant::QuantizedModel;

std::string indicesKey(const std::string& node) {
    return node + ".weight.indices";
}
std::string codebookKey(const std::string& node) {
    return node + ".weight.codebook";
}

struct LayerHeader {
    graph::Shape shape;
    std::int64_t bits = 0;
    bool outsideAverage = false;
};

/// {"layer1.0.conv1": {"bits": 4, "shape": [16, 16, 3, 3]}, ...}; "outside_average": true of layers that are.
Result<std::map<std::string, LayerHeader>> parseLayers(const std::string& text) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) return fail("its \"layers\" metadata is not a JSON object");
    std::map<std::string, LayerHeader> headers;
    for (const auto& [node, entry] : parsed.items()) {
        const auto isCount = [](const json& value) { return value.is_number_integer(); };
        const bool whole = entry.is_object() && entry.contains("shape") && entry.contains("bits") &&
                           entry["shape"].is_array() && isCount(entry["bits"]) &&
                           std::all_of(entry["shape"].begin(), entry["shape"].end(), isCount);
        if (!whole) return fail("layer {}: its metadata is not {{\"bits\": b, \"shape\": [..]}}", node);
        const auto outside = entry.find(kOutsideAverage);
        headers[node] = {entry["shape"].get<graph::Shape>(), entry["bits"].get<std::int64_t>(),
                         outside != entry.end() && *outside == true};
    }
    return headers;
}

Result<std::string> metadataOf(const checkpoint::Checkpoint& file, const std::string& key) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) return fail("its metadata lacks \"{}\"", key);
    return found->second;
}

Result<graph::Tensor> take(graph::StateDict& tensors, const std::string& key) {
    auto node = tensors.extract(key);
    if (node.empty()) return fail("tensor {} is missing", key);
    return std::move(node.mapped());
}

Result<QuantizedModel> assemble(checkpoint::Checkpoint file) {
    BITLOOM_ASSIGN_OR_RETURN(const std::string format, metadataOf(file, "format"));
    BITLOOM_ASSIGN_OR_RETURN(const std::string version, metadataOf(file, "version"));
    if (format != kFormatName) return fail("its format is \"{}\", expected \"{}\"", format, kFormatName);
    const bool rounds = version == std::to_string(kActivationVersion);
    if (!rounds && version != std::to_string(kFormatVersion)) {
        return fail("format version {} was written by another version of Bitloom; this one reads {} and {}",
                    version, kFormatVersion, kActivationVersion);
    }
    BITLOOM_ASSIGN_OR_RETURN(const std::string graphText, metadataOf(file, "graph"));
    BITLOOM_ASSIGN_OR_RETURN(const std::string layersText, metadataOf(file, "layers"));
    BITLOOM_ASSIGN_OR_RETURN(const auto headers, parseLayers(layersText));
    QuantizedModel model;
    BITLOOM_ASSIGN_OR_RETURN(model.graph, graph::fromJson(graphText));
    for (const auto& [node, header] : headers) {
        BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor indices, take(file.tensors, indicesKey(node)));
        BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor codebook, take(file.tensors, codebookKey(node)));
        BITLOOM_ASSIGN_OR_RETURN(model.layers[node],
                                 unpackLayer(node, header.shape, header.bits, indices, codebook));
        if (header.outsideAverage) model.outsideAverage.insert(node);
    }
    if (rounds) {
        BITLOOM_ASSIGN_OR_RETURN(const std::string text, metadataOf(file, "activations"));
        BITLOOM_ASSIGN_OR_RETURN(model.activations, activationsFromText(text));
    }
    model.rest = std::move(file.tensors);
    BITLOOM_RETURN_IF_ERROR(checkModel(model));
    return model;
}

struct PackedFile {
    graph::StateDict tensors;
    std::map<std::string, std::string> metadata;
};

Result<PackedFile> pack(const QuantizedModel& model) {
    BITLOOM_RETURN_IF_ERROR(checkModel(model));
    PackedFile file{model.rest, {}};
    json layers = json::object();
    for (const auto& [node, layer] : model.layers) {
        file.tensors[indicesKey(node)] = indicesTensor(layer);
        file.tensors[codebookKey(node)] = codebookTensor(layer);
        layers[node] = {{"bits", layer.indexBits()}, {"shape", layer.shape}};
        if (model.outsideAverage.contains(node)) layers[node][kOutsideAverage] = true;
    }
    file.metadata = {{"format", kFormatName},
                     {"version", std::to_string(kFormatVersion)},
                     {"graph", graph::toJson(model.graph)},
                     {"layers", layers.dump()}};
    if (!model.activations.empty()) {
        file.metadata["version"] = std::to_string(kActivationVersion);
        file.metadata["activations"] = activationsText(model.activations);
    }
    return file;
}

}  // namespace

Status writeQuantizedSafetensors(const std::filesystem::path& path, const QuantizedModel& model) {
    const Result<PackedFile> file = pack(model);
    if (!file) return fail("{}: cannot export: {}", path.string(), file.error().message);
    return checkpoint::writeSafetensors(path, file->tensors, file->metadata);
}

Result<std::int64_t> quantizedSafetensorsBytes(const QuantizedModel& model) {
    BITLOOM_ASSIGN_OR_RETURN(const PackedFile file, pack(model));
    return checkpoint::safetensorsBytes(file.tensors, file.metadata);
}

Result<QuantizedModel> readQuantizedSafetensors(const std::filesystem::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(checkpoint::Checkpoint file, checkpoint::readCheckpoint(path));
    if (file.format != checkpoint::Format::Safetensors) {
        return fail("{}: is a {} file, expected safetensors", path.string(), checkpoint::toText(file.format));
    }
    Result<QuantizedModel> model = assemble(std::move(file));
    if (!model) {
        return fail("{}: is not a whole quantized model: {}; export it again", path.string(),
                    model.error().message);
    }
    return model;
}

}  // namespace bitloom::exporting
