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
#include "engine/jobs/job_inputs.h"
#include "engine/jobs/network_info.h"
#include "engine/jobs/recording_sink.h"
#include "engine/jobs/run_checkpoint.h"
#include "engine/jobs/run_figures.h"
#include "engine/jobs/version.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "engine/train/deployed_model.h"
#include "engine/train/scoring.h"
#include "engine/train/state_layout.h"
#include "engine/train/trainer.h"

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

/// A job with everything that it needs in memory.
struct Session {
    JobSpec spec;
    Network network;  ///< its state: the pretrained weights, empty without
    Datasets datasets;
    std::optional<train::Teacher> teacher;  ///< with train.distillation
    std::unique_ptr<train::Trainer> trainer;
    report::RunInfo info;
};

Status makeTrainer(Session& session, const graph::StateDict& start,
                   const quant::QuantizerOptions& quantizer) {
    BITLOOM_ASSIGN_OR_RETURN(
        session.trainer,
        train::Trainer::create(session.network.graph, start, quantizer, session.spec.train,
                               trainerData(session.datasets, session.spec.data), session.spec.record.every,
                               session.spec.record.bins, session.teacher));
    return {};
}

/// What the job's distillation follows: its own file, or the weights that the run starts from. Nothing where
/// there is neither; the trainer says so.
Result<std::optional<train::Teacher>> loadTeacher(const Session& session) {
    const JobSpec& spec = session.spec;
    if (spec.train.distillation == 0) return std::optional<train::Teacher>();
    if (!spec.model.teacher.empty()) {
        BITLOOM_ASSIGN_OR_RETURN(const NetworkSource source,
                                 NetworkSource::open({.weights = spec.model.teacher}));
        BITLOOM_ASSIGN_OR_RETURN(Network network, source.build(*session.datasets.train, spec.data.source));
        return std::optional(train::Teacher{std::move(network.graph), std::move(network.state)});
    }
    if (session.network.state.empty()) return std::optional<train::Teacher>();
    return std::optional(train::Teacher{session.network.graph, session.network.state});
}

LayerComponents componentsOf(const quant::QuantizedModel& model) {
    LayerComponents components;
    for (const auto& [node, layer] : model.layers)
        components[node] = layer.components;
    return components;
}

std::vector<record::LayerLayout> layoutsOf(const report::NetworkInfo& network,
                                           const quant::QuantizedModel& model, int bins) {
    std::vector<record::LayerLayout> layouts;
    for (const report::LayerInfo& layer : network.layers) {
        const auto quantized = model.layers.find(layer.name);
        if (quantized == model.layers.end()) {
            layouts.push_back({layer.name, 1, 0, bins});
        } else {
            layouts.push_back({layer.name, quantized->second.groups, quantized->second.components, bins});
        }
    }
    return layouts;
}

Result<report::RunInfo> describeRun(const Session& session, const TrainRequest& request,
                                    const quant::QuantizedModel& model) {
    report::RunInfo info;
    info.path = request.out.string();
    info.jobToml = toToml(session.spec);
    info.command = request.command;
    info.graphJson = graph::toJson(session.network.graph);
    info.version = version();
    info.host = hostName();
    info.started = timeNow();
    info.seed = static_cast<std::int64_t>(session.spec.train.seed);
    info.totalSteps = session.trainer->totalSteps();
    info.stepsPerEpoch = session.trainer->stepsPerEpoch();
    BITLOOM_ASSIGN_OR_RETURN(info.network, networkInfo(session.network.graph, componentsOf(model)));
    return info;
}

Result<Session> startSession(JobSpec spec) {
    Session session;
    session.spec = std::move(spec);
    BITLOOM_ASSIGN_OR_RETURN(JobInputs inputs, loadInputs(session.spec));
    session.network = std::move(inputs.network);
    session.datasets = std::move(inputs.datasets);
    BITLOOM_ASSIGN_OR_RETURN(session.teacher, loadTeacher(session));
    BITLOOM_RETURN_IF_ERROR(makeTrainer(session, session.network.state, session.spec.quantizer));
    return session;
}

