#include "engine/export/quantized_hdf5.h"

#include "engine/base/atomic_file.h"
#include "engine/export/activation_text.h"
#include "engine/export/hdf5_image.h"
#include "engine/export/packed_layer.h"
#include "engine/graph/graph_json.h"

namespace bitloom::exporting {
namespace {

using quant::QuantizedModel;
using quant::QuantizedTensor;

/// A network of a thousand times ResNet-50's size would still fit.
constexpr std::size_t kMaxFileBytes = std::size_t{16} << 30;

Status addLayer(const H5Builder& builder, hid_t parent, const std::string& node, const QuantizedTensor& layer,
                bool outsideAverage) {
    BITLOOM_ASSIGN_OR_RETURN(const H5Handle group, builder.addGroup(parent, node));
    BITLOOM_RETURN_IF_ERROR(builder.addTensor(group.get(), "indices", indicesTensor(layer)));
    BITLOOM_RETURN_IF_ERROR(builder.addTensor(group.get(), "codebook", codebookTensor(layer)));
    BITLOOM_RETURN_IF_ERROR(writeIntegers(group.get(), "shape", layer.shape));
    if (outsideAverage) BITLOOM_RETURN_IF_ERROR(writeIntegers(group.get(), kOutsideAverage, {1}));
    return writeIntegers(group.get(), "bits", {layer.indexBits()});
}

Result<std::vector<std::byte>> build(const QuantizedModel& model) {
    BITLOOM_RETURN_IF_ERROR(checkModel(model));
    const std::string graph = graph::toJson(model.graph);
    const bool rounds = !model.activations.empty();
    const std::string activations = activationsText(model.activations);
    BITLOOM_ASSIGN_OR_RETURN(const H5Builder builder,
                             H5Builder::create(std::max(graph.size(), activations.size())));
    BITLOOM_RETURN_IF_ERROR(writeText(builder.root(), "format", kFormatName));
    BITLOOM_RETURN_IF_ERROR(
        writeIntegers(builder.root(), "version", {rounds ? kActivationVersion : kFormatVersion}));
    BITLOOM_RETURN_IF_ERROR(writeText(builder.root(), "graph", graph));
    if (rounds) BITLOOM_RETURN_IF_ERROR(writeText(builder.root(), "activations", activations));
    {
        BITLOOM_ASSIGN_OR_RETURN(const H5Handle layers, builder.addGroup(builder.root(), "layers"));
        for (const auto& [node, layer] : model.layers) {
            BITLOOM_RETURN_IF_ERROR(
                addLayer(builder, layers.get(), node, layer, model.outsideAverage.contains(node)));
        }
        BITLOOM_ASSIGN_OR_RETURN(const H5Handle rest, builder.addGroup(builder.root(), "rest"));
        for (const auto& [name, tensor] : model.rest) {
            BITLOOM_RETURN_IF_ERROR(builder.addTensor(rest.get(), name, tensor));
        }
    }
    return builder.finish();
}

Result<QuantizedTensor> readLayer(H5Image& image, hid_t layers, const std::string& node) {
    BITLOOM_ASSIGN_OR_RETURN(const H5Handle group, image.openGroup(layers, node));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Shape shape, image.readIntegers(group.get(), "shape"));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> bits, image.readIntegers(group.get(), "bits"));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor indices, image.readTensor(group.get(), "indices"));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor codebook, image.readTensor(group.get(), "codebook"));
    return unpackLayer(node, shape, bits.front(), indices, codebook);
}

/// Older files do not say.
Result<bool> isOutsideAverage(H5Image& image, hid_t layers, const std::string& node) {
    BITLOOM_ASSIGN_OR_RETURN(const H5Handle group, image.openGroup(layers, node));
    if (!H5Image::hasAttribute(group.get(), kOutsideAverage)) return false;
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> said,
                             image.readIntegers(group.get(), kOutsideAverage));
    return said.front() != 0;
}

Result<QuantizedModel> parse(std::span<const std::byte> bytes) {
    BITLOOM_ASSIGN_OR_RETURN(H5Image image, H5Image::open(bytes));
    BITLOOM_ASSIGN_OR_RETURN(const std::string format, image.readText(image.root(), "format"));
    if (format != kFormatName) return fail("its format is \"{}\", expected \"{}\"", format, kFormatName);
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> version,
                             image.readIntegers(image.root(), "version"));
    const bool rounds = version.front() == kActivationVersion;
    if (!rounds && version.front() != kFormatVersion) {
        return fail("format version {} was written by another version of Bitloom; this one reads {} and {}",
                    version.front(), kFormatVersion, kActivationVersion);
    }
    QuantizedModel model;
    if (rounds) {
        BITLOOM_ASSIGN_OR_RETURN(const std::string text, image.readText(image.root(), "activations"));
        BITLOOM_ASSIGN_OR_RETURN(model.activations, activationsFromText(text));
    }
    BITLOOM_ASSIGN_OR_RETURN(const std::string graph, image.readText(image.root(), "graph"));
    BITLOOM_ASSIGN_OR_RETURN(model.graph, graph::fromJson(graph));
    BITLOOM_ASSIGN_OR_RETURN(const H5Handle layers, image.openGroup(image.root(), "layers"));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::string> nodes, image.names(layers.get()));
    for (const std::string& node : nodes) {
        BITLOOM_ASSIGN_OR_RETURN(model.layers[node], readLayer(image, layers.get(), node));
        BITLOOM_ASSIGN_OR_RETURN(const bool outside, isOutsideAverage(image, layers.get(), node));
        if (outside) model.outsideAverage.insert(node);
    }
    BITLOOM_ASSIGN_OR_RETURN(const H5Handle rest, image.openGroup(image.root(), "rest"));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::string> tensors, image.names(rest.get()));
    for (const std::string& name : tensors) {
        BITLOOM_ASSIGN_OR_RETURN(model.rest[name], image.readTensor(rest.get(), name));
    }
    BITLOOM_RETURN_IF_ERROR(checkModel(model));
    return model;
}

}  // namespace

Status writeQuantizedHdf5(const std::filesystem::path& path, const QuantizedModel& model) {
    const H5Silence silence;
    const Result<std::vector<std::byte>> bytes = build(model);
    if (!bytes) return fail("{}: cannot export: {}", path.string(), bytes.error().message);
    return writeFileAtomically(path, *bytes);
}

Result<QuantizedModel> readQuantizedHdf5(const std::filesystem::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(path, kMaxFileBytes));
    const H5Silence silence;
    Result<QuantizedModel> model = parse(std::as_bytes(std::span(text)));
    if (!model) {
        return fail("{}: is not a whole quantized model: {}; export it again", path.string(),
                    model.error().message);
    }
    return model;
}

}  // namespace bitloom::exporting
