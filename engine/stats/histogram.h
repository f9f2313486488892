// Builders of report::Histogram.
#pragma once

#include <span>

#include "engine/report/histogram.h"

namespace bitloom::stats {

/// A range for a whole run from the first weights, which are finite: 1.25 x their largest magnitude,
/// symmetric; [-1, 1] when all are zero.
struct Range {
    double low = -1;
    double high = 1;
};
[[nodiscard]] Range histogramRange(std::span<const float> values);

/// `bins` >= 1 uniform bins over [range.low, range.high); what lies outside is counted in below and above,
/// NaN in above.
[[nodiscard]] report::Histogram buildHistogram(std::span<const float> values, Range range, int bins = 256);

}  // namespace bitloom::stats
