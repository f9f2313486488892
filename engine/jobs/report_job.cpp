#include "engine/jobs/report_job.h"

#include <bit>
#include <cmath>
#include <map>

#include "engine/jobs/run_checkpoint.h"
#include "engine/jobs/run_figures.h"
#include "engine/jobs/run_playback.h"

namespace bitloom::jobs {
namespace {

/// Packed indices and codebooks as exported; float32 without mixtures.
std::int64_t packedBytes(const report::LayerInfo& layer, const report::LayerSnapshot& snapshot) {
    if (snapshot.mixtures.empty()) return layer.weights * static_cast<std::int64_t>(sizeof(float));
    const std::size_t components = snapshot.mixtures.front().components.size();
    const auto bits = static_cast<std::int64_t>(std::bit_width(components - 1));
    const auto codebooks = static_cast<std::int64_t>(snapshot.mixtures.size() * components * sizeof(float));
    return (layer.weights * bits + 7) / 8 + codebooks;
}

std::vector<LayerReport> reportLayers(const report::NetworkInfo& network,
                                      const std::vector<report::LayerSnapshotPtr>& snapshots) {
    std::map<std::string, report::LayerSnapshotPtr> byName;
    for (const report::LayerSnapshotPtr& snapshot : snapshots)
        byName[snapshot->layer] = snapshot;
    std::vector<LayerReport> layers;
    for (const report::LayerInfo& info : network.layers) {
        LayerReport layer{info, 0, 0, 0, info.weights * static_cast<std::int64_t>(sizeof(float))};
        if (const auto found = byName.find(info.name); found != byName.end()) {
            const report::LayerSnapshot& snapshot = *found->second;
            layer.sparsity = snapshot.sparsity;
            layer.mse = snapshot.mse;
            layer.softHardGap = snapshot.softHardGap;
            layer.packedBytes = packedBytes(info, snapshot);
        }
        layers.push_back(std::move(layer));
    }
    return layers;
}

/// A run that never got to write its summary: from the newest checkpoint and the rows of the record.
Status addUnfinishedFigures(RunReport& report, const std::filesystem::path& path,
                            const std::vector<report::MetricSample>& metrics) {
    for (const report::MetricSample& row : metrics) {
        if (!std::isnan(row.top1Hard)) addAccuracies(report.summary, row);
    }
    report::ProgressSink silent;
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(path, silent));
    if (!run.state) return {};
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, checkpointNetwork(run, path));
    addFigures(report.summary, model, *run.state);
    return {};
}

}  // namespace

Result<RunReport> reportRun(const std::filesystem::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(const auto playback, RunPlayback::open(path));
    RunReport report;
    report.info = playback->info();
    BITLOOM_ASSIGN_OR_RETURN(report.summary, playback->summary());
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::MetricSample> metrics, playback->metrics());
    if (!metrics.empty()) report.steps = metrics.back().step;
    BITLOOM_ASSIGN_OR_RETURN(const auto snapshots, playback->layers(report.info.totalSteps));
    report.layers = reportLayers(report.info.network, snapshots);
    // Finished and stopped runs wrote their figures; one that runs, failed or was killed did not.
    if (report.summary.fileBytes == 0) {
        report.summary.top1Fp32 = report.info.top1Fp32;
        BITLOOM_RETURN_IF_ERROR(addUnfinishedFigures(report, path, metrics));
    }
    return report;
}

}  // namespace bitloom::jobs
