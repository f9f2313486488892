// Loaded into the emulated phone's shell: programs for ARM run under qemu, as on the processor chosen; pushed
// programs for another processor do not run, as on a phone.
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

namespace {

using Execve = int (*)(const char*, char* const*, char* const*);

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// The ELF machine of a file; -1 of anything else.
int machineOf(const char* path) {
    unsigned char start[EI_NIDENT + 4] = {};
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t count = file < 0 ? 0 : ::read(file, start, sizeof start);
    if (file >= 0) ::close(file);
    if (count < static_cast<ssize_t>(sizeof start) || std::memcmp(start, ELFMAG, SELFMAG) != 0) return -1;
    return start[EI_NIDENT + 2] + 256 * start[EI_NIDENT + 3];
}

bool liesOnThePhone(const char* path) {
    char resolved[PATH_MAX];
    const std::string data = variable("BITLOOM_EMULATED_ROOT") + "/data/";
    return ::realpath(path, resolved) != nullptr && std::strncmp(resolved, data.c_str(), data.size()) == 0;
}

/// One byte a program, counted by the emulated device.
void countProgram() {
    const std::string path = variable("BITLOOM_EMULATED_ROOT") + "/programs-started";
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    [[maybe_unused]] const ssize_t written = ::write(file, ".", 1);
    ::close(file);
}

int runUnderQemu(Execve execute, const char* path, char* const* arguments, char* const* environment) {
    std::string qemu = variable("BITLOOM_EMULATED_QEMU");
    std::string root = variable("BITLOOM_EMULATED_ROOT");
    std::string cpu = variable("BITLOOM_EMULATED_CPU");
    std::vector<char*> words;
    std::string options[] = {"-cpu", "-L"};
    for (std::string* word : {&qemu, &options[0], &cpu, &options[1], &root})
        words.push_back(word->data());
    words.push_back(const_cast<char*>(path));
    for (char* const* argument = arguments + 1; arguments[0] != nullptr && *argument != nullptr; ++argument)
        words.push_back(*argument);
    words.push_back(nullptr);
    std::vector<char*> kept;
    for (char* const* entry = environment; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, "LD_PRELOAD=", 11) != 0) kept.push_back(*entry);
    }
    kept.push_back(nullptr);
    countProgram();
    return execute(qemu.c_str(), words.data(), kept.data());
}

}  // namespace

extern "C" int execve(const char* path, char* const* arguments, char* const* environment) noexcept {
    const auto execute = reinterpret_cast<Execve>(::dlsym(RTLD_NEXT, "execve"));
    const int machine = machineOf(path);
    if (machine == EM_AARCH64 && ::access(path, X_OK) == 0)
        return runUnderQemu(execute, path, arguments, environment);
    if (machine >= 0 && machine != EM_AARCH64 && liesOnThePhone(path)) {
        errno = ENOEXEC;
        return -1;
    }
    return execute(path, arguments, environment);
}
