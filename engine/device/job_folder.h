// Names of the folders that jobs keep their files in on adb devices: from a name alone one can tell whose it
// is and whether its job still lives, so that what a killed job left behind can be removed and nothing else
// is. Any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace bitloom::device {

/// A new name, unlike any other: "<this system>-<process>-<its start>-<seconds since 1970>-<n>", the system
/// as 16 hexadecimal digits that change with every boot. The job counts as living while the object does.
class JobFolderName {
  public:
    JobFolderName();
    ~JobFolderName();
    JobFolderName(const JobFolderName&) = delete;
    JobFolderName& operator=(const JobFolderName&) = delete;
    [[nodiscard]] const std::string& text() const { return m_text; }

  private:
    std::string m_text;
};

/// After this time a folder that another system (or this one before its last boot) made counts as abandoned.
inline constexpr std::chrono::hours kForeignFolderAge{7 * 24};

/// Whether `name` follows the grammar above and its job is gone: its process has ended or dropped it, or,
/// made on another system, it is older than kForeignFolderAge.
[[nodiscard]] bool isAbandonedJobFolder(
    std::string_view name, std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

}  // namespace bitloom::device
