// Reuse, alignment and bounds of the CPU tensor cache. It serves the whole process, so counts are compared as
// changes.
#include "engine/train/caching_allocator.h"

#include <thread>

#include <gtest/gtest.h>

#include "engine/quant/torch.h"

namespace bitloom::train {
namespace {

constexpr std::int64_t kFloats = 3'333'333;  ///< 13 MB, a size that no other test asks for

class CachingAllocator : public ::testing::Test {
  protected:
    CachingAllocator() { installCachingAllocator(); }
};

TEST_F(CachingAllocator, ReusesAFreedTensor) {
    void* first = torch::empty({kFloats}).data_ptr();
    const CacheStatistics before = cacheStatistics();
    const torch::Tensor again = torch::empty({kFloats});
    EXPECT_EQ(again.data_ptr(), first);
    const CacheStatistics after = cacheStatistics();
    EXPECT_EQ(after.hits, before.hits + 1);
    EXPECT_EQ(after.misses, before.misses);
    EXPECT_EQ(after.liveBytes - before.liveBytes, before.cachedBytes - after.cachedBytes);
    EXPECT_GE(after.liveBytes - before.liveBytes, static_cast<std::size_t>(kFloats) * sizeof(float));
}

TEST_F(CachingAllocator, GivesBackWhatItKeptAndNoMore) {
    const torch::Tensor live = torch::full({kFloats}, 3.0f);
    (void)torch::empty({kFloats});
    EXPECT_GE(cacheStatistics().cachedBytes, static_cast<std::size_t>(kFloats) * sizeof(float));
    const std::size_t held = cacheStatistics().liveBytes;
    releaseCache();
    EXPECT_EQ(cacheStatistics().cachedBytes, 0u);
    EXPECT_EQ(cacheStatistics().liveBytes, held);
    EXPECT_TRUE((live == 3.0f).all().item<bool>());
    (void)torch::empty({kFloats});
    EXPECT_GT(cacheStatistics().cachedBytes, 0u) << "it goes on keeping";
}

TEST_F(CachingAllocator, NeverSharesALiveTensor) {
    const torch::Tensor one = torch::full({kFloats}, 1.0f);
    const torch::Tensor two = torch::full({kFloats}, 2.0f);
    EXPECT_TRUE((one == 1.0f).all().item<bool>());
    EXPECT_TRUE((two == 2.0f).all().item<bool>());
}

TEST_F(CachingAllocator, AlignsEverySize) {
    for (const std::int64_t count : {1, 7, 1000, 16'383, 16'384, 16'385, 100'000}) {
        const torch::Tensor tensor = torch::zeros({count});
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64, 0u) << count;
    }
    EXPECT_EQ(torch::empty({0}).numel(), 0);
}

TEST_F(CachingAllocator, KeepsAtMostAsMuchAsWasLive) {
    for (std::int64_t i = 0; i < 64; ++i)
        (void)torch::empty({kFloats + 20'000 * i});
    const CacheStatistics statistics = cacheStatistics();
    // One such tensor was live at a time; keeping all 64 sizes would be 900 MB.
    EXPECT_LT(statistics.cachedBytes, std::size_t{600} << 20);
}

TEST_F(CachingAllocator, ServesSeveralThreads) {
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int id = 0; id < 4; ++id) {
        threads.emplace_back([&wrong, id] {
            for (int i = 0; i < 200; ++i) {
                const torch::Tensor tensor = torch::full({20'000 + 1'000 * (i % 5)}, static_cast<float>(id));
                if (!(tensor == static_cast<float>(id)).all().item<bool>()) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace bitloom::train
