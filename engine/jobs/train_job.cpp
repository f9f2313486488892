// The order of writing decides what survives a kill: run file, checkpoint of step 0, then training; the
// record is flushed before each checkpoint (README.md).
#include "engine/jobs/train_job.h"

#include <chrono>
#include <cmath>
#include <ctime>
#include <utility>

#include <unistd.h>

#include "engine/graph/graph_json.h"
#include "engine/jobs/checkpoint_folder.h"
#include "engine/jobs/network_info.h"
#include "engine/jobs/recording_sink.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/jobs/run_figures.h"
#include "engine/jobs/training_session.h"
#include "engine/jobs/version.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "engine/train/caching_allocator.h"
#include "engine/train/scoring.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

std::string hostName() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

/// ISO 8601, UTC, with milliseconds: two runs of one job never start at the same time.
std::string timeNow() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[32] = {};
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    return fmt::format("{}.{:03}Z", text, milliseconds);
}

LayerComponents componentsOf(const quant::QuantizedModel& model) {
    LayerComponents components;
    for (const auto& [node, layer] : model.layers)
        components[node] = layer.components;
    return components;
}

std::vector<record::LayerLayout> layoutsOf(const report::NetworkInfo& network, const CodebookSizes& sizes,
                                           int bins) {
    std::vector<record::LayerLayout> layouts;
    for (const report::LayerInfo& layer : network.layers) {
        const auto found = sizes.find(layer.name);
        const CodebookSize size = found == sizes.end() ? CodebookSize{} : found->second;
        layouts.push_back({layer.name, size.mixtures, size.components, bins});
    }
    return layouts;
}

Result<report::RunInfo> describeRun(const TrainingSession& session, const quant::QuantizedModel& model,
                                    const CodebookSizes& sizes, const TrainRequest& request) {
    LayerComponents components = componentsOf(model);
    LayerNames outside;
    for (const auto& [node, size] : sizes) {
        components.try_emplace(node, size.components);  // quantized by a later stage
        if (size.outsideAverage) outside.insert(node);
    }
    report::RunInfo info;
    info.path = request.out.string();
    info.jobToml = toToml(session.job());
    info.command = request.command;
    info.graphJson = graph::toJson(session.graph());
    info.version = version();
    info.host = hostName();
    info.started = timeNow();
    info.seed = static_cast<std::int64_t>(session.job().train.seed);
    info.totalSteps = session.totalSteps();
    info.stepsPerEpoch = session.stepsPerEpoch();
    BITLOOM_ASSIGN_OR_RETURN(info.network, networkInfo(session.graph(), components, outside));
    return info;
}

/// A training and its run, from first to last.
struct Recording {
    TrainingSession session;
    report::RunInfo info;
    std::unique_ptr<record::RunWriter> writer;
    CheckpointFolder folder;
};

/// Full-precision accuracy of the pretrained weights, before anything is trained.
Status scoreFullPrecision(Recording& run, report::ProgressSink& sink, JobControl& control) {
    const TrainingSession& session = run.session;
    if (session.pretrained().empty() || !std::isnan(run.info.top1Fp32)) return {};
    const report::Progress progress{"evaluating full precision", 0, run.info.totalSteps, 0, report::kNoValue};
    sink.progress(progress);
    BITLOOM_ASSIGN_OR_RETURN(
        train::Scorer scorer,
        train::Scorer::create(session.graph(), trainerData(session.datasets(), session.job().data),
                              session.job().train));
    const auto goOn = [&](std::int64_t, std::int64_t) {
        sink.progress(progress);
        return control.waitWhilePaused();
    };
    BITLOOM_ASSIGN_OR_RETURN(const train::Accuracy accuracy, scorer.evaluate(session.pretrained(), goOn));
    run.info.top1Fp32 = accuracy.top1;
    sink.log(fmt::format("full precision: top-1 {:.2f} % on {} images", accuracy.top1, accuracy.images));
    return run.writer->setFp32Accuracy(accuracy.top1);
}

