// Preloaded into the runner: the n-th reading of the steady clock says n x n nanoseconds, so that a
// difference of two readings tells when they were taken: between readings n and n + 1 lie 2 n + 1.
#include <atomic>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    if (clock != CLOCK_MONOTONIC) return static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    static std::atomic<long> readings = 0;
    constexpr long kSecond = 1'000'000'000;
    const long n = ++readings;
    time->tv_sec = n * n / kSecond;
    time->tv_nsec = n * n % kSecond;
    return 0;
}
