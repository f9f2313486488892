#include "engine/data/loader.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include <gmock/gmock.h>

namespace bitloom::data {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

/// Image i is 2 x 2 pixels of value i, with label i. May fail or throw at one image.
class Numbers final : public Dataset {
  public:
    explicit Numbers(std::int64_t size) : m_size(size) {}

    [[nodiscard]] std::int64_t size() const override { return m_size; }
    [[nodiscard]] ImageShape shape() const override { return {1, 2, 2}; }
    [[nodiscard]] const std::vector<std::string>& classNames() const override { return m_names; }
    [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
        if (index == m_failAt) return fail("image-{}.jpg: damaged", index);
        if (index == m_throwAt) throw std::runtime_error("out of something");
        std::ranges::fill(pixels, static_cast<std::uint8_t>(index));
        return static_cast<int>(index);
    }

    void failAt(std::int64_t index) { m_failAt = index; }
    void throwAt(std::int64_t index) { m_throwAt = index; }

  private:
    std::int64_t m_size;
    std::int64_t m_failAt = -1;
    std::int64_t m_throwAt = -1;
    std::vector<std::string> m_names = {"number"};
};

LoaderOptions plainOptions(int batchSize) {
    LoaderOptions options;
    options.batchSize = batchSize;
    options.shuffle = false;
    options.augment = false;
    options.normalization.deviation.fill(1 / 255.0f);
    return options;
}

std::vector<Batch> take(Loader& loader, int count) {
    std::vector<Batch> batches;
    for (int i = 0; i < count; ++i) {
        auto batch = loader.next();
        if (!batch.ok()) throw std::runtime_error(batch.error().message);
        batches.push_back(std::move(batch).value());
    }
    return batches;
}

void expectEqual(const std::vector<Batch>& a, const std::vector<Batch>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].epoch, b[i].epoch);
        EXPECT_EQ(a[i].index, b[i].index);
        EXPECT_EQ(a[i].count, b[i].count);
        EXPECT_EQ(a[i].labels, b[i].labels);
        EXPECT_EQ(a[i].images, b[i].images);
    }
}

TEST(Loader, GivesImagesInOrderWithoutShuffling) {
    const Numbers numbers(10);
    LoaderOptions options = plainOptions(4);
    options.dropLast = false;
    Loader loader(numbers, options);
    ASSERT_EQ(loader.batchesPerEpoch(), 3);
    const std::vector<Batch> batches = take(loader, 4);
    EXPECT_THAT(batches[0].labels, ::testing::ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(batches[2].labels, ::testing::ElementsAre(8, 9));
    EXPECT_EQ(batches[2].count, 2);
    EXPECT_EQ(batches[2].images.size(), 8u);
    EXPECT_NEAR(batches[2].images.back(), 9, 1e-4);
    EXPECT_EQ(batches[2].epoch, 0);
    EXPECT_EQ(batches[2].index, 2);
    EXPECT_EQ(batches[3].epoch, 1);
    EXPECT_EQ(batches[3].index, 0);
    EXPECT_EQ(batches[3].labels, batches[0].labels);
}

TEST(Loader, DropsAShortLastBatch) {
    const Numbers numbers(10);
    Loader loader(numbers, plainOptions(4));
    EXPECT_EQ(loader.batchesPerEpoch(), 2);
    EXPECT_EQ(take(loader, 3)[2].epoch, 1);
}

TEST(Loader, ShufflesEachEpochAnew) {
    const Numbers numbers(100);
    LoaderOptions options = plainOptions(10);
    options.shuffle = true;
    Loader loader(numbers, options);
    std::vector<std::vector<std::int64_t>> epochs(3);
    for (const Batch& batch : take(loader, 30)) {
        auto& labels = epochs.at(static_cast<std::size_t>(batch.epoch));
        labels.insert(labels.end(), batch.labels.begin(), batch.labels.end());
    }
    EXPECT_NE(epochs[0], epochs[1]);
    EXPECT_NE(epochs[1], epochs[2]);
    for (std::vector<std::int64_t>& labels : epochs) {
        EXPECT_FALSE(std::ranges::is_sorted(labels));
        std::ranges::sort(labels);
        for (std::size_t i = 0; i < labels.size(); ++i)
            ASSERT_EQ(labels[i], static_cast<std::int64_t>(i));
    }
}

TEST(Loader, ShufflesEvenly) {
    // Every image comes first about equally often: 2,000 shuffles of 5 images, 400 +- 5 standard deviations
    // of 18.
    std::map<std::int64_t, int> first;
    const Numbers numbers(5);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        LoaderOptions options = plainOptions(5);
        options.shuffle = true;
        options.seed = seed;
        Loader loader(numbers, options);
        for (const Batch& batch : take(loader, 100))
            ++first[batch.labels[0]];
    }
    for (const auto& [label, count] : first)
        EXPECT_NEAR(count, 400, 90) << label;
}

class LoaderThreads : public ::testing::TestWithParam<int> {};

TEST_P(LoaderThreads, BatchesDoNotDependOnThreads) {
    const auto dataset = openDataset("generated:5,200,10", Split::Train);
    ASSERT_TRUE(dataset.ok());
    LoaderOptions options;
    options.batchSize = 30;
    options.seed = 9;
    Loader reference(**dataset, options);
    options.threads = GetParam();
    options.prefetch = 2 * GetParam() - 1;
    Loader loader(**dataset, options);
    expectEqual(take(loader, 15), take(reference, 15));
}

INSTANTIATE_TEST_SUITE_P(Threads, LoaderThreads, ::testing::Values(1, 2, 3, 8));

