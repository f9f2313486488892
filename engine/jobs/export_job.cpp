#include "engine/jobs/export_job.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/export/quantized_hdf5.h"
#include "engine/export/quantized_safetensors.h"
#include "engine/jobs/bundle_export.h"
#include "engine/jobs/job_inputs.h"
#include "engine/jobs/rounded_network.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/jobs/strategy_file.h"
#include "engine/train/runtime.h"
#include "engine/train/scoring.h"
#include "engine/train/state_layout.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

/// One line a format.
struct Format {
    const char* name;
    Status (*write)(const fs::path&, const quant::QuantizedModel&);
    Result<quant::QuantizedModel> (*read)(const fs::path&);
};
constexpr const char* kBundle = "bundle";
constexpr const char* kStrategy = "strategy";
constexpr std::array kFormats{
    Format{"safetensors", &exporting::writeQuantizedSafetensors, &exporting::readQuantizedSafetensors},
    Format{"hdf5", &exporting::writeQuantizedHdf5, &exporting::readQuantizedHdf5},
};

Result<Format> formatByName(const std::string& name) {
    const auto found = std::ranges::find(kFormats, name, &Format::name);
    if (found != kFormats.end()) return *found;
    const std::vector<std::string> known = exportFormats();
    return usageError("unknown export format '{}'; did you mean {}? Known: {}", name,
                      nearestName(name, known), joinNames(known));
}

bool equal(const quant::QuantizedTensor& a, const quant::QuantizedTensor& b) {
    return a.shape == b.shape && a.groups == b.groups && a.components == b.components &&
           a.codebook == b.codebook && a.indices == b.indices;
}

bool identical(const quant::QuantizedModel& a, const quant::QuantizedModel& b) {
    return graph::hashState(a.rest) == graph::hashState(b.rest) && a.activations == b.activations &&
           std::ranges::equal(a.layers, b.layers, [](const auto& left, const auto& right) {
               return left.first == right.first && equal(left.second, right.second);
           });
}

/// The images that the run scores itself with.
Result<Datasets> openImages(const RecordedRun& run) {
    auto datasets = openTestSet(run.spec.data, imageSizeOf(run.graph));
    if (datasets) return datasets;
    return Error{datasets.error().kind,
                 fmt::format("{}\nTo export without scoring the file: --no-check", datasets.error().message)};
}

/// Top-1 of the network as read back.
Result<double> scoreFile(const RecordedRun& run, const Datasets& datasets, const quant::QuantizedModel& model,
                         report::ProgressSink& sink, JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(
        train::Scorer scorer,
        train::Scorer::create(model.graph, trainerData(datasets, run.spec.data), scoringOptions(run)));
    const auto progress = [&](std::int64_t done, std::int64_t total) {
        sink.progress({"checking the file", done, total, 0, report::kNoValue});
        return control.waitWhilePaused();
    };
    BITLOOM_ASSIGN_OR_RETURN(const train::Accuracy accuracy, scorer.evaluate(model, progress));
    return accuracy.top1;
}

Status checkExport(const ExportRequest& request) {
    if (request.out.empty()) return usageError("name the file to write: --out net.{}", request.to);
    std::error_code ignored;
    if (fs::equivalent(request.run, request.out, ignored)) {
        return usageError("{}: the export would replace the run itself; choose another --out",
                          request.out.string());
    }
    return {};
}

/// The bits of its layers, for other jobs to follow.
Result<ExportResult> exportStrategy(const ExportRequest& request, report::ProgressSink& sink) {
    BITLOOM_RETURN_IF_ERROR(checkExport(request));
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(request.run, sink));
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, checkpointNetwork(run, request.run));
    if (model.layers.empty()) {
        return fail("{}: no layer of {} is quantized, so there are no bits to export", request.run.string(),
                    model.graph.arch());
    }
    const Strategy strategy = strategyOf(model);
    const std::string text = toToml(strategy, model);
    BITLOOM_RETURN_IF_ERROR(writeFileAtomically(request.out, text));
    BITLOOM_ASSIGN_OR_RETURN(const Strategy reread, readStrategy(request.out));
    ExportResult result;
    result.path = request.out.string();
    result.format = kStrategy;
    result.bytes = static_cast<std::int64_t>(text.size());
    result.fp32Bytes = quant::measure(model).fp32Bytes;
    result.identical = reread.network == strategy.network && reread.bits == strategy.bits;
    return result;
}

}  // namespace

std::vector<std::string> exportFormats() {
    std::vector<std::string> names;
    for (const Format& format : kFormats)
        names.emplace_back(format.name);
    names.emplace_back(kBundle);
    names.emplace_back(kStrategy);
    return names;
}

Result<ExportResult> runExportJob(const ExportRequest& request, report::ProgressSink& sink,
                                  JobControl& control) {
    if (request.to == kBundle) return exportBundle(request, sink, control);
    if (request.to == kStrategy) return exportStrategy(request, sink);
    BITLOOM_ASSIGN_OR_RETURN(const Format format, formatByName(request.to));
    BITLOOM_RETURN_IF_ERROR(checkExport(request));
    sink.progress({"exporting", 0, 0, 0, report::kNoValue});
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(request.run, sink));
    train::configureTorch(run.spec.train.threads);
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model,
                             roundedNetwork(run, request.run, request.overrides, sink, control));
    Datasets images;  // before the file is there, which a failure would leave behind
    if (request.validate) {
        BITLOOM_ASSIGN_OR_RETURN(images, openImages(run));
    }
    BITLOOM_RETURN_IF_ERROR(format.write(request.out, model));
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel reread, format.read(request.out));

    ExportResult result;
    result.path = request.out.string();
    result.format = format.name;
    std::error_code code;
    result.bytes = static_cast<std::int64_t>(fs::file_size(request.out, code));
    if (code) return fail("{}: cannot read its size: {}", result.path, code.message());
    result.fp32Bytes = quant::measure(model).fp32Bytes;
    result.compression = static_cast<double>(result.fp32Bytes) / static_cast<double>(result.bytes);
    result.identical = identical(model, reread);
    const report::MetricSample evaluation = train::readEvaluation(run.state->tensors);
    result.top1Run = evaluation.step == run.state->step ? evaluation.top1Hard : report::kNoValue;
    result.top1File = report::kNoValue;
    if (request.validate) {
        BITLOOM_ASSIGN_OR_RETURN(result.top1File, scoreFile(run, images, reread, sink, control));
    }
    return result;
}

}  // namespace bitloom::jobs
