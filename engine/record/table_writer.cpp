#include "engine/record/table_writer.h"

#include <algorithm>
#include <cassert>

#include "engine/record/run_contents.h"

namespace bitloom::record {

TableWriter::TableWriter(hid_t group, const std::vector<Column>& columns)
    : m_step(h5::Dataset::open(group, stepColumn(), true)), m_committed(m_step.rows()) {
    for (const Column& column : columns)
        m_columns.push_back(h5::Dataset::open(group, column, true));
    if (m_committed > 0) m_step.read(m_committed - 1, 1, &m_lastStep);
}

void TableWriter::append(std::int64_t step, std::span<const Cell> cells) {
    assert(step >= m_lastStep);
    assert(cells.size() == m_columns.size());
    const std::uint64_t row = m_committed + m_pending.size();
    for (const Cell& cell : cells) {
        const auto dataset = std::ranges::find_if(
            m_columns, [&](const h5::Dataset& candidate) { return candidate.column().name == cell.column; });
        assert(dataset != m_columns.end());
        assert(cell.element == dataset->column().element && cell.values == dataset->column().values());
        dataset->extend(row + 1);
        dataset->write(row, 1, cell.data);
    }
    m_pending.push_back(step);
    m_lastStep = step;
}

void TableWriter::commit() {
    if (m_pending.empty()) return;
    m_step.extend(m_committed + m_pending.size());
    m_step.write(m_committed, m_pending.size(), m_pending.data());
    m_committed += m_pending.size();
    m_pending.clear();
}

}  // namespace bitloom::record
