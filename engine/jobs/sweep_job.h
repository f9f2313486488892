// A grid of jobs: one run for every combination of values, as processes of their own, into one folder.
// Blocking; call on a worker thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/progress_sink.h"
#include "engine/report/run_figures.h"

namespace bitloom::jobs {

/// One key of a job and the values that it takes in turn, in TOML syntax.
struct SweepAxis {
    std::string key;
    std::vector<std::string> values;
};

/// "quantizer.bits=2,3,4"; commas inside [], {} and quotes belong to a value.
[[nodiscard]] Result<SweepAxis> parseAxis(const std::string& text);

/// One combination.
struct SweepPoint {
    std::string name;                   ///< "bits-2_seed-1": a file name, different for each point
    std::vector<std::string> settings;  ///< "quantizer.bits=2"
};

/// Every combination, the last axis fastest. Errors: no axis, a key twice, a value twice.
[[nodiscard]] Result<std::vector<SweepPoint>> sweepPoints(const std::vector<SweepAxis>& axes);

struct SweepRequest {
    std::filesystem::path job;
    std::vector<std::string> overrides;  ///< of all runs, "KEY=VALUE"
    std::vector<SweepAxis> axes;
    std::filesystem::path folder;   ///< made where it is not there
    int processes = 1;              ///< at a time, at least 1
    int threads = 1;                ///< of each, whatever the job says; overrides go first; 0: all cores
    std::filesystem::path program;  ///< the bitloom that trains
};

enum class SweepState { Done, Kept, Failed, Cancelled };  ///< Kept: was finished before
[[nodiscard]] const char* toText(SweepState state);

struct SweptRun {
    SweepPoint point;
    std::filesystem::path run;  ///< folder/name.h5; what its process said: folder/name.log
    SweepState state = SweepState::Cancelled;
    std::string message;         ///< of a failure
    report::RunFigures figures;  ///< of a run that is there
};

/// Finished runs of the same job are kept, unfinished ones continued, so that a sweep that was cancelled or
/// cut off goes on where it was. A run that fails does not end the others. An error only where nothing can
/// begin: the job or every combination of it cannot be read, the folder cannot be made.
[[nodiscard]] Result<std::vector<SweptRun>> runSweepJob(const SweepRequest& request,
                                                        report::ProgressSink& sink, JobControl& control);

}  // namespace bitloom::jobs
