#include "engine/stats/histogram.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>

namespace bitloom::stats {

Range histogramRange(std::span<const float> values) {
    double largest = 0;
    for (const float x : values)
        largest = std::max(largest, std::abs(double{x}));
    if (largest == 0) return {};
    return {-1.25 * largest, 1.25 * largest};
}

report::Histogram buildHistogram(std::span<const float> values, Range range, int bins) {
    assert(bins >= 1 && range.low < range.high);
    report::Histogram histogram;
    histogram.low = range.low;
    histogram.high = range.high;
    histogram.counts.resize(static_cast<std::size_t>(bins));
    const double binsPerUnit = bins / (range.high - range.low);
    const auto last = static_cast<std::size_t>(bins - 1);
    for (const float value : values) {
        const double x = value;
        if (x < range.low) {
            ++histogram.below;
        } else if (x < range.high) {
            // Rounding may carry a value next to the right edge into a bin that does not exist.
            ++histogram.counts[std::min(static_cast<std::size_t>((x - range.low) * binsPerUnit), last)];
        } else {
            ++histogram.above;  // a NaN of a diverged training run lands here too
        }
    }
    return histogram;
}

}  // namespace bitloom::stats
