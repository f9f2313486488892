#include "engine/qsimd/quantize_weights.h"

#include <algorithm>
#include <cmath>

#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {
namespace {

float largestMagnitude(std::span<const float> values) {
    float largest = 0;
    for (const float value : values)
        largest = std::max(largest, std::abs(value));
    return largest;
}

std::int8_t numberOf(float value, float scale) {
    const float number = std::nearbyint(value / scale);
    return static_cast<std::int8_t>(
        std::clamp(number, -static_cast<float>(kMaxWeight), static_cast<float>(kMaxWeight)));
}

}  // namespace

Int8Values quantizeCodebook(std::span<const float> codebook, std::span<const std::int64_t> counts) {
    // The largest entry becomes `number`, from kMaxWeight down to a quarter of it in steps of 1/16. Below
    // that the grid is too coarse to win.
    constexpr int kStepsPerNumber = 16;
    const float largest = largestMagnitude(codebook);
    Int8Values best;
    best.numbers.assign(codebook.size(), 0);
    if (largest == 0) return best;
    best.error = -1;
    for (int step = kMaxWeight * kStepsPerNumber; step >= kMaxWeight * kStepsPerNumber / 4; --step) {
        const float scale = largest * kStepsPerNumber / static_cast<float>(step);
        double error = 0;
        for (std::size_t i = 0; i < codebook.size(); ++i) {
            const double difference =
                static_cast<double>(codebook[i]) - static_cast<double>(scale) * numberOf(codebook[i], scale);
            error += static_cast<double>(counts[i]) * difference * difference;
        }
        if (best.error >= 0 && error >= best.error) continue;
        best.error = error;
        best.scale = scale;
    }
    for (std::size_t i = 0; i < codebook.size(); ++i)
        best.numbers[i] = numberOf(codebook[i], best.scale);
    return best;
}

Int8Values quantizeWeights(std::span<const float> weights) {
    Int8Values rounded;
    const float largest = largestMagnitude(weights);
    if (largest > 0) rounded.scale = largest / kMaxWeight;
    for (const float weight : weights)
        rounded.numbers.push_back(numberOf(weight, rounded.scale));
    return rounded;
}

}  // namespace bitloom::qsimd
