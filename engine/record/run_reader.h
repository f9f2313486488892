// Reads a run file, finished, being written, or left by a killed process. May be used from any thread, one at
// a time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/bitwidths.h"
#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::record {

class RunReader {
  public:
    [[nodiscard]] static Result<std::unique_ptr<RunReader>> open(const std::filesystem::path& path);
    virtual ~RunReader() = default;

    /// Sees what the writer flushed since.
    [[nodiscard]] virtual Status refresh() = 0;

    [[nodiscard]] virtual const report::RunInfo& info() const = 0;
    [[nodiscard]] virtual Result<report::RunSummary> summary() = 0;
    [[nodiscard]] virtual Result<std::vector<report::MetricSample>> metrics() = 0;
    [[nodiscard]] virtual Result<std::vector<report::RunEvent>> events() = 0;

    /// Layers with recorded rows, in network order.
    [[nodiscard]] virtual std::vector<std::string> layers() const = 0;
    /// Recorded steps of a layer, ascending.
    [[nodiscard]] virtual Result<std::vector<std::int64_t>> steps(const std::string& layer) = 0;
    /// The snapshot of the newest row with step <= `step`, or of the first row. Reads one row: cheap at any
    /// length of run.
    [[nodiscard]] virtual Result<report::LayerSnapshotPtr> layer(const std::string& layer,
                                                                 std::int64_t step) = 0;
    /// The bits of every recorded quantized layer, thinned for a picture.
    [[nodiscard]] virtual Result<std::vector<report::BitwidthTrack>> bitwidths() = 0;
};

}  // namespace bitloom::record
