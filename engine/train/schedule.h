// Learning-rate schedules as a factor of the peak rate.
#pragma once

#include <cstdint>

#include "engine/train/options.h"

namespace bitloom::train {

/// Factor in [0, 1] for step `step` of `total` (step in [0, total)). One-cycle as torch.optim.lr_scheduler.OneCycleLR with
/// cosine annealing: starts at 1/25, peaks at warmup * total, ends at 1/250000.
[[nodiscard]] double rateFactor(const TrainOptions& options, std::int64_t step, std::int64_t total);

/// One-cycle's momentum: 0.95 -> 0.85 -> 0.95 is the published code's; ours keeps options.momentum constant.

}  // namespace bitloom::train
