#include "app/cli_output.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>

#include <spdlog/spdlog.h>

namespace bitloom::app {
namespace {

bool looksNumeric(const std::string& cell) {
    return cell == "-" ||
           (!cell.empty() && (std::isdigit(static_cast<unsigned char>(cell.front())) || cell.front() == '-'));
}

}  // namespace

Table::Table(std::vector<std::string> header) {
    m_rows.push_back(std::move(header));
}

void Table::add(std::vector<std::string> row) {
    assert(row.size() == m_rows.front().size());
    m_rows.push_back(std::move(row));
}

std::string Table::text() const {
    const std::size_t columns = m_rows.front().size();
    std::vector<std::size_t> widths(columns, 0);
    std::vector<bool> numeric(columns, m_rows.size() > 1);
    for (std::size_t r = 0; r < m_rows.size(); ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            widths[c] = std::max(widths[c], m_rows[r][c].size());
            if (r > 0 && !looksNumeric(m_rows[r][c])) numeric[c] = false;
        }
    }
    std::string text;
    for (const auto& row : m_rows) {
        std::string line;
        for (std::size_t c = 0; c < columns; ++c) {
            line += numeric[c] ? fmt::format("{:>{}}  ", row[c], widths[c])
                               : fmt::format("{:<{}}  ", row[c], widths[c]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

std::string fieldsText(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::size_t width = 0;
    for (const auto& [name, value] : fields)
        width = std::max(width, name.size());
    std::string text;
    for (const auto& [name, value] : fields)
        text += fmt::format("{:<{}}  {}\n", name, width, value);
    return text;
}

std::string percentText(double percent) {
    return std::isnan(percent) ? "-" : fmt::format("{:.2f} %", percent);
}

std::string numberText(double value, int digits) {
    return std::isnan(value) ? "-" : fmt::format("{:.{}g}", value, digits);
}

std::string countText(std::int64_t count) {
    return count < 0 ? "-" : fmt::format("{}", count);
}

std::string bytesText(std::int64_t bytes) {
    if (bytes < 0) return "-";
    if (bytes < 10000) return fmt::format("{} bytes", bytes);
    const bool large = bytes >= 10000000;
    return fmt::format("{:.1f} {} ({} bytes)", static_cast<double>(bytes) / (large ? 1e6 : 1e3),
                       large ? "MB" : "kB", bytes);
}

void printText(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

void printJson(const Json& json) {
    // File names and metadata may hold bytes that are not UTF-8.
    printText(json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

int reportError(const Error& error) {
    if (error.kind == ErrorKind::Cancelled) {
        spdlog::warn("{}", error.message);
    } else {
        spdlog::error("{}", error.message);
    }
    return static_cast<int>(error.kind);
}

}  // namespace bitloom::app
