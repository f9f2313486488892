// Runs another program: argument vector, never a shell; its own process group, a time limit, cancellable. Any
// thread; the call blocks until the program has ended. Linux.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"

namespace bitloom::device {

struct Command {
    std::vector<std::string> arguments;  ///< the first is the program: a path, or a name looked up in PATH
    std::filesystem::path folder = {};   ///< where it runs; empty: where this process does
    std::string input = {};              ///< what it reads on standard input, then end of file
    std::chrono::milliseconds timeout = std::chrono::seconds(60);
    std::size_t maxOutputBytes = 16u << 20;  ///< kept of each stream; what comes beyond is read and dropped
    /// How long it may take to end by itself when it is stopped: it is asked to by SIGTERM, then killed. 0:
    /// killed.
    std::chrono::milliseconds grace = std::chrono::milliseconds(0);
    std::string label = {};  ///< its name in messages; empty: the arguments themselves

    /// For messages: the label, or the arguments with spaces between, shortened when very long.
    [[nodiscard]] std::string text() const;
};

struct CommandOutcome {
    int exitCode = 0;  ///< 128 + n when signal n ended it, as shells say it
    std::string out;   ///< bytes as they came
    std::string err;
    bool truncated = false;  ///< a stream had more than maxOutputBytes
};

/// An exit code other than 0 is an outcome. Errors: the program cannot be started (not found:
/// ErrorKind::Failed), the time is over, control.stop() was called (ErrorKind::Cancelled; noticed within 20
/// ms, then Command::grace). When it returns, for whatever reason, the program and all that it started in its
/// process group are dead; a daemon that left the group (setsid) lives on and is not waited for. Descriptors
/// other than the three standard streams are closed to the program, signals are reset.
Result<CommandOutcome> runCommand(const Command& command, const JobControl& control);

/// The executable file behind a program's name: itself when it has a slash, else the first in PATH. Nothing
/// when there is none.
[[nodiscard]] std::optional<std::filesystem::path> findProgram(const std::string& name);

/// The last `lines` non-empty lines, for messages; at most 2,000 bytes of them. Empty when there are none.
[[nodiscard]] std::string lastLines(std::string_view text, std::size_t lines = 4);

/// What a failed program said last: of standard error, or of standard output when that is empty.
[[nodiscard]] std::string lastWords(const CommandOutcome& outcome);

}  // namespace bitloom::device
