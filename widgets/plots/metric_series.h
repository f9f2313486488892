// The rows of a run, thinned for drawing: pure functions and a small store, without Qt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "engine/report/run.h"

namespace bitloom::widgets {

inline constexpr std::size_t kCurvePoints = 1'000;

/// One column of the metrics without its gaps.
struct Series {
    std::vector<double> x;  ///< step
    std::vector<double> y;
};

/// The rows where `field` has a value: those whose step lies in [low, high], and the nearest on either side,
/// so that a line reaches the edges of the view.
[[nodiscard]] Series column(const std::vector<report::MetricSample>& rows,
                            double report::MetricSample::*field,
                            double low = -std::numeric_limits<double>::infinity(),
                            double high = std::numeric_limits<double>::infinity());

/// At most about `points` points: the least and the greatest value of each bucket, always the first, the last
/// and those at `keep` (ascending steps). Values are taken over, never averaged. A short series comes back as
/// it is.
[[nodiscard]] Series decimate(Series series, std::size_t points, const std::vector<double>& keep = {});

/// Index of the row whose step is nearest; nothing without rows. Rows ascend by step.
[[nodiscard]] std::optional<std::size_t> nearestRow(const std::vector<report::MetricSample>& rows,
                                                    std::int64_t step);

/// The newest row at or before `step` where `field` has a value; nothing when there is none.
[[nodiscard]] std::optional<std::size_t> lastWithValue(const std::vector<report::MetricSample>& rows,
                                                       std::int64_t step,
                                                       double report::MetricSample::*field);

/// Appends a row; a row of the same step is replaced, rows of later steps are dropped (a resumed run goes
/// back).
void appendRow(std::vector<report::MetricSample>& rows, const report::MetricSample& row);

}  // namespace bitloom::widgets
