#include "engine/jobs/inspect_job.h"

#include <cmath>
#include <utility>

#include "engine/checkpoint/name_matching.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/job_inputs.h"
#include "engine/jobs/network_info.h"
#include "engine/record/run_reader.h"
#include "engine/stats/histogram.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

TensorInfo describeTensor(const std::string& key, const graph::Tensor& tensor) {
    TensorInfo info{key, graph::toText(tensor.dtype), tensor.shape, 0, 0, 0, 0, 0};
    double sum = 0;
    double squares = 0;
    std::int64_t finite = 0;
    for (const float value : tensor.toFloats()) {
        if (!std::isfinite(value)) {
            ++info.nonFinite;
            continue;
        }
        const auto x = static_cast<double>(value);
        info.minimum = finite == 0 ? x : std::min(info.minimum, x);
        info.maximum = finite == 0 ? x : std::max(info.maximum, x);
        sum += x;
        squares += x * x;
        ++finite;
    }
    if (finite > 0) {
        const auto count = static_cast<double>(finite);
        info.mean = sum / count;
        info.deviation = std::sqrt(std::max(0.0, squares / count - info.mean * info.mean));
    }
    return info;
}

/// The weights' histogram, as a training run records it before its first step.
report::LayerSnapshotPtr snapshotOf(const report::LayerInfo& layer, const graph::StateDict& state) {
    const auto weight = state.find(layer.name + ".weight");
    if (weight == state.end()) return nullptr;
    const std::vector<float> values = weight->second.toFloats();
    auto snapshot = std::make_shared<report::LayerSnapshot>();
    snapshot->layer = layer.name;
    snapshot->bits = layer.bits;
    snapshot->weights = stats::buildHistogram(values, stats::histogramRange(values));
    return snapshot;
}

void addSnapshots(InspectResult& result, const graph::StateDict& state) {
    for (const report::LayerInfo& layer : result.network.layers) {
        if (auto snapshot = snapshotOf(layer, state)) result.snapshots.push_back(std::move(snapshot));
    }
}

Status addPacked(InspectResult& result, const quant::QuantizedModel& model) {
    LayerComponents components;
    for (const auto& [node, layer] : model.layers)
        components[node] = layer.components;
    result.arch = model.graph.arch();
    BITLOOM_ASSIGN_OR_RETURN(result.network, networkInfo(model.graph, components, model.outsideAverage));
    result.mapping = fmt::format("packed network, {} of {} layers quantized", model.layers.size(),
                                 result.network.layers.size());
    addSnapshots(result, model.dequantize());
    return {};
}

/// Fits the weights to a network. What does not fit is in the mapping report, not an error.
Status addNetwork(InspectResult& result, const checkpoint::Checkpoint& checkpoint, const std::string& arch) {
    result.arch = arch.empty() ? checkpoint::guessArchitecture(checkpoint) : arch;
    if (result.arch.empty()) {
        result.mapping = "no known network fits these weights";
        return {};
    }
    BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::zoo::makeModel(result.arch));
    BITLOOM_ASSIGN_OR_RETURN(result.network, networkInfo(graph));
    const auto mapped = checkpoint::mapWeights(graph, checkpoint);
    if (!mapped) {
        result.mapping = mapped.error().message;  // NaN in a tensor: still worth looking at
        return {};
    }
    result.mapping = mapped->report.toText();
    addSnapshots(result, mapped->state);
    return {};
}

}  // namespace

Result<InspectResult> inspectWeights(const fs::path& path, const std::string& arch) {
    if (record::RunReader::open(path)) {
        return usageError("{} is a run, not a weight file; look at it with: bitloom report {}", path.string(),
                          path.string());
    }
    BITLOOM_ASSIGN_OR_RETURN(checkpoint::Checkpoint checkpoint, checkpoint::readCheckpoint(path));
    InspectResult result;
    result.path = path.string();
    result.format = checkpoint::toText(checkpoint.format);
    std::error_code code;
    result.bytes = static_cast<std::int64_t>(fs::file_size(path, code));
    for (const auto& [key, tensor] : checkpoint.tensors)
        result.tensors.push_back(describeTensor(key, tensor));
    BITLOOM_ASSIGN_OR_RETURN(const auto packed, packedNetwork(checkpoint, path));
    BITLOOM_RETURN_IF_ERROR(packed ? addPacked(result, *packed) : addNetwork(result, checkpoint, arch));
    result.metadata = std::move(checkpoint.metadata);
    return result;
}

}  // namespace bitloom::jobs
