// A run file as the window and the report see it. Thin over record::RunReader, which front ends may not
// include.
#pragma once

#include <filesystem>
#include <memory>

#include "engine/base/result.h"
#include "engine/report/bitwidths.h"
#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::jobs {

class RunPlayback {
  public:
    [[nodiscard]] static Result<std::unique_ptr<RunPlayback>> open(const std::filesystem::path& path);
    virtual ~RunPlayback() = default;
    [[nodiscard]] virtual Status refresh() = 0;
    [[nodiscard]] virtual const report::RunInfo& info() const = 0;
    [[nodiscard]] virtual Result<report::RunSummary> summary() = 0;
    [[nodiscard]] virtual Result<std::vector<report::MetricSample>> metrics() = 0;
    [[nodiscard]] virtual Result<std::vector<report::RunEvent>> events() = 0;
    /// Recorded steps, ascending (the union over layers).
    [[nodiscard]] virtual Result<std::vector<std::int64_t>> steps() = 0;
    /// The layer at the newest recorded step <= `step`.
    [[nodiscard]] virtual Result<report::LayerSnapshotPtr> layer(const std::string& layer,
                                                                 std::int64_t step) = 0;
    /// The bits of every recorded quantized layer, thinned for a picture.
    [[nodiscard]] virtual Result<std::vector<report::BitwidthTrack>> bitwidths() = 0;
    /// Every recorded layer at `step`.
    [[nodiscard]] virtual Result<std::vector<report::LayerSnapshotPtr>> layers(std::int64_t step) = 0;
};

}  // namespace bitloom::jobs
