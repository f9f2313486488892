// How the command line prints: aligned tables, JSON, one line an error.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/base/result.h"

namespace bitloom::app {

using Json = nlohmann::ordered_json;

/// Rows of text in aligned columns; numbers to the right.
class Table {
  public:
    explicit Table(std::vector<std::string> header);
    void add(std::vector<std::string> row);  ///< as many cells as the header
    [[nodiscard]] std::string text() const;

  private:
    std::vector<std::vector<std::string>> m_rows;
};

/// "Name   value" lines, names in one column.
[[nodiscard]] std::string fieldsText(const std::vector<std::pair<std::string, std::string>>& fields);

/// "91.73 %"; "-" for NaN.
[[nodiscard]] std::string percentText(double percent);
/// A short number; "-" for NaN.
[[nodiscard]] std::string numberText(double value, int digits = 4);
/// A whole number; "-" for a negative one, which stands for an unknown count.
[[nodiscard]] std::string countText(std::int64_t count);
/// "1082.3 kB (1082345 bytes)"; "-" for a negative number.
[[nodiscard]] std::string bytesText(std::int64_t bytes);

/// To standard output.
void printText(const std::string& text);
void printJson(const Json& json);

/// Prints the error to standard error and returns its exit code.
[[nodiscard]] int reportError(const Error& error);

}  // namespace bitloom::app
