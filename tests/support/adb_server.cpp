#include "tests/support/adb_server.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace bitloom::testing {

AdbServer::AdbServer() {
    const std::string socket = "localfilesystem:" + (m_folder / "adb").string();
    ::setenv("HOME", m_folder.path().c_str(), 1);
    ::setenv("ADB_SERVER_SOCKET", socket.c_str(), 1);
    // adb would look for emulators on ports of other programs.
    ::setenv("ADB_LOCAL_TRANSPORT_MAX_PORT", "0", 1);
    ::setenv("BITLOOM_ADB", BITLOOM_ADB_PROGRAM, 1);
    const std::string log = m_folder.path().string();
    const char* before = std::getenv("TMPDIR");
    const std::string kept = before == nullptr ? "" : before;
    ::setenv("TMPDIR", log.c_str(), 1);  // of the server's log
    // adb insists on one beyond the standard streams.
    constexpr int kReadyDescriptor = 50;
    m_server = std::make_unique<ChildProcess>(
        std::vector<std::string>{BITLOOM_ADB_PROGRAM, "-L", socket, "fork-server", "server", "--reply-fd",
                                 std::to_string(kReadyDescriptor)},
        kReadyDescriptor);
    if (before == nullptr) {
        ::unsetenv("TMPDIR");
    } else {
        ::setenv("TMPDIR", kept.c_str(), 1);
    }
    if (m_server->firstLine() != "OK") throw std::runtime_error("adb server: " + m_server->firstLine());
}

AdbServer::~AdbServer() = default;

bool AdbServer::available() {
    return std::string(BITLOOM_ADB_PROGRAM).find("NOTFOUND") == std::string::npos;
}

std::string AdbServer::connect(const std::string& address) {
    // Address and program are the tests' own.
    FILE* pipe = ::popen((BITLOOM_ADB_PROGRAM " connect " + address + " 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("adb connect: cannot start it");
    std::string output;
    for (int letter = std::fgetc(pipe); letter != EOF; letter = std::fgetc(pipe))
        output += static_cast<char>(letter);
    ::pclose(pipe);
    return output;
}

}  // namespace bitloom::testing
