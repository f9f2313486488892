// Appends rows to one table of a run file. Private to engine/record; throws h5::Failure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/record/h5.h"

namespace bitloom::record {

/// The values of one column in one row. Refers to them; they must outlive the call.
struct Cell {
    Cell(const char* name, const double& value) : Cell(name, std::span(&value, 1)) {}
    Cell(const char* name, std::span<const double> row)
        : Cell(name, Element::Float64, row.data(), row.size()) {}
    Cell(const char* name, std::span<const std::int64_t> row)
        : Cell(name, Element::Int64, row.data(), row.size()) {}
    Cell(const char* name, std::span<const std::uint64_t> row)
        : Cell(name, Element::UInt64, row.data(), row.size()) {}
    Cell(const char* name, std::span<const std::uint32_t> row)
        : Cell(name, Element::UInt32, row.data(), row.size()) {}
    /// `field` already has the column's width: padText().
    Cell(const char* name, const std::string& field) : Cell(name, Element::Text, field.data(), 1) {}

    const char* column;
    Element element;
    const void* data;
    std::uint64_t values;

  private:
    Cell(const char* name, Element type, const void* first, std::uint64_t count)
        : column(name), element(type), data(first), values(count) {}
};

class TableWriter {
  public:
    TableWriter(hid_t group, const std::vector<Column>& columns);

    /// Of the newest row; 0 without rows.
    [[nodiscard]] std::int64_t lastStep() const { return m_lastStep; }
    /// Writes a row; readers do not see it yet. `step` >= lastStep(). `cells`: every column once.
    void append(std::int64_t step, std::span<const Cell> cells);
    /// Whether rows wait for commit().
    [[nodiscard]] bool pending() const { return !m_pending.empty(); }
    /// Writes the steps of the waiting rows. To be called when these rows have been flushed.
    void commit();

  private:
    h5::Dataset m_step;
    std::vector<h5::Dataset> m_columns;
    std::uint64_t m_committed = 0;
    std::vector<std::int64_t> m_pending;
    std::int64_t m_lastStep = 0;
};

}  // namespace bitloom::record
