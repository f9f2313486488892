// See metric_series.h.
#include "widgets/plots/metric_series.h"

#include <algorithm>
#include <cmath>

namespace bitloom::widgets {
namespace {

using report::MetricSample;

bool earlier(const MetricSample& row, std::int64_t step) {
    return row.step < step;
}

}  // namespace

Series column(const std::vector<MetricSample>& rows, double MetricSample::*field, double low, double high) {
    const auto hasValue = [field](const MetricSample& row) { return std::isfinite(row.*field); };
    auto first = std::partition_point(rows.begin(), rows.end(), [low](const MetricSample& row) {
        return static_cast<double>(row.step) < low;
    });
    auto last = std::partition_point(
        first, rows.end(), [high](const MetricSample& row) { return static_cast<double>(row.step) <= high; });
    while (first != rows.begin() && !hasValue(*--first)) {
    }
    last = std::find_if(last, rows.end(), hasValue);
    if (last != rows.end()) ++last;
    Series series;
    for (; first != last; ++first) {
        if (!hasValue(*first)) continue;
        series.x.push_back(static_cast<double>(first->step));
        series.y.push_back((*first).*field);
    }
    return series;
}

Series decimate(Series series, std::size_t points, const std::vector<double>& keep) {
    const std::size_t count = series.x.size();
    if (count <= points || points < 4) return series;
    std::vector<std::size_t> chosen = {0, count - 1};
    // Two of each bucket: its least and its greatest, so that no spike is lost.
    const std::size_t buckets = points / 2;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        const auto first = series.y.begin() + static_cast<std::ptrdiff_t>(bucket * count / buckets);
        const auto last = series.y.begin() + static_cast<std::ptrdiff_t>((bucket + 1) * count / buckets);
        const auto [least, greatest] = std::minmax_element(first, last);
        chosen.push_back(static_cast<std::size_t>(least - series.y.begin()));
        chosen.push_back(static_cast<std::size_t>(greatest - series.y.begin()));
    }
    for (const double step : keep) {
        const auto at = std::lower_bound(series.x.begin(), series.x.end(), step);
        if (at != series.x.end() && *at == step)
            chosen.push_back(static_cast<std::size_t>(at - series.x.begin()));
    }
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    Series thinned;
    for (const std::size_t index : chosen) {
        thinned.x.push_back(series.x[index]);
        thinned.y.push_back(series.y[index]);
    }
    return thinned;
}

std::optional<std::size_t> nearestRow(const std::vector<MetricSample>& rows, std::int64_t step) {
    if (rows.empty()) return std::nullopt;
    const auto at = std::lower_bound(rows.begin(), rows.end(), step, earlier);
    if (at == rows.begin()) return 0;
    if (at == rows.end()) return rows.size() - 1;
    const auto before = at - 1;
    return static_cast<std::size_t>((step - before->step <= at->step - step ? before : at) - rows.begin());
}

std::optional<std::size_t> lastWithValue(const std::vector<MetricSample>& rows, std::int64_t step,
                                         double MetricSample::*field) {
    const auto end = std::lower_bound(rows.begin(), rows.end(), step + 1, earlier);
    for (auto at = end; at != rows.begin();) {
        --at;
        if (std::isfinite((*at).*field)) return static_cast<std::size_t>(at - rows.begin());
    }
    return std::nullopt;
}

void appendRow(std::vector<MetricSample>& rows, const MetricSample& row) {
    rows.erase(std::lower_bound(rows.begin(), rows.end(), row.step, earlier), rows.end());
    rows.push_back(row);
}

}  // namespace bitloom::widgets
