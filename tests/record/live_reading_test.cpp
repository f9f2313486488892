// Readers follow a run while it is written: in the same process, from another thread, and across processes.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/record/writer_process.h"
#include "tests/support/test_paths.h"

namespace {

std::atomic<int> syncs = 0;
std::atomic<int> syncError = 0;  ///< errno with which fsync fails; 0: it does not

}  // namespace

/// In the place of the C library's, to count the calls and to stand for a failing disk.
extern "C" int fsync(int descriptor) {
    ++syncs;
    if (syncError == 0) return static_cast<int>(::syscall(SYS_fsync, descriptor));
    errno = syncError;
    return -1;
}

namespace bitloom::record {
namespace {

using ::testing::AllOf;
using testing::difference;
using ::testing::HasSubstr;

/// Checks the newest row of every layer and a few older ones; returns how many rows each layer has, at least.
std::size_t checkRows(RunReader& reader, const std::vector<LayerLayout>& layouts) {
    std::size_t least = SIZE_MAX;
    for (const LayerLayout& layout : layouts) {
        const auto steps = reader.steps(layout.name);
        EXPECT_TRUE(steps.ok()) << steps.error().message;
        if (!steps) return 0;
        least = std::min(least, steps->size());
        for (std::size_t back = 1; back <= steps->size(); back *= 3) {
            const std::int64_t step = (*steps)[steps->size() - back];
            const auto snapshot = reader.layer(layout.name, step);
            EXPECT_TRUE(snapshot.ok()) << snapshot.error().message;
            if (snapshot) {
                EXPECT_EQ(difference(**snapshot, testing::sampleSnapshot(layout, step)), "") << layout.name;
            }
        }
    }
    const auto tracks = reader.bitwidths();
    EXPECT_TRUE(tracks.ok()) << tracks.error().message;
    for (const report::BitwidthTrack& track : *tracks) {
        const auto layout = std::ranges::find(layouts, track.layer, &LayerLayout::name);
        if (layout == layouts.end()) continue;
        for (const report::BitwidthPoint& point : track.points) {
            const report::LayerSnapshot written = testing::sampleSnapshot(*layout, point.step);
            EXPECT_EQ(point.bits, written.bits) << track.layer;
            EXPECT_EQ(point.choice.isLearned(), written.choice.isLearned());
            EXPECT_EQ(point.choice.open, written.choice.open);
            if (written.choice.isLearned()) {
                EXPECT_EQ(point.choice.probability, written.choice.probability);
                EXPECT_EQ(point.choice.gradient, written.choice.gradient);
            }
        }
    }
    const auto metrics = reader.metrics();
    EXPECT_TRUE(metrics.ok()) << metrics.error().message;
    if (metrics && !metrics->empty()) {
        EXPECT_EQ(difference(metrics->back(), testing::sampleMetric(metrics->back().step)), "");
    }
    const auto events = reader.events();
    EXPECT_TRUE(events.ok()) << events.error().message;
    if (events && !events->empty()) {
        EXPECT_EQ(events->back().text, testing::sampleEvent(events->back().step).text);
    }
    return least;
}

class LiveReading : public ::testing::Test {
  protected:
    testing::TemporaryFolder m_folder;
    std::filesystem::path m_path = m_folder / "run.h5";
    std::vector<LayerLayout> m_layouts = testing::sampleLayouts();
};

TEST_F(LiveReading, SameProcessSeesFlushedRowsAfterRefresh) {
    const auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    const auto reader = RunReader::open(m_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    for (std::int64_t step = 0; step < 40; ++step) {
        ASSERT_TRUE((*writer)->appendLayer(testing::sampleSnapshot(m_layouts[0], step)).ok());
        ASSERT_TRUE((*reader)->refresh().ok());
        EXPECT_EQ((*reader)->steps("conv1")->size(), static_cast<std::size_t>(step)) << "seen before flush()";
        ASSERT_TRUE((*writer)->flush().ok());
        ASSERT_TRUE((*reader)->refresh().ok());
        ASSERT_EQ((*reader)->steps("conv1")->back(), step);
        EXPECT_EQ(difference(**(*reader)->layer("conv1", step), testing::sampleSnapshot(m_layouts[0], step)),
                  "");
    }
}

TEST_F(LiveReading, ASecondReaderSeesWhatTheFirstHasNotAskedFor) {
    auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    const auto append = [&](std::int64_t step) {
        ASSERT_TRUE((*writer)->appendLayer(testing::sampleSnapshot(m_layouts[0], step)).ok());
        ASSERT_TRUE((*writer)->appendMetric(testing::sampleMetric(step)).ok());
        ASSERT_TRUE((*writer)->flush().ok());
    };
    append(0);
    // HDF5 shares what it knows of a file among all of a process that read it.
    const auto first = RunReader::open(m_path);
    ASSERT_TRUE(first.ok()) << first.error().message;
    ASSERT_TRUE((*first)->layer("conv1", 0).ok());
    ASSERT_EQ((*first)->metrics()->size(), 1u);
    for (std::int64_t step = 1; step < 4; ++step) {
        append(step);
        if (step == 3) {
            ASSERT_TRUE((*writer)->finish({}).ok());
        }
        const auto second = RunReader::open(m_path);
        ASSERT_TRUE(second.ok()) << second.error().message;
        ASSERT_EQ((*second)->steps("conv1")->back(), step);
        const auto snapshot = (*second)->layer("conv1", step);
        ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
        EXPECT_EQ(difference(**snapshot, testing::sampleSnapshot(m_layouts[0], step)), "");
        EXPECT_EQ((*second)->metrics()->size(), static_cast<std::size_t>(step) + 1);
        EXPECT_TRUE((*second)->bitwidths().ok());
    }
}

TEST_F(LiveReading, SyncFlushesAndWaitsForTheDisk) {
    auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    ASSERT_TRUE((*writer)->appendMetric(testing::sampleMetric(1)).ok());
    const int before = syncs;
    ASSERT_TRUE((*writer)->flush().ok());
    EXPECT_EQ(syncs, before) << "flush() is called often and must stay cheap";
    ASSERT_TRUE((*writer)->appendMetric(testing::sampleMetric(2)).ok());
    ASSERT_TRUE((*writer)->sync().ok());
    EXPECT_EQ(syncs, before + 1);
    EXPECT_EQ((*RunReader::open(m_path))->metrics()->size(), 2u);

    syncError = EIO;
    const Status failed = (*writer)->sync();
    syncError = 0;
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.error().message,
                AllOf(HasSubstr(m_path.string()), HasSubstr("cannot flush it to disk: Input/output error")));
}

TEST_F(LiveReading, AnotherThreadReadsWhileOneWrites) {
    constexpr std::int64_t kSteps = 60;
    auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    std::atomic<bool> written = true;
    std::jthread thread([&] {
        for (std::int64_t step = 0; step < kSteps; ++step) {
            if (!testing::appendStep(**writer, m_layouts, step)) written = false;
        }
        if (!(*writer)->finish(testing::sampleSummary())) written = false;
        writer->reset();
    });
    const auto reader = RunReader::open(m_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    while (checkRows(**reader, m_layouts) < kSteps && written)
        ASSERT_TRUE((*reader)->refresh().ok());
    EXPECT_TRUE(written);
    while ((*reader)->summary()->status != report::RunStatus::Finished && written)
        std::this_thread::yield();
    EXPECT_EQ((*reader)->summary()->hash, testing::sampleSummary().hash);
}

TEST_F(LiveReading, AnotherProcessIsFollowed) {
    constexpr std::int64_t kSteps = 80;
    testing::WriterProcess writer(m_path, kSteps - 1);
    ASSERT_EQ(writer.nextStep(), 0);
    const auto reader = RunReader::open(m_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    while (const auto step = writer.nextStep()) {
        ASSERT_TRUE((*reader)->refresh().ok());
        EXPECT_GT(checkRows(**reader, m_layouts), static_cast<std::size_t>(*step))
            << "flushed rows are missing";
        if (*step == kSteps - 1) break;
    }
    EXPECT_EQ((*reader)->summary()->status, report::RunStatus::Running);
    EXPECT_EQ(writer.finish(), 0);
    ASSERT_TRUE((*reader)->refresh().ok());
    EXPECT_EQ((*reader)->summary()->status, report::RunStatus::Finished);
    EXPECT_EQ((*reader)->summary()->top1Hard, testing::sampleSummary().top1Hard);
    EXPECT_EQ(checkRows(**reader, m_layouts), static_cast<std::size_t>(kSteps));
}

TEST_F(LiveReading, ReaderThatNeverWaitsSeesOnlyWholeRows) {
    constexpr std::int64_t kSteps = 60;
    testing::WriterProcess writer(m_path, kSteps - 1);
    ASSERT_EQ(writer.nextStep(), 0);
    const auto reader = RunReader::open(m_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    while (checkRows(**reader, m_layouts) < kSteps)
        ASSERT_TRUE((*reader)->refresh().ok());
    EXPECT_EQ(writer.finish(), 0);
}

TEST_F(LiveReading, ReaderFollowsAResumedRunOfTheSameName) {
    auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    for (std::int64_t step = 0; step < 10; ++step) {
        ASSERT_TRUE(testing::appendStep(**writer, m_layouts, step).ok());
    }
    const auto reader = RunReader::open(m_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EXPECT_EQ(checkRows(**reader, m_layouts), 10u);
    writer->reset();

    writer = RunWriter::resume(m_path, 4);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    ASSERT_TRUE((*reader)->refresh().ok());
    EXPECT_EQ(checkRows(**reader, m_layouts), 5u);
    ASSERT_TRUE(testing::appendStep(**writer, m_layouts, 5).ok());
    ASSERT_TRUE((*reader)->refresh().ok());
    EXPECT_EQ(checkRows(**reader, m_layouts), 6u);
}

TEST_F(LiveReading, LocksOfOtherProgramsDoNotKeepReadersOut) {
    auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    const int descriptor = ::open(m_path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(descriptor, 0);
    ASSERT_EQ(::flock(descriptor, LOCK_EX | LOCK_NB), 0);
    EXPECT_TRUE(RunReader::open(m_path).ok());
    ASSERT_TRUE((*writer)->finish({}).ok());
    EXPECT_TRUE(RunReader::open(m_path).ok());
    ::close(descriptor);
}

TEST_F(LiveReading, ReadOnlyFilesCanBeRead) {
    ASSERT_TRUE((*RunWriter::create(m_path, testing::sampleInfo(), m_layouts))->finish({}).ok());
    namespace fs = std::filesystem;
    fs::permissions(m_path, fs::perms::owner_read);
    fs::permissions(m_folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_TRUE(RunReader::open(m_path).ok());
    fs::permissions(m_folder.path(), fs::perms::owner_all);
}

}  // namespace
}  // namespace bitloom::record
