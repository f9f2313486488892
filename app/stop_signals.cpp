#include "app/stop_signals.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace bitloom::app {
namespace {

// A handler may only do what is async-signal-safe: it writes one byte, and a thread that reads it does the
// rest.
constexpr char kStop = 's';
constexpr char kQuit = 'q';
std::array<int, 2> pipeEnds = {-1, -1};
std::array<struct sigaction, 2> previous{};
constexpr std::array kSignals = {SIGINT, SIGTERM};

void send(char what) {
    const int saved = errno;
    [[maybe_unused]] const ssize_t written = ::write(pipeEnds[1], &what, 1);
    errno = saved;
}

void onSignal(int) {
    send(kStop);
}

}  // namespace

StopOnSignal::StopOnSignal(std::function<void()> stop) {
    if (::pipe2(pipeEnds.data(), O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    m_waiter = std::thread([stop = std::move(stop)] {
        char what = 0;
        while (true) {
            const ssize_t got = ::read(pipeEnds[0], &what, 1);
            if (got < 0 && errno == EINTR) continue;
            if (got != 1 || what == kQuit) return;
            stop();
        }
    });
    struct sigaction action {};
    action.sa_handler = onSignal;
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    for (std::size_t i = 0; i < kSignals.size(); ++i)
        ::sigaction(kSignals[i], &action, &previous[i]);
}

StopOnSignal::~StopOnSignal() {
    for (std::size_t i = 0; i < kSignals.size(); ++i)
        ::sigaction(kSignals[i], &previous[i], nullptr);
    send(kQuit);
    m_waiter.join();
    for (const int end : pipeEnds)
        ::close(end);
}

}  // namespace bitloom::app
