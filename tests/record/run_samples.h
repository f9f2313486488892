// Runs for the tests of engine/record: every value is a function of layer and step, so that any row can be
// checked alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/record/run_writer.h"
#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::testing {

/// Layer-wise, filter-wise and full precision; names with characters that HDF5 would take for a path.
[[nodiscard]] std::vector<record::LayerLayout> sampleLayouts();
/// `count` layer-wise layers of 16 components and 256 bins.
[[nodiscard]] std::vector<record::LayerLayout> uniformLayouts(int count);

[[nodiscard]] report::RunInfo sampleInfo();
[[nodiscard]] report::MetricSample sampleMetric(std::int64_t step);
[[nodiscard]] report::RunEvent sampleEvent(std::int64_t step);
[[nodiscard]] report::LayerSnapshot sampleSnapshot(const record::LayerLayout& layout, std::int64_t step);
[[nodiscard]] report::RunSummary sampleSummary();

/// Appends the samples of `step` for every layer, an event at multiples of ten, and flushes.
[[nodiscard]] Status appendStep(record::RunWriter& writer, const std::vector<record::LayerLayout>& layouts,
                                std::int64_t step);

/// Empty when equal (NaN equals NaN), else what differs.
[[nodiscard]] std::string difference(const report::LayerSnapshot& a, const report::LayerSnapshot& b);
[[nodiscard]] std::string difference(const report::MetricSample& a, const report::MetricSample& b);

}  // namespace bitloom::testing
