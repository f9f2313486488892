// oneDNN's convolutions beside ours, on this computer, where its program was built (tests/bench). Private to
// the bench job.
#pragma once

#include <filesystem>
#include <optional>

#include "engine/base/job_control.h"
#include "engine/qsimd/runtime/model.h"
#include "engine/report/bench.h"

namespace bitloom::jobs {

/// BITLOOM_ONEDNN_RIVAL, else onednn_rival beside this program; nothing when there is none.
[[nodiscard]] std::optional<std::filesystem::path> onednnRival();

/// Times every convolution of `model` and adds "onednn_fp32" (the faster of direct and Winograd) and
/// "onednn_int8" to the layers and, as the sum of these, to the network of `result`, which has the times of
/// our own kernels. Without the rival's kernel for a layer, the sum is left out.
[[nodiscard]] Status addOnednn(const std::filesystem::path& rival, const qsimd::Model& model, int repeat,
                               const JobControl& control, report::BenchResult& result);

}  // namespace bitloom::jobs
