// Long runs stay quick to read; the times are printed, not judged.
#include <chrono>
#include <iostream>

#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

TEST(RandomAccess, AnyRowOfALongRun) {
    constexpr std::int64_t kRows = 10'000;
    const testing::TemporaryFolder folder;
    const std::vector<LayerLayout> layouts = testing::uniformLayouts(1);
    report::LayerSnapshot snapshot = testing::sampleSnapshot(layouts[0], 0);
    auto writer = RunWriter::create(folder / "run.h5", testing::sampleInfo(), layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    Clock::time_point start = Clock::now();
    for (std::int64_t step = 0; step < kRows; ++step) {
        snapshot.step = step;
        snapshot.weights.counts[static_cast<std::size_t>(step % 256)] += 1;
        ASSERT_TRUE((*writer)->appendMetric(testing::sampleMetric(step)).ok());
        ASSERT_TRUE((*writer)->appendLayer(snapshot).ok());
        if (step % 100 == 0) {
            ASSERT_TRUE((*writer)->flush().ok());
        }
    }
    ASSERT_TRUE((*writer)->finish({}).ok());
    std::cout << "write " << kRows << " rows: " << millisecondsSince(start) << " ms\n";

    start = Clock::now();
    const auto reader = RunReader::open(folder / "run.h5");
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    std::cout << "open: " << millisecondsSince(start) << " ms\n";
    start = Clock::now();
    ASSERT_EQ((*reader)->metrics()->size(), static_cast<std::size_t>(kRows));
    std::cout << "all metrics: " << millisecondsSince(start) << " ms\n";

    Random random({1});
    double total = 0;
    constexpr int kReads = 200;
    for (int i = 0; i < kReads; ++i) {
        const auto step = static_cast<std::int64_t>(random.below(kRows));
        start = Clock::now();
        const auto read = (*reader)->layer(snapshot.layer, step);
        total += millisecondsSince(start);
        ASSERT_TRUE(read.ok()) << read.error().message;
        EXPECT_EQ((*read)->step, step);
        // Bin b was raised at the steps b, b + 256, ...
        const std::uint32_t added = static_cast<std::uint32_t>((step - step % 256) / 256 + 1);
        const auto bin = static_cast<std::size_t>(step % 256);
        EXPECT_EQ((*read)->weights.counts[bin],
                  testing::sampleSnapshot(layouts[0], 0).weights.counts[bin] + added);
    }
    std::cout << "one random row: " << total / kReads << " ms\n";
}

}  // namespace
}  // namespace bitloom::record
