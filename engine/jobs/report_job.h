// The figures of a run: summary and one row a layer.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/run.h"

namespace bitloom::jobs {

struct LayerReport {
    report::LayerInfo info;
    double sparsity = report::kNoValue;  ///< this and the next two of the newest snapshot; NaN without any
    double mse = report::kNoValue;
    double softHardGap = report::kNoValue;
    std::int64_t packedBytes = -1;  ///< as exported; -1: not known
    double activationBits = 32;     ///< of what the layer reads; 32: float
};

struct RunReport {
    report::RunInfo info;
    report::RunSummary summary;
    /// Done: all of a finished run, else those of its newest checkpoint. -1: not known.
    std::int64_t steps = -1;
    std::vector<LayerReport> layers;
};

/// Figures of a run that has none in its file, for it runs, was killed or failed, are those of its newest
/// checkpoint; its quantization error is that of the snapshot recorded last before that.
[[nodiscard]] Result<RunReport> reportRun(const std::filesystem::path& run);

/// The step of that checkpoint, without reading it; -1: there is none.
[[nodiscard]] std::int64_t checkpointStep(const std::filesystem::path& run);

}  // namespace bitloom::jobs
