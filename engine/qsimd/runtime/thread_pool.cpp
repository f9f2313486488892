#include "engine/qsimd/runtime/thread_pool.h"

#include <sched.h>

namespace bitloom::qsimd {
namespace {

// Steps follow each other within microseconds: a thread looks that often before it lets others run.
constexpr int kSpins = 2000;

template <class Done>
void waitUntil(const Done& done) {
    for (int spin = 0; !done(); ++spin) {
        if (spin < kSpins) continue;
        std::this_thread::yield();
    }
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
    waitUntil([this] { return m_busy.load(std::memory_order_acquire) == 0; });
}

void ThreadPool::serve(int thread, int core) {
    if (core >= 0) pin(core);
    std::uint32_t seen = 0;
    while (true) {
        for (int spin = 0; spin < kSpins && m_round.load(std::memory_order_acquire) == seen; ++spin) {
        }
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
