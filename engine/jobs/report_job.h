// The figures of a run: summary and one row a layer.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/run.h"

namespace bitloom::jobs {

struct LayerReport {
    report::LayerInfo info;
    double sparsity = 0;
    double mse = 0;
    double softHardGap = 0;
    std::int64_t packedBytes = 0;
};

struct RunReport {
    report::RunInfo info;
    report::RunSummary summary;
    std::int64_t steps = 0;  ///< done
    std::vector<LayerReport> layers;
};

[[nodiscard]] Result<RunReport> reportRun(const std::filesystem::path& run);

}  // namespace bitloom::jobs
