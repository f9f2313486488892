// A recorded run together with its newest checkpoint: what resume, export, evaluate and report start from.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/base/job_control.h"
#include "engine/jobs/checkpoint_folder.h"
#include "engine/jobs/job_spec.h"
#include "engine/quant/quantized_model.h"
#include "engine/report/progress_sink.h"
#include "engine/report/run.h"

namespace bitloom::jobs {

struct RecordedRun {
    report::RunInfo info;
    report::RunSummary summary;  ///< as the file has it; figures only once it is not Running
    JobSpec spec;                ///< the whole job
    JobSpec stage;               ///< the training that the checkpoint is of; without one, the first
    graph::Graph graph{""};
    std::optional<train::TrainerState> state;  ///< newest whole checkpoint
    [[nodiscard]] CheckpointFolder folder(const std::filesystem::path& run) const;
};

/// Opens, reads and closes the run file and looks for its checkpoint. Damaged checkpoints are logged to
/// `sink`.
[[nodiscard]] Result<RecordedRun> readRecordedRun(const std::filesystem::path& run,
                                                  report::ProgressSink& sink);

/// The run's options for scoring it here: on the CPU where the device it was trained on is absent.
[[nodiscard]] train::TrainOptions scoringOptions(const RecordedRun& run);

/// The quantized network of the newest checkpoint, batch norm as it was last scored or, when the run was not
/// scored at that step, re-estimated now on its training set.
[[nodiscard]] Result<quant::QuantizedModel> deployedNetwork(const RecordedRun& run,
                                                            const std::filesystem::path& path);

/// The same without its training set: batch norm as it is in the checkpoint.
[[nodiscard]] Result<quant::QuantizedModel> checkpointNetwork(const RecordedRun& run,
                                                              const std::filesystem::path& path);

}  // namespace bitloom::jobs
