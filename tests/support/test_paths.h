// Where tests find real data and put scratch files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace bitloom::testing {

/// The folder with real datasets and checkpoints: BITLOOM_SHARED, or ../shared beside the project. Nothing
/// when absent; then a test says so: `BITLOOM_SHARED_OR_SKIP(path, "weights/resnet20-12fca82f.th")`.
[[nodiscard]] std::optional<std::filesystem::path> sharedFile(const std::string& relative);

/// The project's root.
[[nodiscard]] std::filesystem::path projectRoot();

/// A new empty folder, removed with its content when the object dies.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return m_path / name; }

  private:
    std::filesystem::path m_path;
};

}  // namespace bitloom::testing

#define BITLOOM_SHARED_OR_SKIP(variable, relative)                                                  \
    const auto variable##Found = ::bitloom::testing::sharedFile(relative);                          \
    if (!variable##Found) GTEST_SKIP() << "no " << (relative) << " in ../shared or BITLOOM_SHARED"; \
    const std::filesystem::path& variable = *variable##Found
