// The real program as a child process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace bitloom::app {

struct ProcessResult {
    int exitCode = -1;  ///< negative: ended by that signal
    std::string out;
    std::string err;
};

class BitloomProcess {
  public:
    /// Starts bitloom with `arguments`; its output goes to files in `folder`, which must outlive the object.
    BitloomProcess(const std::vector<std::string>& arguments, const std::filesystem::path& folder);
    ~BitloomProcess();
    BitloomProcess(const BitloomProcess&) = delete;
    BitloomProcess& operator=(const BitloomProcess&) = delete;

    void signal(int number) const;
    [[nodiscard]] ProcessResult wait();
    /// Waits until `path` exists; false when the process ended before.
    [[nodiscard]] bool waitForFile(const std::filesystem::path& path);

  private:
    [[nodiscard]] bool ended();

    std::filesystem::path m_out;
    std::filesystem::path m_err;
    pid_t m_pid = -1;
    bool m_ended = false;
    int m_status = 0;
};

/// Runs to the end.
[[nodiscard]] ProcessResult runBitloom(const std::vector<std::string>& arguments);

}  // namespace bitloom::app
