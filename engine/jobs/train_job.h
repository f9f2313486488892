// Train a job and record it; resume a recorded run. What `bitloom train` and the window's Start button call.
#pragma once

#include <filesystem>
#include <string>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/jobs/job_spec.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct TrainRequest {
    JobSpec spec;
    std::filesystem::path out;  ///< run file to write; checkpoints stand beside it as <out>.ckpt
    std::string command;        ///< recorded as the command that repeats the job
    bool replace = false;       ///< an unfinished run in `out` too; a finished one is replaced without asking
};

/// Runs on the calling thread until done. Stopped: the run is saved, resumable, and the error is of kind
/// Cancelled. A run that `out` holds already, with its checkpoints, is replaced once the job has its data.
[[nodiscard]] Result<report::RunSummary> runTrainJob(const TrainRequest& request, report::ProgressSink& sink,
                                                     JobControl& control);

/// Continues the run in `path` from its newest whole checkpoint. A finished run is returned as it is. The
/// part recorded before is not sent to `sink`; a window reads it from the file.
[[nodiscard]] Result<report::RunSummary> resumeTrainJob(const std::filesystem::path& path,
                                                        report::ProgressSink& sink, JobControl& control);

}  // namespace bitloom::jobs
