#include "tests/device/processes.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace bitloom::testing {

bool isRunning(pid_t process) {
    std::ifstream stream("/proc/" + std::to_string(process) + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(stream), {}};
    const std::size_t name = stat.rfind(')');
    return name != std::string::npos && stat.compare(name, 3, ") Z") != 0 &&
           stat.compare(name, 3, ") X") != 0;
}

bool waitUntil(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

pid_t pidIn(const std::filesystem::path& path) {
    pid_t process = -1;
    std::ifstream(path) >> process;
    return process;
}

}  // namespace bitloom::testing
