// An emulated device (emulated_device/README.md) as a child process of a test.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::testing {

class EmulatedPhone {
  public:
    /// Listens when the constructor returns; adb must still connect to it.
    explicit EmulatedPhone(const std::string& fault = "none", const std::string& cpu = "cortex-a76");

    /// "127.0.0.1:PORT", which adb takes for its serial too.
    [[nodiscard]] const std::string& serial() const { return m_process->firstLine(); }

    /// Where a path of the phone lies on this computer.
    [[nodiscard]] std::filesystem::path at(const std::string& path) const { return m_root / path.substr(1); }

    /// The names in /data/local/tmp/bitloom, sorted; empty when there is no such folder.
    [[nodiscard]] std::vector<std::string> jobFolders() const;

    void unplug();              ///< at once
    void freeze();              ///< answers nothing any more
    void waitUntilUnplugged();  ///< for the faults that do it themselves
    void replug();              ///< healthy, with the files it had, under a new serial

  private:
    void start(const std::string& fault);

    TemporaryFolder m_root;
    std::string m_cpu;
    std::unique_ptr<ChildProcess> m_process;
};

}  // namespace bitloom::testing
