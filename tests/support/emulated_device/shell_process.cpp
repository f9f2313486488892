#include "tests/support/emulated_device/shell_process.h"

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/emulated_device/adb_packet.h"

namespace bitloom::testing {
namespace {

std::vector<char*> pointersTo(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    return pointers;
}

struct Ends {
    int ours = -1;
    int theirs = -1;
};

Ends outputPipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    return {ends[0], ends[1]};
}

Ends inputPipe() {
    const Ends ends = outputPipe();
    return {ends.theirs, ends.ours};
}

/// A terminal's two ends: everything goes both ways.
Ends terminal() {
    Ends ends;
    if (::openpty(&ends.ours, &ends.theirs, nullptr, nullptr, nullptr) != 0)
        throw std::runtime_error("no terminal");
    ::fcntl(ends.ours, F_SETFD, FD_CLOEXEC);
    ::fcntl(ends.theirs, F_SETFD, FD_CLOEXEC);
    return ends;
}

}  // namespace

ShellProcess::ShellProcess(Phone& phone, const std::string& command, Output output) {
    std::vector<std::string> words = {"sh"};
    if (!command.empty()) words.insert(words.end(), {"-c", phone.mapCommand(command)});
    std::vector<std::string> variables = phone.environment();
    const std::vector<char*> arguments = pointersTo(words);
    const std::vector<char*> environment = pointersTo(variables);
    const Ends in = output == Output::Terminal ? terminal() : inputPipe();
    const Ends out = output == Output::Terminal ? Ends{::dup(in.ours), ::dup(in.theirs)} : outputPipe();
    const Ends err = output == Output::TwoStreams ? outputPipe() : Ends{-1, ::dup(out.theirs)};
    m_pid = ::fork();
    if (m_pid == 0) {
        ::setsid();
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        if (output == Output::Terminal) ::ioctl(in.theirs, TIOCSCTTY, 0);
        ::dup2(in.theirs, STDIN_FILENO);
        ::dup2(out.theirs, STDOUT_FILENO);
        ::dup2(err.theirs, STDERR_FILENO);
        ::execve("/bin/sh", arguments.data(), environment.data());
        ::_exit(127);
    }
    for (const int end : {in.theirs, out.theirs, err.theirs})
        ::close(end);
    m_in = in.ours;
    m_out = out.ours;
    m_err = err.ours;
    ::fcntl(m_out, F_SETFD, FD_CLOEXEC);
    phone.addGroup(m_pid);
}

ShellProcess::~ShellProcess() {
    closeInput();
    finish();
}

void ShellProcess::write(const std::string& bytes) {
    if (m_in >= 0) writeExactly(m_in, bytes.data(), bytes.size());
}

void ShellProcess::closeInput() {
    if (m_in >= 0) ::close(std::exchange(m_in, -1));
}

void ShellProcess::hangUp() {
    const std::lock_guard lock(m_mutex);
    if (m_pid > 0) ::kill(m_pid, SIGHUP);
}

int ShellProcess::finish() {
    for (int* end : {&m_out, &m_err}) {
        if (*end >= 0) ::close(std::exchange(*end, -1));
    }
    if (m_pid < 0) return 0;
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOWAIT);
    const std::lock_guard lock(m_mutex);
    int status = 0;
    ::waitpid(std::exchange(m_pid, -1), &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace bitloom::testing
