// kill -9 at any moment leaves a run that opens, whose rows are whole, and that can be continued.
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/record/writer_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

using testing::difference;

constexpr std::int64_t kEndless = 1'000'000;

/// Every row of every table, against what the writer process computes. Returns the newest step of the
/// metrics.
std::int64_t checkEverything(const std::filesystem::path& path) {
    const auto reader = RunReader::open(path);
    EXPECT_TRUE(reader.ok()) << reader.error().message;
    if (!reader) return -1;
    for (const LayerLayout& layout : testing::sampleLayouts()) {
        const auto steps = (*reader)->steps(layout.name);
        EXPECT_TRUE(steps.ok()) << steps.error().message;
        for (std::size_t row = 0; steps && row < steps->size(); ++row) {
            EXPECT_EQ((*steps)[row], static_cast<std::int64_t>(row));
            const auto snapshot = (*reader)->layer(layout.name, (*steps)[row]);
            EXPECT_TRUE(snapshot.ok()) << snapshot.error().message;
            if (snapshot) {
                EXPECT_EQ(difference(**snapshot, testing::sampleSnapshot(layout, (*steps)[row])), "");
            }
        }
    }
    const auto events = (*reader)->events();
    EXPECT_TRUE(events.ok()) << events.error().message;
    for (std::size_t row = 0; events && row < events->size(); ++row) {
        EXPECT_EQ((*events)[row].text, testing::sampleEvent(static_cast<std::int64_t>(row) * 10).text);
    }
    const auto metrics = (*reader)->metrics();
    EXPECT_TRUE(metrics.ok()) << metrics.error().message;
    for (std::size_t row = 0; metrics && row < metrics->size(); ++row) {
        EXPECT_EQ(difference((*metrics)[row], testing::sampleMetric(static_cast<std::int64_t>(row))), "");
    }
    return metrics && !metrics->empty() ? metrics->back().step : -1;
}

void spinFor(double microseconds) {
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() <
           microseconds) {
    }
}

TEST(KilledWriter, LeavesWholeRowsAndCanBeContinued) {
    for (std::uint64_t trial = 0; trial < 8; ++trial) {
        SCOPED_TRACE(trial);
        const testing::TemporaryFolder folder;
        const std::filesystem::path path = folder / "run.h5";
        Random random({trial});
        std::int64_t flushed = -1;
        {
            testing::WriterProcess writer(path, kEndless);
            const auto steps = 1 + random.below(12);
            for (std::uint64_t i = 0; i < steps; ++i)
                flushed = *writer.nextStep();
            spinFor(random.uniform(0, 20'000));
            writer.kill();
        }
        EXPECT_GE(checkEverything(path), flushed) << "a flushed row is lost";
        EXPECT_EQ((*(*RunReader::open(path))->summary()).status, report::RunStatus::Running);

        const std::int64_t last = flushed + 3;
        testing::WriterProcess writer(path, last, flushed / 2);
        while (const auto step = writer.nextStep()) {
            if (*step == last) break;
        }
        ASSERT_EQ(writer.finish(), 0);
        EXPECT_EQ(checkEverything(path), last);
        EXPECT_EQ((*(*RunReader::open(path))->summary()).status, report::RunStatus::Finished);
    }
}

TEST(KilledWriter, DuringCreationOrResumeLeavesTheOldRunOrTheNew) {
    const testing::TemporaryFolder folder;
    const std::filesystem::path path = folder / "run.h5";
    {
        testing::WriterProcess writer(path, 5);
        while (const auto step = writer.nextStep()) {
            if (*step == 5) break;
        }
        ASSERT_EQ(writer.finish(), 0);
    }
    for (std::uint64_t trial = 0; trial < 10; ++trial) {
        SCOPED_TRACE(trial);
        testing::WriterProcess writer(path, kEndless, 5);
        spinFor(Random({trial, 1}).uniform(0, 60'000));
        writer.kill();
        EXPECT_GE(checkEverything(path), 5);
    }
}

}  // namespace
}  // namespace bitloom::record
