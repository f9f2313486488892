// What may include what: the arrows between folders, and which files may see the headers of torch, HDF5, Qt
// and QCustomPlot. The tables are in include_rules.cpp; a new folder or a new header of that kind is added
// there, on purpose.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace bitloom::testing {

struct Violation {
    std::string file;  ///< from the root
    int line = 0;
    std::string include;  ///< with its quotes or brackets
    std::string reason;

    [[nodiscard]] std::string text() const;
};

/// Reads every include line of app, engine, widgets and tests below `root`. Sorted by file and line.
[[nodiscard]] std::vector<Violation> findViolations(const std::filesystem::path& root);

/// How many include lines findViolations read, so that a test can tell a clean tree from an unread one.
[[nodiscard]] std::size_t countIncludes(const std::filesystem::path& root);

}  // namespace bitloom::testing
