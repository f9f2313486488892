// What is in a weight file: format, tensors, the network it fits, layers with shapes, counts and statistics.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/run.h"

namespace bitloom::jobs {

struct TensorInfo {
    std::string key;
    std::string dtype;
    std::vector<std::int64_t> shape;
    double minimum = 0;
    double maximum = 0;
    double mean = 0;
    double deviation = 0;
    std::int64_t nonFinite = 0;  ///< NaN and infinities
};

struct InspectResult {
    std::string path;
    std::string format;
    std::int64_t bytes = 0;  ///< of the file
    std::vector<TensorInfo> tensors;
    std::map<std::string, std::string> metadata;
    std::string arch;             ///< the zoo network that fits, or empty
    report::NetworkInfo network;  ///< of arch
    std::string mapping;          ///< mapping report as text
    /// Snapshot of each layer's full-precision weights (histogram only), for the window.
    std::vector<report::LayerSnapshotPtr> snapshots;
};

/// `arch` empty: guessed. Any thread.
[[nodiscard]] Result<InspectResult> inspectWeights(const std::filesystem::path& path,
                                                   const std::string& arch = {});

}  // namespace bitloom::jobs
