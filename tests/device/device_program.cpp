// What the tests run on devices. The first argument says what it does; it ends after a minute at most.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/auxv.h>
#include <unistd.h>

namespace {

void writeFile(const char* name, const char* text) {
    std::FILE* file = std::fopen(name, "w");
    if (file == nullptr) std::exit(3);
    std::fputs(text, file);
    std::fclose(file);
}

/// Leaves its process number in a file, which appears whole, and waits to be killed.
void waitForEver(const char* pidFile) {
    char number[32];
    std::snprintf(number, sizeof number, "%d", static_cast<int>(::getpid()));
    char part[64];
    std::snprintf(part, sizeof part, "%s.part", pidFile);
    writeFile(part, number);
    std::rename(part, pidFile);
    std::puts("started");
    std::fflush(stdout);
    while (true)
        ::pause();
}

void writeBytes(int count) {
    for (int i = 0; i < count; ++i)
        std::putchar(i % 256);
}

}  // namespace

int main(int count, char** arguments) {
    ::alarm(60);
    const auto does = [&](const char* what) { return count > 1 && std::strcmp(arguments[1], what) == 0; };
    if (does("arguments")) {
        for (int i = 2; i < count; ++i)
            std::printf("[%s]\n", arguments[i]);
    }
    if (does("streams")) {
        std::puts("to out");
        std::fputs("to err\n", stderr);
        return 7;
    }
    if (does("exit")) return std::atoi(arguments[2]);
    if (does("write")) writeFile(arguments[2], arguments[3]);
    if (does("bytes")) writeBytes(std::atoi(arguments[2]));
    if (does("wait")) waitForEver("pid");
    if (does("family")) waitForEver(::fork() == 0 ? "child-pid" : "pid");
    if (does("crash")) std::abort();
#if defined(__aarch64__)
    if (does("dotprod")) std::puts((::getauxval(AT_HWCAP) & (1u << 20)) != 0 ? "yes" : "no");
#endif
    return 0;
}