/// From a checkpoint, which has all the weights; without one the run starts again from its job.
Result<Session> continueSession(RecordedRun run, const CheckpointFolder& folder) {
    Session session;
    if (!run.state) {
        BITLOOM_ASSIGN_OR_RETURN(session, startSession(std::move(run.spec)));
    } else {
        session.spec = std::move(run.spec);
        session.network.graph = std::move(run.graph);
        BITLOOM_ASSIGN_OR_RETURN(session.datasets,
                                 openDatasets(session.spec.data, imageSizeOf(session.network.graph)));
        if (session.spec.train.distillation > 0) {
            BITLOOM_ASSIGN_OR_RETURN(session.teacher, folder.teacher());
        }
        const graph::StateDict start = train::partOf(run.state->tensors, train::kModelPart);
        if (run.state->step == 0 && !session.spec.model.weights.empty()) session.network.state = start;
        BITLOOM_RETURN_IF_ERROR(
            makeTrainer(session, start, train::optionsOf(session.spec.quantizer, run.state->tensors)));
        BITLOOM_RETURN_IF_ERROR(session.trainer->restore(*run.state));
    }
    session.info = std::move(run.info);
    if (session.trainer->totalSteps() != session.info.totalSteps) {
        return fail("{}: the run has {} steps, its job now makes {}: the training set has changed",
                    session.info.path, session.info.totalSteps, session.trainer->totalSteps());
    }
    return session;
}

/// Full-precision accuracy of the pretrained weights, before anything is trained.
Status scoreFullPrecision(Session& session, record::RunWriter& writer, report::ProgressSink& sink,
                          JobControl& control) {
    if (session.network.state.empty() || !std::isnan(session.info.top1Fp32)) return {};
    const report::Progress progress{"evaluating full precision", 0, session.info.totalSteps, 0,
                                    report::kNoValue};
    sink.progress(progress);
    BITLOOM_ASSIGN_OR_RETURN(
        train::Scorer scorer,
        train::Scorer::create(session.network.graph, trainerData(session.datasets, session.spec.data),
                              session.spec.train));
    const auto goOn = [&](std::int64_t, std::int64_t) {
        sink.progress(progress);
        return control.waitWhilePaused();
    };
    BITLOOM_ASSIGN_OR_RETURN(const train::Accuracy accuracy, scorer.evaluate(session.network.state, goOn));
    session.info.top1Fp32 = accuracy.top1;
    sink.log(fmt::format("full precision: top-1 {:.2f} % on {} images", accuracy.top1, accuracy.images));
    return writer.setFp32Accuracy(accuracy.top1);
}

/// The training itself, into a run file that is open and a folder that it claims. The status of the run, not
/// of the record.
Status trainRecorded(Session& session, record::RunWriter& writer, RecordingSink& recorder,
                     CheckpointFolder& folder, JobControl& control) {
    const auto save = [&](const train::TrainerState& state) -> Status {
        BITLOOM_RETURN_IF_ERROR(recorder.sync());  // a checkpoint never runs ahead of the record
        return folder.save(state);
    };
    BITLOOM_RETURN_IF_ERROR(folder.claim());
    if (session.teacher) BITLOOM_RETURN_IF_ERROR(folder.saveTeacher(*session.teacher));
    if (session.trainer->step() == 0) {
        BITLOOM_ASSIGN_OR_RETURN(const train::TrainerState start, session.trainer->save());
        BITLOOM_RETURN_IF_ERROR(save(start));
    }
    BITLOOM_RETURN_IF_ERROR(scoreFullPrecision(session, writer, recorder, control));
    recorder.runStarted(session.info);
    return session.trainer->run(recorder, control, save);
}

