#include "engine/quant/activation/range_search.h"

#include <algorithm>
#include <cmath>

namespace bitloom::quant {
namespace {

constexpr std::size_t kBins = 8192;
constexpr double kPower = 2.4;  // BRECQ's

}  // namespace

void ValueExtent::add(std::span<const float> values) {
    // In blocks of single precision: the sum of a block loses nothing that matters, and the loop is fast.
    constexpr std::size_t kBlock = 1024;
    for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
        float least = low;
        float greatest = high;
        float magnitude = 0;
        for (const float value : values.subspan(begin, std::min(kBlock, values.size() - begin))) {
            least = value < least ? value : least;
            greatest = value > greatest ? value : greatest;
            magnitude += std::abs(value);
        }
        low = least;
        high = greatest;
        finite = finite && std::isfinite(magnitude);
        sum += static_cast<double>(magnitude);
    }
    count += static_cast<std::int64_t>(values.size());
}

ValueCounts::ValueCounts(const ValueExtent& extent)
    : m_low(extent.low),
      m_high(extent.high),
      m_perUnit(m_low < m_high ? static_cast<float>(kBins) / (m_high - m_low) : 0),
      m_bins(kBins) {}

void ValueCounts::add(std::span<const float> values) {
    for (const float value : values) {
        const float place = std::clamp((value - m_low) * m_perUnit, 0.0F, static_cast<float>(kBins - 1));
        Bin& bin = m_bins[static_cast<std::size_t>(place)];
        ++bin.count;
        bin.sum += static_cast<double>(value);
    }
}

double ValueCounts::error(const QuantizedActivation& rounding) const {
    const auto scale = static_cast<double>(rounding.scale);
    const double lowest = -rounding.zeroPoint;
    const double highest = rounding.highest() - rounding.zeroPoint;
    double sum = 0;
    for (const Bin& bin : m_bins) {
        if (bin.count == 0) continue;
        const double mean = bin.sum / bin.count;
        const double rounded = scale * std::nearbyint(std::clamp(mean / scale, lowest, highest));
        sum += bin.count * std::pow(std::abs(mean - rounded), kPower);
    }
    return sum;
}

QuantizedActivation roundingBetween(float low, float high, int bits) {
    QuantizedActivation rounding;
    rounding.bits = bits;
    if (!(low < high)) high = 1;
    const auto highest = static_cast<float>(rounding.highest());
    rounding.scale = std::max(kLeastScale, (high - low) / highest);
    rounding.zeroPoint = static_cast<int>(std::clamp(std::nearbyint(-low / rounding.scale), 0.0F, highest));
    return rounding;
}

QuantizedActivation searchRange(const ValueCounts& counts, int bits) {
    constexpr int kSteps = 80;
    QuantizedActivation best = roundingBetween(counts.low(), counts.high(), bits);
    double least = counts.error(best);
    for (int i = 1; i < kSteps; ++i) {
        const float share = 1 - 0.01F * static_cast<float>(i);
        const QuantizedActivation tried = roundingBetween(share * counts.low(), share * counts.high(), bits);
        const double error = counts.error(tried);
        if (error >= least) continue;
        least = error;
        best = tried;
    }
    return best;
}

QuantizedActivation lsqStart(const ValueExtent& extent, int bits) {
    QuantizedActivation start = roundingBetween(extent.low, extent.high, bits);
    if (extent.low < 0 || extent.sum == 0) return start;
    const double step = 2 * extent.meanMagnitude() / std::sqrt(static_cast<double>(start.highest()));
    start.scale = std::max(kLeastScale, static_cast<float>(step));
    return start;
}

}  // namespace bitloom::quant