/// The training itself, into a run file that is open and a folder that it claims. The status of the run, not
/// of the record.
Status trainRecorded(Recording& run, RecordingSink& recorder, JobControl& control) {
    const auto save = [&](const train::TrainerState& state) -> Status {
        BITLOOM_RETURN_IF_ERROR(recorder.sync());  // a checkpoint never runs ahead of the record
        return run.folder.save(state);
    };
    TrainingSession& session = run.session;
    BITLOOM_RETURN_IF_ERROR(run.folder.claim());
    if (session.teacher()) BITLOOM_RETURN_IF_ERROR(run.folder.saveTeacher(*session.teacher()));
    if (session.trainer().step() == 0) {
        BITLOOM_ASSIGN_OR_RETURN(const train::TrainerState start, session.trainer().save());
        BITLOOM_RETURN_IF_ERROR(save(start));
    }
    BITLOOM_RETURN_IF_ERROR(scoreFullPrecision(run, recorder, control));
    recorder.runStarted(run.info);
    return session.run(recorder, control, save);
}

Status addFinalFigures(report::RunSummary& summary, const train::Trainer& trainer) {
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, trainer.quantizedModel());
    BITLOOM_ASSIGN_OR_RETURN(const train::TrainerState state, trainer.save());
    addFigures(summary, model, state);
    BITLOOM_ASSIGN_OR_RETURN(summary.mse, trainer.quantizationError());
    return {};
}

report::RunStatus statusOf(const Status& trained) {
    if (trained) return report::RunStatus::Finished;
    return trained.error().kind == ErrorKind::Cancelled ? report::RunStatus::Stopped
                                                        : report::RunStatus::Failed;
}

/// Declared before what trains, and so gone after it.
struct MemoryGivenBack {
    MemoryGivenBack() = default;
    MemoryGivenBack(const MemoryGivenBack&) = delete;
    MemoryGivenBack& operator=(const MemoryGivenBack&) = delete;
    ~MemoryGivenBack() { train::releaseCache(); }
};

/// Neither a run that could be continued nor a file of another kind is thrown away by a slip of the hand.
Status checkReplaceable(const TrainRequest& request) {
    std::error_code ignored;
    if (request.replace || !fs::exists(request.out, ignored)) return {};
    const auto reader = record::RunReader::open(request.out);
    if (!reader) {
        return usageError(
            "{} exists and is not a run that can be read; name another --out, or give --replace",
            request.out.string());
    }
    const auto summary = (*reader)->summary();
    if (!summary || summary->status == report::RunStatus::Finished) return {};
    return usageError(
        "{} holds a run that is not finished; continue it with: bitloom train --resume {}, name another "
        "--out, or give --replace",
        request.out.string(), request.out.string());
}

Error withRemedy(const Error& error, const fs::path& run) {
    if (error.kind != ErrorKind::Cancelled) return error;
    return {error.kind,
            fmt::format("{}; continue with: bitloom train --resume {}", error.message, run.string())};
}

/// Trains, closes the record whatever happens, and tells how it went. A failure to record comes first: what
/// follows from it would only confuse.
Result<report::RunSummary> runToEnd(Recording run, const fs::path& out, report::ProgressSink& sink,
                                    JobControl& control) {
    RecordingSink recorder(*run.writer, sink, control);
    Status ended = trainRecorded(run, recorder, control);
    if (!recorder.status()) ended = recorder.status();
    const auto failed = [&] { return statusOf(ended) == report::RunStatus::Failed; };
    report::RunSummary summary;
    summary.top1Fp32 = run.info.top1Fp32;
    addAccuracies(summary, run.session.trainer().lastEvaluation(), run.info.totalSteps);
    // What failed may hold NaN; its figures are those of its last checkpoint, which a report reads there.
    if (!failed()) {
        if (const Status figures = addFinalFigures(summary, run.session.trainer()); !figures) ended = figures;
    }
    summary.status = statusOf(ended);
    // A record that failed takes no more; whoever listens still hears how its run ended.
    const Status finished = run.writer->finish(summary);
    if (!finished && !failed()) ended = finished;
    summary.status = statusOf(ended);
    sink.runFinished(summary);
    if (!ended) return withRemedy(ended.error(), out);
    return summary;
}

}  // namespace

