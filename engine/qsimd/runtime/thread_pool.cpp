#include "engine/qsimd/runtime/thread_pool.h"

#include <chrono>

#include <sched.h>

namespace bitloom::qsimd {
namespace {

// Shares of a step end within microseconds of each other, and waking a thread takes tens of them: a thread
// looks that long before it sleeps or lets others run.
constexpr auto kPatience = std::chrono::microseconds(200);

/// Whether done() came true in time.
template <class Done>
bool spinUntil(const Done& done) {
    const auto start = std::chrono::steady_clock::now();
    do {
        for (int i = 0; i < 64; ++i) {
            if (done()) return true;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
    } while (std::chrono::steady_clock::now() - start < kPatience);
    return false;
}

}  // namespace

ThreadPool::ThreadPool(int threads, std::vector<int> cores) {
    const auto coreOf = [&cores](int thread) {
        const auto i = static_cast<std::size_t>(thread);
        return i < cores.size() ? cores[i] : -1;
    };
    if (coreOf(0) >= 0) pin(coreOf(0));
    for (int i = 1; i < threads; ++i)
        m_threads.emplace_back(&ThreadPool::serve, this, i, coreOf(i));
}

ThreadPool::~ThreadPool() {
    m_end = true;
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    for (std::thread& thread : m_threads)
        thread.join();
}

void ThreadPool::run(const std::function<void(int)>& work) {
    if (m_threads.empty()) return work(0);
    m_work = &work;
    m_busy.store(static_cast<int>(m_threads.size()), std::memory_order_relaxed);
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    work(0);
    const auto done = [this] { return m_busy.load(std::memory_order_acquire) == 0; };
    if (spinUntil(done)) return;
    while (!done())
        std::this_thread::yield();
}

void ThreadPool::serve(int thread, int core) {
    if (core >= 0) pin(core);
    std::uint32_t seen = 0;
    while (true) {
        if (!spinUntil([&] { return m_round.load(std::memory_order_acquire) != seen; }))
            m_round.wait(seen, std::memory_order_acquire);  // returns at once where the round has changed
        ++seen;
        if (m_end) return;
        (*m_work)(thread);
        m_busy.fetch_sub(1, std::memory_order_release);
    }
}

bool ThreadPool::pin(int core) {
    if (core < 0 || core >= CPU_SETSIZE) return false;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    return sched_setaffinity(0, sizeof cores, &cores) == 0;
}

}  // namespace bitloom::qsimd
