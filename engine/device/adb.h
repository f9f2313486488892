// The real `adb` program, one process a call, always with `-s SERIAL` and a time limit. Calls block. Any
// thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/device/adb_text.h"
#include "engine/device/command.h"

namespace bitloom::device {

class Adb {
  public:
    /// The program named by BITLOOM_ADB, else `adb` in PATH. `answerTimeout` bounds every call that is
    /// expected to answer at once. ErrorKind::NoDevice with the remedy when there is none.
    static Result<Adb> find(std::chrono::milliseconds answerTimeout);

    /// Every device that the adb server knows, usable or not. Starts the server when there is none.
    [[nodiscard]] Result<std::vector<ListedDevice>> devices(const JobControl& control) const;

    /// `adb -s SERIAL ARGUMENTS...`; `doing` names the call in messages: "copying net.bin". An exit code
    /// other than 0 is an error with adb's last words, ErrorKind::NoDevice when the device is gone.
    Status call(const std::string& serial, const std::vector<std::string>& arguments, std::string_view doing,
                std::chrono::milliseconds timeout, const JobControl& control) const;

    /// Runs `script` in the device's shell; whatever comes from outside must be shellQuoted() in it. The
    /// outcome is the script's own; with daemons before Android 7 its standard error stands in `out`. Errors
    /// as call()'s, and a connection or a shell that ended before the script did.
    [[nodiscard]] Result<CommandOutcome> shell(const std::string& serial, std::string_view script,
                                               std::string_view doing, std::chrono::milliseconds timeout,
                                               const JobControl& control) const;

    [[nodiscard]] std::chrono::milliseconds answerTimeout() const { return m_answerTimeout; }

  private:
    Adb(std::filesystem::path program, std::chrono::milliseconds answerTimeout);
    [[nodiscard]] Result<CommandOutcome> run(const std::string& serial, std::vector<std::string> arguments,
                                             std::string_view doing, std::chrono::milliseconds timeout,
                                             const JobControl& control) const;
    [[nodiscard]] Error explainFailure(const std::string& serial, std::string_view doing,
                                       const CommandOutcome& outcome, const JobControl& control) const;

    std::filesystem::path m_program;
    std::chrono::milliseconds m_answerTimeout;
};

/// Why a device in that state cannot be used and what helps; empty for "device".
[[nodiscard]] std::string problemOfState(std::string_view state);

}  // namespace bitloom::device
