// Free lists by block size behind one mutex; a step makes a few thousand calls, so it is never contended for
// long.
#include "engine/train/caching_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>
#include <vector>

#include <c10/core/CPUAllocator.h>

#include "engine/base/annotated_mutex.h"

namespace bitloom::train {
namespace {

constexpr std::size_t kAlignment = 64;  // of libtorch's own allocator
constexpr std::size_t kGranule = std::size_t{64}
                                 << 10;  // sizes are rounded up to it; smaller ones are not cached

/// In front of every allocation, as large as the alignment that it must keep.
struct alignas(kAlignment) Header {
    std::size_t blockBytes;  // 0: not cached
};

/// Null when there is no memory.
void* allocateBlock(std::size_t bytes) {
    void* block = nullptr;
    return posix_memalign(&block, kAlignment, bytes) == 0 ? block : nullptr;
}

class CachingAllocator final : public c10::Allocator {
  public:
    /// Never destroyed: tensors of static lifetime may outlive everything else.
    static CachingAllocator& instance() {
        static auto* const kInstance = new CachingAllocator;
        return *kInstance;
    }

    c10::DataPtr allocate(std::size_t bytes) const override {
        void* data = bytes == 0 ? nullptr : instance().take(bytes);
        return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override {
        return &release;
    }  // NOLINT(readability-identifier-naming)

    CacheStatistics statistics() {
        MutexLock lock(m_mutex);
        return m_statistics;
    }

    /// Frees what is kept, and forgets how much that may be.
    void trim() {
        MutexLock lock(m_mutex);
        clear();
        m_peakBytes = m_statistics.liveBytes;
    }

  private:
    static void release(void* data) {
        if (data != nullptr) instance().give(static_cast<Header*>(data) - 1);
    }

    void* take(std::size_t bytes) {
        const bool cached = bytes >= kGranule;
        const std::size_t rounded = cached ? (bytes + kGranule - 1) / kGranule * kGranule : 0;
        void* block = cached ? takeCached(rounded) : nullptr;
        const std::size_t whole = (cached ? rounded : bytes) + sizeof(Header);
        if (block == nullptr) block = allocateBlock(whole);
        if (block == nullptr) {  // what other sizes hold free may be enough
            clearCache();
            block = allocateBlock(whole);
        }
        if (block == nullptr) {
            forget(rounded);
            TORCH_CHECK(false, "out of memory: cannot allocate ", bytes, " bytes");
        }
        return new (block) Header{rounded} + 1;
    }

    void* takeCached(std::size_t bytes) {
        MutexLock lock(m_mutex);
        m_statistics.liveBytes += bytes;
        m_peakBytes = std::max(m_peakBytes, m_statistics.liveBytes);
        std::vector<void*>& blocks = m_free[bytes];
        if (!blocks.empty()) {
            void* block = blocks.back();
            blocks.pop_back();
            m_statistics.cachedBytes -= bytes;
            ++m_statistics.hits;
            return block;
        }
        ++m_statistics.misses;
        // Another batch size leaves blocks that nobody will ask for again.
        if (m_statistics.liveBytes + m_statistics.cachedBytes > 2 * m_peakBytes) clear();
        return nullptr;
    }

    void give(Header* header) {
        const std::size_t bytes = header->blockBytes;
        if (bytes == 0) {
            std::free(header);
            return;
        }
        MutexLock lock(m_mutex);
        m_statistics.liveBytes -= bytes;
        m_statistics.cachedBytes += bytes;
        m_free[bytes].push_back(header);
    }

    void clearCache() {
        MutexLock lock(m_mutex);
        clear();
    }

    /// Undoes the count of a block that could not be had.
    void forget(std::size_t bytes) {
        MutexLock lock(m_mutex);
        m_statistics.liveBytes -= bytes;
    }

    void clear() BITLOOM_REQUIRES(m_mutex) {
        for (const auto& [bytes, blocks] : m_free) {
            for (void* block : blocks)
                std::free(block);
        }
        m_free.clear();
        m_statistics.cachedBytes = 0;
    }

    Mutex m_mutex;
    std::map<std::size_t, std::vector<void*>> m_free BITLOOM_GUARDED_BY(m_mutex);
    CacheStatistics m_statistics BITLOOM_GUARDED_BY(m_mutex);
    std::size_t m_peakBytes BITLOOM_GUARDED_BY(m_mutex) = 0;
};

}  // namespace

void installCachingAllocator() {
    static const bool kInstalled = [] {
        c10::SetCPUAllocator(&CachingAllocator::instance(), /*priority=*/1);
        return true;
    }();
    static_cast<void>(kInstalled);
}

void releaseCache() {
    CachingAllocator::instance().trim();
}

CacheStatistics cacheStatistics() {
    return CachingAllocator::instance().statistics();
}

}  // namespace bitloom::train
