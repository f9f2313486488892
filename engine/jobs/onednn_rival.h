// oneDNN's convolutions beside ours, on this computer, where its program was built (tests/bench). Private to
// the bench job.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/qsimd/runtime/model.h"
#include "engine/report/bench.h"

namespace bitloom::jobs {

/// BITLOOM_ONEDNN_RIVAL, else onednn_rival beside this program; nothing when there is none.
[[nodiscard]] std::optional<std::filesystem::path> onednnRival();

struct RivalRun {
    int threads = 1;
    std::vector<int> cores;  ///< that its threads are pinned to; empty: none
    int repeat = 1;
    int copies = 1;  ///< networks in turns
};

/// Times every convolution and fully connected layer of `model`, one after another; what the rival printed.
[[nodiscard]] Result<std::string> timeOnednn(const std::filesystem::path& rival, const qsimd::Model& model,
                                             const RivalRun& run, const JobControl& control);

/// Adds what it printed, in one or more rounds, to `result`, which has the times of our own kernels:
/// "onednn_fp32_direct", "onednn_fp32" (layer by layer the faster of direct and Winograd) and "onednn_int8",
/// of the layers and, as their sum, of the network, whose memory is that of all weights and the largest
/// layer's activations. Without oneDNN's kernel for a layer the sum is left out.
[[nodiscard]] Status addOnednn(const std::vector<std::string>& rounds, report::BenchResult& result);

}  // namespace bitloom::jobs
