// Ranges of activations from images: each tensor is clipped where the squared error of its 8 bits is least.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/qsimd/lower.h"

namespace bitloom::qsimd {

/// Runs the network in float over `images`, each [channels][height][width] as it enters the network, on
/// `threads` threads, and returns a range and means for every activation. `progress(done, of)` is called on
/// the calling thread. Errors: those of lower(), no image, an image of the wrong size, an activation that is
/// not finite (named); Cancelled.
[[nodiscard]] Result<std::map<std::string, Activation, std::less<>>> calibrate(
    const DeployedNetwork& source, std::span<const std::vector<float>> images, int threads,
    JobControl& control, const std::function<void(std::size_t, std::size_t)>& progress = {});

/// The range of least squared error for `counts` of values in equal bins from `low` to `high`; always holds
/// 0.
[[nodiscard]] Range bestRange(std::span<const std::int64_t> counts, float low, float high);

}  // namespace bitloom::qsimd
