#include "engine/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bitloom::train {
namespace {

constexpr double kStartDivisor = 25;        // OneCycleLR's div_factor
constexpr double kFinalDivisor = 1e4;       // and final_div_factor
constexpr double kCycleMomentumMax = 0.95;  // its max_momentum and base_momentum
constexpr double kCycleMomentumMin = 0.85;

double cosineBetween(double start, double end, double share) {
    return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * share));
}

/// OneCycleLR's two phases: from `start` to `peak` until step warmup * total - 1, then to `end` at step total
/// - 1.
double oneCycle(double warmup, std::int64_t step, std::int64_t total, double start, double peak, double end) {
    const double riseEnd = warmup * static_cast<double>(total) - 1;
    const double fallEnd = static_cast<double>(total) - 1;
    const auto now = static_cast<double>(step);
    if (now < riseEnd) return cosineBetween(start, peak, now / riseEnd);
    // PyTorch's second phase begins at riseEnd even when that is -1 (no warm-up).
    return fallEnd > riseEnd ? cosineBetween(peak, end, (now - riseEnd) / (fallEnd - riseEnd)) : peak;
}

double multiStep(const TrainOptions& options, std::int64_t step, std::int64_t total) {
    double factor = 1;
    for (const double milestone : options.milestones) {
        if (static_cast<double>(step) >= milestone * static_cast<double>(total)) factor /= 10;
    }
    return factor;
}

}  // namespace

std::int64_t stepsOf(const TrainOptions& options, std::int64_t stepsPerEpoch) {
    if (options.steps > 0) return options.steps;
    if (options.epochs == 0) return 0;
    return std::max<std::int64_t>(1, std::llround(options.epochs * static_cast<double>(stepsPerEpoch)));
}

double rateFactor(const TrainOptions& options, std::int64_t step, std::int64_t total) {
    switch (options.schedule) {
        case Schedule::OneCycle:
            return oneCycle(options.warmup, step, total, 1 / kStartDivisor, 1,
                            1 / (kStartDivisor * kFinalDivisor));
        case Schedule::Cosine:
            return total > 0 ? cosineBetween(1, 0, static_cast<double>(step) / static_cast<double>(total))
                             : 1;
        case Schedule::MultiStep:
            return multiStep(options, step, total);
        case Schedule::Constant:
            return 1;
    }
    return 1;
}

double momentumAt(const TrainOptions& options, std::int64_t step, std::int64_t total) {
    if (!options.cycleMomentum || options.schedule != Schedule::OneCycle) return options.momentum;
    return oneCycle(options.warmup, step, total, kCycleMomentumMax, kCycleMomentumMin, kCycleMomentumMax);
}

}  // namespace bitloom::train
