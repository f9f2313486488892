// Learning-rate schedules as a factor of the peak rate, and one-cycle's momentum. Pure functions.
#pragma once

#include <cstdint>

#include "engine/train/options.h"

namespace bitloom::train {

/// Steps of a training: options.steps, or what options.epochs make, at least 1 but for epochs = 0.
[[nodiscard]] std::int64_t stepsOf(const TrainOptions& options, std::int64_t stepsPerEpoch);

/// Factor in [0, 1] for step `step` of `total` (step in [0, total), or both 0). One-cycle as
/// torch.optim.lr_scheduler.OneCycleLR with cosine annealing: starts at 1/25, peaks at step warmup * total -
/// 1, ends at 1/250000. Cosine as CosineAnnealingLR to zero after the last step. Multi-step divides by 10 at
/// each milestone.
[[nodiscard]] double rateFactor(const TrainOptions& options, std::int64_t step, std::int64_t total);

/// options.momentum, or with cycleMomentum under one-cycle OneCycleLR's default: 0.95 -> 0.85 -> 0.95.
[[nodiscard]] double momentumAt(const TrainOptions& options, std::int64_t step, std::int64_t total);

}  // namespace bitloom::train
