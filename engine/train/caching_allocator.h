// Keeps large freed CPU tensors for reuse. A training step frees and allocates the same few hundred megabytes
// again; the C library hands them back to the system each time, and mapping fresh pages costs more than a
// convolution.
#pragma once

#include <cstddef>

namespace bitloom::train {

struct CacheStatistics {
    std::size_t liveBytes = 0;    ///< in large blocks held by tensors
    std::size_t cachedBytes = 0;  ///< in large blocks kept for reuse
    std::size_t hits = 0;         ///< allocations served from the cache
    std::size_t misses = 0;
};

/// Makes it libtorch's allocator of CPU memory, for the whole process; later calls do nothing. Any thread.
void installCachingAllocator();

/// Gives what is kept for reuse back to the system: after a job, as it may never be asked for again. Any
/// thread.
void releaseCache();

/// Any thread.
[[nodiscard]] CacheStatistics cacheStatistics();

}  // namespace bitloom::train
