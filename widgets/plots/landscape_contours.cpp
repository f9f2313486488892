// See landscape_contours.h.
#include "widgets/plots/landscape_contours.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace bitloom::widgets {
namespace {

constexpr std::array kRoundSteps = {1.0, 2.0, 5.0};

std::vector<double> logarithmicLevels(double low, double high, std::size_t steps) {
    std::vector<double> levels;
    for (double decade = std::pow(10, std::floor(std::log10(low))); decade < high; decade *= 10) {
        for (std::size_t i = 0; i < steps; ++i) {
            const double level = decade * kRoundSteps[i];
            if (level > low && level < high) levels.push_back(level);
        }
    }
    return levels;
}

std::vector<double> linearLevels(double low, double high, double step) {
    std::vector<double> levels;
    const double first = std::floor(low / step) + 1;
    for (double at = first; at * step < high; ++at)
        levels.push_back(at * step);
    return levels;
}

/// Corners of a square in turn: (0, 0), (1, 0), (1, 1), (0, 1) as column and row.
constexpr std::array kCornerColumn = {0, 1, 1, 0};
constexpr std::array kCornerRow = {0, 0, 1, 1};

struct Place {
    double column = 0;
    double row = 0;
};

/// Adds the lines of the square whose first corner is (column, row).
void addSquare(const std::array<double, 4>& corner, int column, int row, double level,
               std::vector<ContourSegment>& segments) {
    std::array<Place, 4> crossing;  // of the side from a corner to the next
    std::array<bool, 4> crossed{};
    int crossings = 0;
    for (std::size_t side = 0; side < 4; ++side) {
        const std::size_t next = (side + 1) % 4;
        crossed[side] = (corner[side] >= level) != (corner[next] >= level);
        if (!crossed[side]) continue;
        const double share = (level - corner[side]) / (corner[next] - corner[side]);
        crossing[side] = {column + kCornerColumn[side] + share * (kCornerColumn[next] - kCornerColumn[side]),
                          row + kCornerRow[side] + share * (kCornerRow[next] - kCornerRow[side])};
        ++crossings;
    }
    const auto join = [&](std::size_t a, std::size_t b) {
        segments.push_back({{crossing[a].column, crossing[b].column}, {crossing[a].row, crossing[b].row}});
    };
    if (crossings == 4) {
        const double mean = (corner[0] + corner[1] + corner[2] + corner[3]) / 4;
        const bool joined = (mean >= level) == (corner[0] >= level);  // corners 0 and 2 through the middle
        join(0, joined ? 1 : 3);
        join(2, joined ? 3 : 1);
    } else if (crossings == 2) {
        const auto first = static_cast<std::size_t>(std::ranges::find(crossed, true) - crossed.begin());
        const auto second = static_cast<std::size_t>(
            std::find(crossed.begin() + static_cast<std::ptrdiff_t>(first) + 1, crossed.end(), true) -
            crossed.begin());
        join(first, second);
    }
}

}  // namespace

std::vector<double> withoutGaps(const std::vector<double>& values, int size) {
    std::vector<double> filled = values;
    std::vector<int> queue;
    for (int place = 0; place < size * size; ++place) {
        if (!std::isnan(values[static_cast<std::size_t>(place)])) queue.push_back(place);
    }
    for (std::size_t next = 0; next < queue.size(); ++next) {
        const int column = queue[next] % size;
        const int row = queue[next] / size;
        const std::array<std::pair<int, int>, 4> beside = {
            {{column - 1, row}, {column + 1, row}, {column, row - 1}, {column, row + 1}}};
        for (const auto& [c, r] : beside) {
            if (c < 0 || r < 0 || c >= size || r >= size) continue;
            const int place = r * size + c;
            if (!std::isnan(filled[static_cast<std::size_t>(place)])) continue;
            filled[static_cast<std::size_t>(place)] = filled[static_cast<std::size_t>(queue[next])];
            queue.push_back(place);
        }
    }
    return filled;
}

std::vector<double> contourLevels(double low, double high, bool logarithmic, int most) {
    if (!(high > low) || !std::isfinite(low) || !std::isfinite(high)) return {};
    if (logarithmic && low > 0 && high / low > 2) {
        for (const std::size_t steps : {std::size_t{3}, std::size_t{2}, std::size_t{1}}) {
            std::vector<double> levels = logarithmicLevels(low, high, steps);
            if (levels.size() <= static_cast<std::size_t>(most) || steps == 1) return levels;
        }
    }
    const double rough = (high - low) / most;
    const double decade = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
        std::vector<double> levels = linearLevels(low, high, factor * decade);
        if (levels.size() <= static_cast<std::size_t>(most)) return levels;
    }
    return {};
}

std::vector<ContourSegment> contourSegments(const std::vector<double>& values, int size, double level) {
    std::vector<ContourSegment> segments;
    for (int row = 0; row + 1 < size; ++row) {
        for (int column = 0; column + 1 < size; ++column) {
            std::array<double, 4> corner{};
            for (std::size_t i = 0; i < 4; ++i) {
                const int index = (row + kCornerRow[i]) * size + column + kCornerColumn[i];
                corner[i] = values[static_cast<std::size_t>(index)];
            }
            if (std::ranges::all_of(corner, [](double value) { return std::isfinite(value); }))
                addSquare(corner, column, row, level, segments);
        }
    }
    return segments;
}

std::pair<double, double> finiteRange(const std::vector<double>& values) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    double least = kInfinity;
    double greatest = -kInfinity;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        least = std::min(least, value);
        greatest = std::max(greatest, value);
    }
    if (least > greatest) return {std::nan(""), std::nan("")};
    return {least, greatest};
}

}  // namespace bitloom::widgets