Status addFinalFigures(report::RunSummary& summary, const Session& session) {
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, session.trainer->quantizedModel());
    BITLOOM_ASSIGN_OR_RETURN(const train::TrainerState state, session.trainer->save());
    addFigures(summary, model, state);
    return {};
}

report::RunStatus statusOf(const Status& trained) {
    if (trained) return report::RunStatus::Finished;
    return trained.error().kind == ErrorKind::Cancelled ? report::RunStatus::Stopped
                                                        : report::RunStatus::Failed;
}

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
        "--out, "
        "or give --replace",
        request.out.string(), request.out.string());
}

Error withRemedy(const Error& error, const fs::path& run) {
    if (error.kind != ErrorKind::Cancelled) return error;
    return {error.kind,
            fmt::format("{}; continue with: bitloom train --resume {}", error.message, run.string())};
}

/// Trains, closes the record whatever happens, and tells how it went. A failure to record comes first: what
/// follows from it would only confuse.
Result<report::RunSummary> runSession(Session session, std::unique_ptr<record::RunWriter> writer,
                                      CheckpointFolder folder, const fs::path& out,
                                      report::ProgressSink& sink, JobControl& control) {
    RecordingSink recorder(*writer, sink, control);
    Status ended = trainRecorded(session, *writer, recorder, folder, control);
    if (!recorder.status()) ended = recorder.status();
    const auto failed = [&] { return statusOf(ended) == report::RunStatus::Failed; };
    report::RunSummary summary;
    summary.top1Fp32 = session.info.top1Fp32;
    addAccuracies(summary, session.trainer->lastEvaluation());
    // What failed may hold NaN; its figures are those of its last checkpoint, which a report reads there.
    if (!failed()) {
        if (const Status figures = addFinalFigures(summary, session); !figures) ended = figures;
    }
    summary.status = statusOf(ended);
    // A record that failed takes no more; whoever listens still hears how its run ended.
    const Status finished = writer->finish(summary);
    if (!finished && !failed()) ended = finished;
    summary.status = statusOf(ended);
    sink.runFinished(summary);
    if (!ended) return withRemedy(ended.error(), out);
    return summary;
}

}  // namespace

Result<report::RunSummary> runTrainJob(const TrainRequest& request, report::ProgressSink& sink,
                                       JobControl& control) {
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
    BITLOOM_ASSIGN_OR_RETURN(Session session, startSession(std::move(spec)));
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model, session.trainer->quantizedModel());
    BITLOOM_ASSIGN_OR_RETURN(session.info, describeRun(session, request, model));
    CheckpointFolder folder(request.out, CheckpointFolder::identityOf(session.info));
    // With the folder of the run itself. Before the run file, which would then ask for --replace; what the
    // folder holds stays until the run file is ours.
    BITLOOM_RETURN_IF_ERROR(folder.make());
    BITLOOM_ASSIGN_OR_RETURN(auto writer, record::RunWriter::create(request.out, session.info,
                                                                    layoutsOf(session.info.network, model,
                                                                              session.spec.record.bins)));
    return runSession(std::move(session), std::move(writer), std::move(folder), request.out, sink, control);
}

Result<report::RunSummary> resumeTrainJob(const fs::path& path, report::ProgressSink& sink,
                                          JobControl& control) {
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
            "train "
            "the job again with another --out",
            path.string(), folder.path().string());
    }
    const std::int64_t step = run.state ? run.state->step : 0;
    sink.log(fmt::format("{}: continuing from step {} of {}", path.string(), step, run.info.totalSteps));
    BITLOOM_ASSIGN_OR_RETURN(Session session, continueSession(std::move(run), folder));
    // A run at step 0 records its start once more.
    BITLOOM_ASSIGN_OR_RETURN(auto writer, record::RunWriter::resume(path, step > 0 ? step : -1));
    BITLOOM_RETURN_IF_ERROR(folder.dropAfter(step));
    return runSession(std::move(session), std::move(writer), std::move(folder), path, sink, control);
}

}  // namespace bitloom::jobs