Result<report::RunSummary> runTrainJob(const TrainRequest& request, report::ProgressSink& sink,
                                       JobControl& control) {
    const MemoryGivenBack afterwards;
    if (request.out.empty()) return usageError("name the run file to write: --out run.h5");
    std::error_code ignored;
    if (fs::is_directory(request.out, ignored)) {
        return usageError("{} is a folder; name the run file to write, for example {}/run.h5",
                          request.out.string(), request.out.string());
    }
    BITLOOM_RETURN_IF_ERROR(checkReplaceable(request));
    sink.progress({"initialising", 0, 0, 0, report::kNoValue});
    // What is recorded must be readable again, whoever filled in the job; paths become absolute on the way.
    BITLOOM_ASSIGN_OR_RETURN(JobSpec spec, parseJob(toToml(request.spec), "job", {}));
    BITLOOM_ASSIGN_OR_RETURN(TrainingSession session, TrainingSession::start(std::move(spec), sink));
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, session.trainer().quantizedModel());
    BITLOOM_ASSIGN_OR_RETURN(const CodebookSizes sizes, session.codebookSizes(model));
    BITLOOM_ASSIGN_OR_RETURN(report::RunInfo info, describeRun(session, model, sizes, request));
    CheckpointFolder folder(request.out, CheckpointFolder::identityOf(info));
    // With the folder of the run itself. Before the run file, which would then ask for --replace; what the
    // folder holds stays until the run file is ours.
    BITLOOM_RETURN_IF_ERROR(folder.make());
    const auto layouts = layoutsOf(info.network, sizes, session.job().record.bins);
    BITLOOM_ASSIGN_OR_RETURN(auto writer, record::RunWriter::create(request.out, info, layouts));
    return runToEnd({std::move(session), std::move(info), std::move(writer), std::move(folder)}, request.out,
                    sink, control);
}

Result<report::RunSummary> resumeTrainJob(const fs::path& path, report::ProgressSink& sink,
                                          JobControl& control) {
    const MemoryGivenBack afterwards;
    sink.progress({"initialising", 0, 0, 0, report::kNoValue});
    BITLOOM_ASSIGN_OR_RETURN(RecordedRun run, readRecordedRun(path, sink));
    if (run.summary.status == report::RunStatus::Finished) {
        sink.log(fmt::format("{}: the run is finished", path.string()));
        return run.summary;
    }
    CheckpointFolder folder = run.folder(path);
    if (!run.state && !folder.isEmpty()) {
        return fail(
            "{}: no checkpoint of this run can be read in {}; put that folder back beside the run file, or "
            "train the job again with another --out",
            path.string(), folder.path().string());
    }
    const std::int64_t step = run.state ? run.state->step : 0;
    sink.log(fmt::format("{}: continuing from step {} of {}", path.string(), step, run.info.totalSteps));
    BITLOOM_ASSIGN_OR_RETURN(TrainingSession session, TrainingSession::resume(run, folder, sink));
    if (session.totalSteps() != run.info.totalSteps) {
        return fail("{}: the run has {} steps, its job now makes {}: the training set has changed",
                    path.string(), run.info.totalSteps, session.totalSteps());
    }
    // A run at step 0 records its start once more.
    BITLOOM_ASSIGN_OR_RETURN(auto writer, record::RunWriter::resume(path, step > 0 ? step : -1));
    BITLOOM_RETURN_IF_ERROR(folder.dropAfter(step));
    return runToEnd({std::move(session), std::move(run.info), std::move(writer), std::move(folder)}, path,
                    sink, control);
}

}  // namespace bitloom::jobs
