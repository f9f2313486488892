#include "tests/record/writer_process.h"

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bitloom::testing {

WriterProcess::WriterProcess(const std::filesystem::path& path, std::int64_t last, std::int64_t resumeFrom) {
    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
        throw std::runtime_error("no pipe");
    m_input = input[1];
    m_output = output[0];
    const std::string lastText = std::to_string(last);
    const std::string resumeText = std::to_string(resumeFrom);
    m_process = ::fork();
    if (m_process == 0) {
        ::dup2(input[0], STDIN_FILENO);
        ::dup2(output[1], STDOUT_FILENO);
        ::execl(BITLOOM_TEST_WRITER, BITLOOM_TEST_WRITER, path.c_str(), lastText.c_str(), resumeText.c_str(),
                nullptr);
        ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
}

WriterProcess::~WriterProcess() {
    kill();
    ::close(m_input);
    ::close(m_output);
}

std::optional<std::int64_t> WriterProcess::nextStep() {
    std::string line;
    char character = 0;
    while (::read(m_output, &character, 1) == 1) {
        if (character == '\n') return std::atoll(line.c_str());
        line += character;
    }
    return std::nullopt;
}

void WriterProcess::kill() {
    if (m_process > 0) ::kill(m_process, SIGKILL);
    wait();
}

int WriterProcess::finish() {
    const ssize_t written = ::write(m_input, "\n", 1);
    return written == 1 ? wait() : -1;
}

int WriterProcess::wait() {
    if (m_process <= 0) return -1;
    int status = 0;
    ::waitpid(m_process, &status, 0);
    m_process = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace bitloom::testing
