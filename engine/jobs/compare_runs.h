// Run files as a comparison of runs sees them. Blocking; call on a worker thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/run_figures.h"

namespace bitloom::jobs {

/// Of one run, finished or not. What an unfinished one has no final figure for is taken from its record, or
/// stays unknown (the bytes of its export).
[[nodiscard]] Result<report::RunFigures> readRunFigures(const std::filesystem::path& run);

/// Every .h5 file in `folder` and the folders in it, by name; checkpoints are left out. An error where it
/// cannot be read.
[[nodiscard]] Result<std::vector<std::filesystem::path>> runFilesIn(const std::filesystem::path& folder);

struct ComparedRuns {
    std::vector<report::RunFigures> runs;
    std::vector<std::string> problems;  ///< of files that are no whole run: which, why, what helps
};

/// `paths`: runs, and folders of runs. A folder that cannot be read is a problem, too.
[[nodiscard]] ComparedRuns readRuns(const std::vector<std::filesystem::path>& paths);

}  // namespace bitloom::jobs
