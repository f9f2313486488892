// A helper program of a test: it dies with the object, and with the test.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace bitloom::testing {

class ChildProcess {
  public:
    /// Starts a program that tells by its first line on that descriptor that it is ready; waits for the line.
    /// Throws std::runtime_error when the program ends without one.
    explicit ChildProcess(const std::vector<std::string>& arguments, int readyDescriptor = 1);
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    [[nodiscard]] const std::string& firstLine() const { return m_firstLine; }
    void signal(int number) const;
    /// SIGTERM (and SIGCONT, in case it was stopped), and waits for the end.
    void end();
    /// Waits until the program has ended by itself.
    void waitForEnd();

  private:
    pid_t m_pid = -1;
    std::string m_firstLine;
};

}  // namespace bitloom::testing
