// An adb server of a test's own, with its own keys and log, on a socket file that no other test shares. While
// it lives, this process's environment leads every adb call to it.
#pragma once

#include <memory>
#include <string>

#include "tests/support/child_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::testing {

class AdbServer {
  public:
    AdbServer();
    ~AdbServer();
    AdbServer(const AdbServer&) = delete;
    AdbServer& operator=(const AdbServer&) = delete;

    /// Whether the tools that these tests need are installed (.ci/install tests).
    static bool available();

    /// `adb connect`; returns what adb printed.
    std::string connect(const std::string& address);

  private:
    TemporaryFolder m_folder;
    std::unique_ptr<ChildProcess> m_server;
};

}  // namespace bitloom::testing
