// Threads that run one function together, again and again, with as little waiting as possible between.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace bitloom::qsimd {

/// The thread that owns the pool is thread 0 and works too. Not to be used by two threads at once.
class ThreadPool {
  public:
    /// `cores[i]` is where thread i is pinned; empty leaves that to the system.
    explicit ThreadPool(int threads, std::vector<int> cores = {});
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    [[nodiscard]] int size() const { return static_cast<int>(m_threads.size()) + 1; }

    /// Calls work(thread) for every thread, 0 to size() - 1, at the same time; returns when all have
    /// returned.
    void run(const std::function<void(int)>& work);

    /// Pins the calling thread; false when the system refuses (no such core, or not ours).
    static bool pin(int core);

  private:
    void serve(int thread, int core);

    std::vector<std::thread> m_threads;
    const std::function<void(int)>* m_work = nullptr;
    std::atomic<std::uint32_t> m_round{0};
    std::atomic<int> m_busy{0};
    std::atomic<bool> m_end{false};
};

}  // namespace bitloom::qsimd
