#include "engine/jobs/run_figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <variant>

#include "engine/base/hash.h"
#include "engine/export/quantized_safetensors.h"
#include "engine/quant/activation/activation_plan.h"
#include "engine/quant/table_figures.h"
#include "engine/train/state_layout.h"

namespace bitloom::jobs {
namespace {

/// What most convolutions and linear layers read; the least of several.
double commonActivationBits(const quant::QuantizedModel& model) {
    std::map<double, int> readers;
    for (std::size_t i = 0; i < model.graph.nodes().size(); ++i) {
        const graph::Op& op = model.graph.nodes()[i].op;
        if (!std::holds_alternative<graph::Conv2d>(op) && !std::holds_alternative<graph::Linear>(op))
            continue;
        const graph::NodeId read = quant::activationOf(model.graph, {static_cast<std::int32_t>(i)});
        const auto found = model.activations.find(model.graph.node(read).name);
        ++readers[found == model.activations.end() ? quant::kFloatBits : found->second.bits];
    }
    const auto most = std::ranges::max_element(readers, {}, [](const auto& entry) { return entry.second; });
    return most == readers.end() ? quant::kFloatBits : most->first;
}

/// Of weights, statistics, codebooks and activation scales; momentum and scores do not matter.
std::string finalHash(const train::TrainerState& state) {
    graph::StateDict parts;
    for (const auto& [name, tensor] : state.tensors) {
        const bool counts = name.starts_with(train::kModelPart) || name.starts_with(train::kQuantizerPart) ||
                            name.starts_with(train::kActivationPart);
        if (counts) parts.emplace(name, tensor);
    }
    return hashText(graph::hashState(parts));
}

}  // namespace

void addFigures(report::RunSummary& summary, const quant::QuantizedModel& model,
                const train::TrainerState& state) {
    const quant::ModelMetrics metrics = quant::measure(model);
    summary.bits = metrics.bits;
    summary.sparsity = metrics.sparsity;
    summary.nonzeroParameters = metrics.nonzeroParameters;
    summary.compressionRate = metrics.compressionRate;
    summary.weightCompression = 32 / metrics.bits;
    summary.bitOps = metrics.bitOps;
    addTableFigures(summary, model.graph, commonActivationBits(model));
    if (const auto bytes = exporting::quantizedSafetensorsBytes(model)) {
        summary.fileBytes = *bytes;
        summary.fileCompression = static_cast<double>(metrics.fp32Bytes) / static_cast<double>(*bytes);
    }
    summary.steps = state.step;
    summary.hash = finalHash(state);
}

void addTableFigures(report::RunSummary& summary, const graph::Graph& graph, double activationBits) {
    if (std::isnan(summary.bits)) return;
    const auto figures = quant::tableFigures(graph, summary.bits, activationBits);
    if (!figures) return;
    summary.meanBitsBytes = figures->bytes;
    summary.meanBitsBitOps = figures->bitOps;
}

void addAccuracies(report::RunSummary& summary, const report::MetricSample& row, std::int64_t totalSteps) {
    if (row.step < 0 || (row.step == 0 && totalSteps > 0)) return;
    summary.top1Soft = row.top1Soft;
    summary.top1Hard = row.top1Hard;
    summary.top5Soft = row.top5Soft;
    summary.top5Hard = row.top5Hard;
    summary.accuracyStep = row.step;
}

}  // namespace bitloom::jobs
