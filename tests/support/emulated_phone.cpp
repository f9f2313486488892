#include "tests/support/emulated_phone.h"

#include <algorithm>
#include <csignal>

namespace bitloom::testing {

namespace fs = std::filesystem;

EmulatedPhone::EmulatedPhone(const std::string& fault, const std::string& cpu) : m_cpu(cpu) {
    start(fault);
}

void EmulatedPhone::start(const std::string& fault) {
    m_process = std::make_unique<ChildProcess>(std::vector<std::string>{BITLOOM_EMULATED_DEVICE, "--port",
                                                                        "0", "--fault", fault, "--cpu", m_cpu,
                                                                        "--root", m_root.path().string()});
}

void EmulatedPhone::replug() {
    start("none");
}

std::vector<std::string> EmulatedPhone::jobFolders() const {
    std::vector<std::string> names;
    std::error_code code;
    for (const fs::directory_entry& entry : fs::directory_iterator(at("/data/local/tmp/bitloom"), code))
        names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
}

void EmulatedPhone::unplug() {
    m_process->signal(SIGUSR1);
    m_process->waitForEnd();
}

void EmulatedPhone::freeze() {
    m_process->signal(SIGSTOP);
}

void EmulatedPhone::waitUntilUnplugged() {
    m_process->waitForEnd();
}

}  // namespace bitloom::testing
