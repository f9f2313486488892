// A histogram with uniform bins over a range that stays fixed for a whole run: nothing is ever rebinned
// silently, values outside are counted, not dropped.
#pragma once

#include <cstdint>
#include <vector>

namespace bitloom::report {

struct Histogram {
    double low = 0;                     ///< left edge of the first bin, in units of the weight
    double high = 0;                    ///< right edge of the last bin
    std::vector<std::uint32_t> counts;  ///< uniform bins over [low, high)
    std::uint64_t below = 0;            ///< values < low
    std::uint64_t above = 0;            ///< values >= high

    [[nodiscard]] double binWidth() const {
        return counts.empty() ? 0 : (high - low) / static_cast<double>(counts.size());
    }
    [[nodiscard]] double binCentre(std::size_t bin) const {
        return low + (static_cast<double>(bin) + 0.5) * binWidth();
    }
};

}  // namespace bitloom::report
