// The times of a run's network, kept beside its file as RUN.bench.json: one entry for each device and number
// of threads, the newest. Blocking; call on a worker thread.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/bench.h"
#include "engine/report/run.h"
#include "engine/report/run_figures.h"

namespace bitloom::jobs {

/// "runs/net.h5.bench.json" of "runs/net.h5".
[[nodiscard]] std::filesystem::path benchRecordPath(const std::filesystem::path& run);

/// Adds the times of `result`, in the place of earlier ones of its device and threads. What is there of
/// another run, or cannot be read, goes.
[[nodiscard]] Status keepBench(const std::filesystem::path& run, const report::BenchResult& result);

/// Times of what the run file holds now: those taken of another run, or before it was trained further, are
/// left out. Of each measurement those of k2, the kernels that a bundle runs, or of k0 where k2 was not
/// timed. No file: none. A damaged one is an error that names it.
[[nodiscard]] Result<std::vector<report::RunTime>> readBench(const std::filesystem::path& run,
                                                             const report::RunInfo& info,
                                                             const report::RunSummary& summary);

}  // namespace bitloom::jobs
