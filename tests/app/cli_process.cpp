#include "tests/app/cli_process.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;

std::string contentOf(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

}  // namespace

BitloomProcess::BitloomProcess(const std::vector<std::string>& arguments, const fs::path& folder)
    : m_out(folder / "child-stdout"), m_err(folder / "child-stderr") {
    std::vector<std::string> words = {BITLOOM_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, m_out.c_str(), flags, 0644);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, m_err.c_str(), flags, 0644);
    const int failed = ::posix_spawn(&m_pid, BITLOOM_PROGRAM, &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("cannot start " BITLOOM_PROGRAM);
}

BitloomProcess::~BitloomProcess() {
    if (m_ended) return;
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
}

void BitloomProcess::signal(int number) const {
    ::kill(m_pid, number);
}

bool BitloomProcess::ended() {
    if (!m_ended) m_ended = ::waitpid(m_pid, &m_status, WNOHANG) == m_pid;
    return m_ended;
}

bool BitloomProcess::waitForFile(const fs::path& path) {
    while (!fs::exists(path)) {
        if (ended()) return fs::exists(path);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

ProcessResult BitloomProcess::wait() {
    if (!m_ended) {
        ::waitpid(m_pid, &m_status, 0);
        m_ended = true;
    }
    const int code = WIFEXITED(m_status) ? WEXITSTATUS(m_status) : -WTERMSIG(m_status);
    return {code, contentOf(m_out), contentOf(m_err)};
}

ProcessResult runBitloom(const std::vector<std::string>& arguments) {
    const testing::TemporaryFolder folder;
    return BitloomProcess(arguments, folder.path()).wait();
}

}  // namespace bitloom::app
