#include "tests/support/test_paths.h"

#include <cstdlib>
#include <stdexcept>

namespace bitloom::testing {

namespace fs = std::filesystem;

fs::path projectRoot() {
    return BITLOOM_PROJECT_ROOT;
}

std::optional<fs::path> sharedFile(const std::string& relative) {
    const char* variable = std::getenv("BITLOOM_SHARED");
    const fs::path path = (variable ? fs::path(variable) : projectRoot() / ".." / "shared") / relative;
    if (!fs::exists(path)) return std::nullopt;
    return path;
}

TemporaryFolder::TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "bitloom-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
    m_path = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(m_path, ignored);
}

}  // namespace bitloom::testing
