// What the emulated device does for the computer, each on a thread of its own until the stream ends.
#pragma once

#include <string>

#include "tests/support/emulated_device/phone.h"
#include "tests/support/emulated_device/stream.h"

namespace bitloom::testing {

enum class ShellProtocol {
    Terminal,  ///< "shell:" of daemons before Android 7: one stream through a pseudo-terminal
    Plain,     ///< "shell:" and "exec:" since: one stream, as it is
    Packets    ///< "shell,v2": standard output, standard error and exit code in packets
};

void serveShell(Stream& stream, Phone& phone, const std::string& command, ShellProtocol protocol);

/// "sync:", version 1: STAT, LIST, SEND, RECV, QUIT.
void serveSync(Stream& stream, Phone& phone);

}  // namespace bitloom::testing
