// A loop on several threads. Which thread takes which index is left open, so bodies write only what belongs
// to their index, and results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace bitloom::stats {

/// Calls `body(index)` once for each index below `count`, on the calling thread and `threads - 1` others.
/// `body` must not throw. Starting and joining a thread costs some 20 us, so a call is worth a millisecond of
/// work.
template <class Body>
void parallelFor(int threads, std::size_t count, const Body& body) {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
             i = next.fetch_add(1, std::memory_order_relaxed)) {
            body(i);
        }
    };
    std::vector<std::jthread> helpers;  // joined before `work` and `next` go
    const std::size_t most = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
    for (std::size_t helper = 1; helper < most; ++helper)
        helpers.emplace_back(work);
    work();
}

}  // namespace bitloom::stats