TEST(Loader, SeedsDiffer) {
    const Numbers numbers(100);
    LoaderOptions options = plainOptions(50);
    options.shuffle = true;
    options.seed = 1;
    Loader first(numbers, options);
    options.seed = 2;
    Loader second(numbers, options);
    EXPECT_NE(take(first, 1)[0].labels, take(second, 1)[0].labels);
}

TEST(Loader, SeekContinuesWhereAnUninterruptedRunWouldBe) {
    const auto dataset = openDataset("generated:5,100,10", Split::Train);
    ASSERT_TRUE(dataset.ok());
    LoaderOptions options;
    options.batchSize = 16;
    options.threads = 2;
    Loader whole(**dataset, options);
    const std::vector<Batch> all = take(whole, 20);  // 6 batches an epoch
    const std::vector<Batch> tail(all.begin() + 13, all.end());

    Loader resumed(**dataset, options);
    resumed.seek(2, 1);
    expectEqual(take(resumed, 7), tail);

    // Also in the middle of prefetching, backwards, and by the index one past the last of an epoch.
    resumed.seek(2, 1);
    expectEqual(take(resumed, 7), tail);
    whole.seek(1, 6);
    expectEqual({take(whole, 1)[0]}, {all[12]});
}

TEST(Loader, PrefetchStaysWithinItsLimit) {
    /// Counts what was read.
    class Counting final : public Dataset {
      public:
        [[nodiscard]] std::int64_t size() const override { return 1000; }
        [[nodiscard]] ImageShape shape() const override { return {1, 1, 1}; }
        [[nodiscard]] const std::vector<std::string>& classNames() const override { return m_names; }
        [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
            pixels[0] = static_cast<std::uint8_t>(index);
            m_largest = std::max(m_largest, index);
            return 0;
        }
        mutable std::int64_t m_largest = 0;

      private:
        std::vector<std::string> m_names = {"one"};
    } counting;
    LoaderOptions options = plainOptions(10);
    options.prefetch = 3;
    {
        Loader loader(counting, options);
        for (int i = 0; i < 5; ++i)
            ASSERT_TRUE(loader.next().ok());
    }
    // Five batches taken, at most three more made.
    EXPECT_LT(counting.m_largest, 80);
    EXPECT_GE(counting.m_largest, 49);
}

TEST(Loader, MayBeDroppedAtAnyMoment) {
    const Numbers numbers(100);
    LoaderOptions options = plainOptions(10);
    options.threads = 4;
    { const Loader unused(numbers, options); }
    for (int taken = 1; taken < 30; ++taken) {
        Loader loader(numbers, options);
        EXPECT_EQ(take(loader, taken).back().index, (taken - 1) % 10);
    }
}

TEST(Loader, ErrorsReachNextInTheirPlaceAndEndTheWork) {
    for (const int threads : {1, 4}) {
        Numbers numbers(100);
        numbers.failAt(35);
        LoaderOptions options = plainOptions(10);
        options.threads = threads;
        Loader loader(numbers, options);
        for (int i = 0; i < 3; ++i)
            ASSERT_TRUE(loader.next().ok()) << "the batches before it are whole";
        for (int i = 0; i < 2; ++i) {
            const auto batch = loader.next();
            ASSERT_FALSE(batch.ok());
            EXPECT_EQ(batch.error().message, "image-35.jpg: damaged");
        }
        // seek() starts afresh.
        loader.seek(0, 4);
        ASSERT_TRUE(loader.next().ok());
    }
}

TEST(Loader, ExceptionsBecomeErrors) {
    Numbers numbers(20);
    numbers.throwAt(12);
    Loader loader(numbers, plainOptions(10));
    ASSERT_TRUE(loader.next().ok());
    const auto batch = loader.next();
    ASSERT_FALSE(batch.ok());
    EXPECT_THAT(batch.error().message, AllOf(HasSubstr("batch 1 of epoch 0"), HasSubstr("out of something")));
}

TEST(Loader, RefusesBatchesLargerThanTheDataset) {
    const Numbers numbers(100);
    Loader loader(numbers, plainOptions(101));
    EXPECT_EQ(loader.batchesPerEpoch(), 0);
    const auto batch = loader.next();
    ASSERT_FALSE(batch.ok());
    EXPECT_EQ(batch.error().kind, ErrorKind::Usage);
    EXPECT_THAT(batch.error().message,
                AllOf(HasSubstr("100 images"), HasSubstr("batch of 101"), HasSubstr("smaller batch")));
    loader.seek(0, 0);
    EXPECT_FALSE(loader.next().ok());

    LoaderOptions options = plainOptions(101);
    options.dropLast = false;
    Loader keeping(numbers, options);
    EXPECT_EQ(take(keeping, 1)[0].count, 100);
}

TEST(Loader, RefusesSenselessOptions) {
    const Numbers numbers(10);
    for (const auto& [batchSize, threads, prefetch] :
         {std::array{0, 1, 1}, std::array{1, 0, 1}, std::array{1, 1, 0}}) {
        LoaderOptions options = plainOptions(batchSize);
        options.threads = threads;
        options.prefetch = prefetch;
        Loader loader(numbers, options);
        const auto batch = loader.next();
        ASSERT_FALSE(batch.ok());
        EXPECT_THAT(batch.error().message, HasSubstr("at least 1"));
    }
    const Numbers none(0);
    Loader empty(none, plainOptions(1));
    const auto batch = empty.next();
    ASSERT_FALSE(batch.ok());
    EXPECT_THAT(batch.error().message, HasSubstr("no images"));
}

}  // namespace
}  // namespace bitloom::data
