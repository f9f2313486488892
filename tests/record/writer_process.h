// The program test_writer.cpp as a child process: started, listened to, killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <sys/types.h>

namespace bitloom::testing {

class WriterProcess {
  public:
    /// Writes steps up to `last`; `resumeFrom` < 0: a new run.
    WriterProcess(const std::filesystem::path& path, std::int64_t last, std::int64_t resumeFrom = -1);
    /// Kills the process if it still runs.
    ~WriterProcess();
    WriterProcess(const WriterProcess&) = delete;
    WriterProcess& operator=(const WriterProcess&) = delete;

    /// Waits until another step is flushed; nothing when the process ended first.
    std::optional<std::int64_t> nextStep();
    /// SIGKILL, and waits for the end.
    void kill();
    /// Lets the process finish its run; returns its exit code, or -1 when it died otherwise.
    int finish();

  private:
    int wait();

    pid_t m_process = -1;
    int m_input = -1;
    int m_output = -1;
};

}  // namespace bitloom::testing
