#include "tests/support/child_process.h"

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bitloom::testing {

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, int readyDescriptor) {
    std::vector<std::string> words = arguments;
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    std::array<int, 2> ready{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    m_pid = ::fork();
    if (m_pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(ready[1], readyDescriptor);
        ::execv(pointers.front(), pointers.data());
        ::_exit(127);
    }
    ::close(ready[1]);
    char letter = 0;
    while (::read(ready[0], &letter, 1) == 1 && letter != '\n')
        m_firstLine += letter;
    ::close(ready[0]);
    if (letter == '\n') return;
    end();
    throw std::runtime_error(arguments.front() + " did not start");
}

ChildProcess::~ChildProcess() {
    end();
}

void ChildProcess::signal(int number) const {
    if (m_pid > 0) ::kill(m_pid, number);
}

void ChildProcess::end() {
    signal(SIGTERM);
    signal(SIGCONT);
    waitForEnd();
}

void ChildProcess::waitForEnd() {
    if (m_pid > 0) ::waitpid(std::exchange(m_pid, -1), nullptr, 0);
}

}  // namespace bitloom::testing
