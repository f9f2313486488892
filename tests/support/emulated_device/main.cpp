// A phone on a TCP port of this computer, for the real adb: `adb connect 127.0.0.1:PORT`. Prints its address
// and serves until SIGTERM or SIGINT. See README.md.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/emulated_device/connection.h"

namespace {

namespace fs = std::filesystem;
using bitloom::testing::Connection;
using bitloom::testing::Fault;
using bitloom::testing::Phone;

/// A listening socket on 127.0.0.1; -1 when the port is taken. `port` 0 becomes the one that was chosen.
int listenOn(int& port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    address.sin_port = ::htons(static_cast<std::uint16_t>(port));
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, plain, size) != 0 || ::listen(listener, 4) != 0) return -1;
    ::getsockname(listener, plain, &size);
    port = ::ntohs(address.sin_port);
    return listener;
}

/// One connection after another: there is one adb server, and it connects again when it lost the device.
[[noreturn]] void serve(int listener, Phone& phone) {
    while (true) {
        const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) continue;
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Connection(socket, phone).serve();
    }
}

fs::path temporaryRoot() {
    std::string pattern = (fs::temp_directory_path() / "bitloom-phone-XXXXXX").string();
    return ::mkdtemp(pattern.data()) == nullptr ? fs::path() : fs::path(pattern);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program("Emulated ARM device for adb");
    int port = 0;
    std::string cpu = "cortex-a76";
    std::string faultName = "none";
    std::string root;
    program.add_option("--port", port, "TCP port on 127.0.0.1; 0: a free one");
    program.add_option("--cpu", cpu, "processor that programs run on")
        ->check(CLI::IsMember(Phone::cpuNames()));
    program.add_option("--fault", faultName, "what is wrong with it")->check([](const std::string& name) {
        return bitloom::testing::faultFromText(name) ? std::string() : "no such fault";
    });
    program.add_option("--root", root, "folder for its files; default: a temporary one")
        ->check(CLI::ExistingDirectory);
    CLI11_PARSE(program, argc, argv);

    ::signal(SIGPIPE, SIG_IGN);
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGTERM);
    ::sigaddset(&ends, SIGINT);
    ::sigaddset(&ends, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    const bool ownRoot = root.empty();
    const fs::path folder = ownRoot ? temporaryRoot() : fs::path(root);
    const int listener = listenOn(port);
    if (listener < 0 || folder.empty()) {
        fmt::print(stderr, "cannot listen on 127.0.0.1:{} or make a temporary folder\n", port);
        return 1;
    }
    Phone phone(folder, cpu, *bitloom::testing::faultFromText(faultName));
    fmt::print("127.0.0.1:{}\n", port);
    std::fflush(stdout);
    std::thread([&] { serve(listener, phone); }).detach();
    int signal = 0;
    ::sigwait(&ends, &signal);
    if (signal == SIGUSR1) phone.vanish();
    phone.killGroups();
    std::error_code ignored;
    if (ownRoot) fs::remove_all(folder, ignored);
    std::_Exit(0);
}
