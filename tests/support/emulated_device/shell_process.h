// A shell of the emulated phone: real `sh` in a session of its own, as adbd starts it.
#pragma once

#include <mutex>
#include <string>

#include <sys/types.h>

#include "tests/support/emulated_device/phone.h"

namespace bitloom::testing {

class ShellProcess {
  public:
    enum class Output { Terminal, OneStream, TwoStreams };

    ShellProcess(Phone& phone, const std::string& command, Output output);
    ~ShellProcess();
    ShellProcess(const ShellProcess&) = delete;
    ShellProcess& operator=(const ShellProcess&) = delete;

    [[nodiscard]] int out() const { return m_out; }
    [[nodiscard]] int err() const { return m_err; }  ///< -1 unless TwoStreams
    void write(const std::string& bytes);            ///< to its standard input
    void closeInput();
    void hangUp();  ///< SIGHUP to the shell alone: the computer has gone
    /// Closes its output and waits for its end. The exit code; 128 + n after signal n.
    int finish();

  private:
    std::mutex m_mutex;
    pid_t m_pid = -1;  ///< -1 once it has been waited for
    int m_in = -1;
    int m_out = -1;
    int m_err = -1;
};

}  // namespace bitloom::testing
