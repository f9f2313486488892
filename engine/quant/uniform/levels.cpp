#include "engine/quant/uniform/levels.h"

#include <cmath>

#include "engine/quant/relative_error.h"

namespace bitloom::quant::uniform {
namespace {

/// Weights by magnitude, so that a clip can be tried without looking at each of them: levels are symmetric.
class Magnitudes {
  public:
    Magnitudes(std::span<const float> weights, float largest) : m_bins(kBins) {
        for (const float weight : weights) {
            const float magnitude = std::abs(weight);
            if (!std::isfinite(magnitude)) continue;
            Bin& bin = m_bins[static_cast<std::size_t>(magnitude / largest * (kBins - 1))];
            ++bin.count;
            bin.sum += magnitude;
        }
    }
    /// Sum of squared errors, but for what does not depend on the levels.
    [[nodiscard]] double error(const Levels<float>& levels) const {
        double sum = 0;
        for (const Bin& bin : m_bins) {
            if (bin.count == 0) continue;
            const double mean = bin.sum / bin.count;
            const double off = mean - levels.nearest(static_cast<float>(mean));
            sum += bin.count * off * off;
        }
        return sum;
    }

  private:
    static constexpr std::size_t kBins = 4096;
    struct Bin {
        double count = 0;
        double sum = 0;
    };
    std::vector<Bin> m_bins;
};

}  // namespace

float fitClip(std::span<const float> weights, int bits) {
    constexpr int kPoints = 60;
    float largest = 0;
    for (const float weight : weights) {
        if (std::isfinite(weight)) largest = std::max(largest, std::abs(weight));
    }
    if (largest == 0) return kSmallestClip;  // levels have no 0; these are as good
    const Magnitudes magnitudes(weights, largest);
    float best = largest;
    double least = magnitudes.error({bits, largest});
    for (int i = kPoints - 1; i > 0; --i) {
        const float clip = largest * static_cast<float>(i) / kPoints;
        const double error = magnitudes.error({bits, clip});
        if (error >= least) continue;
        least = error;
        best = clip;
    }
    return best;
}

double relativeError(std::span<const float> weights, const Levels<float>& levels) {
    return quant::relativeError(weights, [&](std::size_t i) { return levels.nearest(weights[i]); });
}

}  // namespace bitloom::quant::uniform
