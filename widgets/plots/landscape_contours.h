// Numbers behind the landscape figure: grids without gaps, levels, contour lines. Pure; private to
// widgets/plots.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace bitloom::widgets {

/// Row-major, [size, size]. Unknown (NaN) cells take the value of a nearest known one, in steps to the sides;
/// all stay unknown where none is known.
[[nodiscard]] std::vector<double> withoutGaps(const std::vector<double>& values, int size);

/// Levels inside (low, high): 1, 2 and 5 of each power of ten, fewer where that makes more than `most`, when
/// `logarithmic` and low > 0; else the finest round step that makes no more. Ascending.
[[nodiscard]] std::vector<double> contourLevels(double low, double high, bool logarithmic, int most = 9);

/// From one place to another, in columns and rows: (2.5, 0) lies between columns 2 and 3 of the first row.
struct ContourSegment {
    double column[2] = {};
    double row[2] = {};
};

/// Where the surface crosses `level`, linear along the sides of each square of four neighbouring values
/// (marching squares; a saddle is parted by the mean). Squares with a value that is not finite have no line.
[[nodiscard]] std::vector<ContourSegment> contourSegments(const std::vector<double>& values, int size,
                                                          double level);

/// Least and greatest finite value; {NaN, NaN} without any.
[[nodiscard]] std::pair<double, double> finiteRange(const std::vector<double>& values);

}  // namespace bitloom::widgets
