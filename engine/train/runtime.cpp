#include "engine/train/runtime.h"

#include <algorithm>
#include <thread>

#include <ATen/Parallel.h>

#include "engine/quant/torch.h"

namespace bitloom::train {

void configureTorch(int threads) {
    const int count =
        threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    at::set_num_threads(count);
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
    // The flag lives in a register of each thread: set it on the calling one and on every worker of the pool.
    at::globalContext().setFlushDenormal(true);
    at::parallel_for(0, count, 1,
                     [](std::int64_t, std::int64_t) { at::globalContext().setFlushDenormal(true); });
}

}  // namespace bitloom::train
