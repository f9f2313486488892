#include "engine/train/runtime.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <ATen/Parallel.h>

namespace bitloom::train {

int configureTorch(int threads) {
    const int count =
        threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    at::set_num_threads(count);
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
    // The flag lives in a register of each thread: set it on the calling one and on every worker of the pool.
    at::globalContext().setFlushDenormal(true);
    std::atomic<int> shares = 0;
    at::parallel_for(0, count, 1, [&](std::int64_t, std::int64_t) {
        at::globalContext().setFlushDenormal(true);
        ++shares;
    });
    return shares;
}

bool multipliesBFloat16(const torch::Device& device) {
#if defined(__x86_64__)
    return !device.is_cpu() || __builtin_cpu_supports("avx512bf16");
#else
    return !device.is_cpu();
#endif
}

}  // namespace bitloom::train
