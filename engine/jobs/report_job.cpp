#include "engine/jobs/report_job.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/graph/graph_json.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/jobs/run_figures.h"
#include "engine/jobs/run_playback.h"
#include "engine/quant/activation/activation_plan.h"

namespace bitloom::jobs {
namespace {

std::vector<LayerReport> reportLayers(const report::NetworkInfo& network,
                                      const std::vector<report::LayerSnapshotPtr>& snapshots) {
    std::map<std::string, report::LayerSnapshotPtr> byName;
    for (const report::LayerSnapshotPtr& snapshot : snapshots)
        byName[snapshot->layer] = snapshot;
    std::vector<LayerReport> layers;
    for (const report::LayerInfo& info : network.layers) {
        LayerReport layer;
        layer.info = info;
        if (!info.quantized) layer.packedBytes = report::packedWeightBytes(info.weights, {});
        if (const auto found = byName.find(info.name); found != byName.end()) {
            const report::LayerSnapshot& snapshot = *found->second;
            layer.info.bits = snapshot.bits;  // they may have changed since the run began
            layer.sparsity = snapshot.sparsity;
            layer.mse = snapshot.mse;
            layer.softHardGap = snapshot.softHardGap;
            layer.packedBytes = report::packedWeightBytes(info.weights, snapshot.mixtures);
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

/// Of what each layer reads, as the run's job says; what a later stage rounds, or comes after the last step,
/// counts once the run is finished.
Status addActivationBits(RunReport& report) {
    BITLOOM_ASSIGN_OR_RETURN(const JobSpec spec, parseJob(report.info.jobToml, "its job", {}));
    const quant::ActivationOptions options = stagesOf(spec).back().quantizer.activation;
    const bool later = options.method == quant::ActivationMethod::Ptq || spec.stages.size() > 1;
    if (later && report.summary.status != report::RunStatus::Finished) return {};
    BITLOOM_ASSIGN_OR_RETURN(const graph::Graph graph, graph::fromJson(report.info.graphJson));
    BITLOOM_ASSIGN_OR_RETURN(const auto planned, quant::planActivations(graph, options));
    for (LayerReport& layer : report.layers) {
        const auto id = graph.find(layer.info.name);
        if (!id) continue;
        const std::string& source = graph.node(quant::activationOf(graph, *id)).name;
        const auto found = std::ranges::find(planned, source, &quant::PlannedActivation::node);
        if (found != planned.end()) layer.activationBits = found->bits;
    }
    return {};
}

/// Over the weights of all layers that had a codebook then; NaN where none had.
double meanError(const report::NetworkInfo& network, const std::vector<report::LayerSnapshotPtr>& snapshots) {
    double squares = 0;
    double weights = 0;
    for (const report::LayerSnapshotPtr& snapshot : snapshots) {
        const auto layer = std::ranges::find(network.layers, snapshot->layer, &report::LayerInfo::name);
        if (layer == network.layers.end() || snapshot->mixtures.empty()) continue;
        squares += snapshot->mse * static_cast<double>(layer->weights);
        weights += static_cast<double>(layer->weights);
    }
    return weights > 0 ? squares / weights : report::kNoValue;
}

/// Of a run that was recorded before its summary held them.
void addMissingTableFigures(RunReport& report) {
    if (!std::isnan(report.summary.meanBitsBitOps) || report.layers.empty()) return;
    const auto graph = graph::fromJson(report.info.graphJson);
    if (!graph) return;
    std::map<double, int> readers;
    for (const LayerReport& layer : report.layers)
        ++readers[layer.activationBits];
    const auto most = std::ranges::max_element(readers, {}, [](const auto& entry) { return entry.second; });
    addTableFigures(report.summary, *graph, most->first);
}

/// What a run knows that never got to write its summary: the accuracies of its record.
report::RunSummary unfinishedSummary(const report::RunInfo& info, report::RunStatus status,
                                     const std::vector<report::MetricSample>& metrics) {
    report::RunSummary summary;
    summary.status = status;
    summary.top1Fp32 = info.top1Fp32;
    for (const report::MetricSample& row : metrics) {
        if (!std::isnan(row.top1Hard)) addAccuracies(summary, row, info.totalSteps);
    }
    return summary;
}

/// The other figures, from the newest checkpoint; unknown without one.
Status addCheckpointFigures(report::RunSummary& summary, const std::filesystem::path& path) {
    report::ProgressSink silent;
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(path, silent));
    if (!run.state) return {};
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, checkpointNetwork(run, path));
    addFigures(summary, model, *run.state);
    return {};
}

}  // namespace

Result<RunReport> reportRun(const std::filesystem::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(const auto playback, RunPlayback::open(path));
    RunReport report;
    report.info = playback->info();
    BITLOOM_ASSIGN_OR_RETURN(report.summary, playback->summary());
    BITLOOM_ASSIGN_OR_RETURN(const auto snapshots, playback->layers(report.info.totalSteps));
    report.layers = reportLayers(report.info.network, snapshots);
    const report::RunStatus status = report.summary.status;
    if (status == report::RunStatus::Running || status == report::RunStatus::Failed) {
        BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::MetricSample> metrics, playback->metrics());
        report.summary = unfinishedSummary(report.info, status, metrics);
        BITLOOM_RETURN_IF_ERROR(addCheckpointFigures(report.summary, path));
        BITLOOM_ASSIGN_OR_RETURN(const auto saved, playback->layers(report.summary.steps));
        if (report.summary.steps >= 0) report.summary.mse = meanError(report.info.network, saved);
    } else if (status == report::RunStatus::Finished) {
        report.summary.mse = meanError(report.info.network, snapshots);  // old runs of RDHS and SGT say 0
    }
    BITLOOM_RETURN_IF_ERROR(addActivationBits(report));
    addMissingTableFigures(report);
    report.steps = status == report::RunStatus::Finished ? report.info.totalSteps : report.summary.steps;
    return report;
}

std::int64_t checkpointStep(const std::filesystem::path& run) {
    return CheckpointFolder(run, "").newestStep();
}

}  // namespace bitloom::jobs
