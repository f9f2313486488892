// What a run file holds beside its rows: made by the writer, read by the reader, both by resume. Private to
// engine/record; throws h5::Failure. Also the writing and reading of step columns, which decide what counts
// as a row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/record/h5.h"
#include "engine/record/run_writer.h"
#include "engine/report/run.h"

namespace bitloom::record {

inline constexpr const char* kJobGroup = "job";
inline constexpr const char* kMetricsGroup = "metrics";
inline constexpr const char* kEventsGroup = "events";
inline constexpr const char* kLayersGroup = "layers";

[[nodiscard]] Column stepColumn();
[[nodiscard]] Column statusColumn();
[[nodiscard]] Column hashColumn();
[[nodiscard]] Column summaryColumn();

/// Fills a new file: attributes, and every dataset without rows.
void createContents(hid_t file, const report::RunInfo& info, const std::vector<LayerLayout>& layers);

/// Opens a run for reading, whether finished, being written or left by a killed writer. `live`: rows may
/// still come.
[[nodiscard]] h5::Handle openRun(const std::filesystem::path& path, bool& live);

[[nodiscard]] report::RunInfo readInfo(hid_t file, const std::filesystem::path& path);
[[nodiscard]] report::RunSummary readSummary(hid_t file);
/// Sizes of a layer's rows, from its datasets.
[[nodiscard]] LayerLayout readLayout(hid_t layerGroup, const std::string& name);

/// Appends to `steps` what is committed beyond it. Stops at the first row that is not.
void readSteps(const h5::Dataset& dataset, std::vector<std::int64_t>& steps);

/// The columns of `source` that it has, rows [0, rows), into `target`, whose tables are empty.
void copyTable(hid_t source, hid_t target, const std::vector<Column>& columns, std::uint64_t rows);

}  // namespace bitloom::record
