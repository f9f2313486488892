#include "engine/jobs/run_checkpoint.h"

#include <algorithm>

#include "engine/graph/graph_json.h"
#include "engine/jobs/job_inputs.h"
#include "engine/record/run_reader.h"
#include "engine/train/deployed_model.h"
#include "engine/train/executor.h"
#include "engine/train/scoring.h"
#include "engine/train/state_layout.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

Result<train::DeployedModel> newestModel(const RecordedRun& run, const fs::path& path) {
    if (!run.state) {
        return fail("{}: no checkpoint of this run in {}; train it again or resume it", path.string(),
                    run.folder(path).path().string());
    }
    return train::deployedModel(run.graph, run.stage.quantizer, run.stage.train.seed, *run.state);
}

}  // namespace

CheckpointFolder RecordedRun::folder(const fs::path& run) const {
    return CheckpointFolder(run, CheckpointFolder::identityOf(info));
}

Result<RecordedRun> readRecordedRun(const fs::path& path, report::ProgressSink& sink) {
    RecordedRun run;
    {
        BITLOOM_ASSIGN_OR_RETURN(const auto reader, record::RunReader::open(path));
        run.info = reader->info();
        BITLOOM_ASSIGN_OR_RETURN(run.summary, reader->summary());
    }
    BITLOOM_ASSIGN_OR_RETURN(run.spec, parseJob(run.info.jobToml, path.string() + " (its job)", {}));
    BITLOOM_ASSIGN_OR_RETURN(run.graph, graph::fromJson(run.info.graphJson));
    const auto warn = [&](const std::string& text) { sink.log("damaged checkpoint passed over: " + text); };
    BITLOOM_ASSIGN_OR_RETURN(run.state, run.folder(path).newest(warn));
    std::vector<JobSpec> stages = stagesOf(run.spec);
    const auto stage = run.state ? static_cast<std::size_t>(train::stageOf(run.state->tensors)) : 0;
    run.stage = std::move(stages[std::min(stage, stages.size() - 1)]);
    return run;
}

train::TrainOptions scoringOptions(const RecordedRun& run) {
    train::TrainOptions options = run.stage.train;
    if (!train::hasDevice(options.device)) options.device = "cpu";
    return options;
}

Result<quant::QuantizedModel> checkpointNetwork(const RecordedRun& run, const fs::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(train::DeployedModel deployed, newestModel(run, path));
    return std::move(deployed.model);
}

Result<quant::QuantizedModel> deployedNetwork(const RecordedRun& run, const fs::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(train::DeployedModel deployed, newestModel(run, path));
    if (deployed.calibrated) return std::move(deployed.model);
    BITLOOM_ASSIGN_OR_RETURN(const Datasets datasets, openDatasets(run.spec.data, imageSizeOf(run.graph)));
    BITLOOM_ASSIGN_OR_RETURN(
        train::Scorer scorer,
        train::Scorer::create(run.graph, trainerData(datasets, run.spec.data), scoringOptions(run)));
    BITLOOM_RETURN_IF_ERROR(scorer.calibrate(deployed.model));
    return std::move(deployed.model);
}

}  // namespace bitloom::jobs
