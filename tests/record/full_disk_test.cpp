// A disk without room: the error names file and remedy, what was flushed stays readable, and the process ends
// in order. A limit on file size stands in for the disk; it meets the same system call.
#include <csignal>
#include <cstdlib>
#include <iostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "engine/base/atomic_file.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

using testing::difference;

void limitFileSize(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
}

/// Appends until it fails; 0 when the failure is as it should be. Prints the message and the last flushed
/// step.
int fillUp(const std::filesystem::path& path) {
    limitFileSize(600'000);
    auto writer = RunWriter::create(path, testing::sampleInfo(), testing::sampleLayouts());
    if (!writer) return 2;
    for (std::int64_t step = 0; step < 10'000; ++step) {
        const Status status = testing::appendStep(**writer, testing::sampleLayouts(), step);
        if (status) continue;
        std::cerr << status.error().message << '\n';
        const Status again = (*writer)->flush();
        const bool kept = !again && again.error().message == status.error().message;
        writer->reset();
        return kept && step > 0 ? 0 : 3;
    }
    return 4;
}

TEST(FullDisk, WriterFailsWithTheRemedyAndTheRunStaysReadable) {
    const testing::TemporaryFolder folder;
    const std::filesystem::path path = folder / "run.h5";
    EXPECT_EXIT(std::exit(fillUp(path)), ::testing::ExitedWithCode(0),
                "run\\.h5: cannot .*: File too large; .*choose another place");

    const auto reader = RunReader::open(path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    for (const LayerLayout& layout : testing::sampleLayouts()) {
        const auto steps = (*reader)->steps(layout.name);
        ASSERT_TRUE(steps.ok()) << steps.error().message;
        EXPECT_FALSE(steps->empty());
        for (const std::int64_t step : *steps) {
            const auto snapshot = (*reader)->layer(layout.name, step);
            ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
            EXPECT_EQ(difference(**snapshot, testing::sampleSnapshot(layout, step)), "");
        }
    }
}

int createWithoutRoom(const std::filesystem::path& path) {
    limitFileSize(20'000);
    const auto writer = RunWriter::create(path, testing::sampleInfo(), testing::sampleLayouts());
    if (writer) return 2;
    std::cerr << writer.error().message << '\n';
    return 0;
}

TEST(FullDisk, CreationFailsAndLeavesNothing) {
    const testing::TemporaryFolder folder;
    EXPECT_EXIT(std::exit(createWithoutRoom(folder / "run.h5")), ::testing::ExitedWithCode(0),
                "run\\.h5: cannot .*: File too large; ");
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

int resumeWithoutRoom(const std::filesystem::path& path) {
    limitFileSize(20'000);
    const auto writer = RunWriter::resume(path, 7);
    if (writer) return 2;
    std::cerr << writer.error().message << '\n';
    return 0;
}

TEST(FullDisk, ResumeFailsAndLeavesTheOldRun) {
    const testing::TemporaryFolder folder;
    const std::filesystem::path path = folder / "run.h5";
    ASSERT_TRUE((*RunWriter::create(path, testing::sampleInfo(), testing::sampleLayouts()))->finish({}).ok());
    const std::string before = *readFile(path);
    EXPECT_EXIT(std::exit(resumeWithoutRoom(path)), ::testing::ExitedWithCode(0),
                "run\\.h5: cannot .*: File too large; ");
    EXPECT_EQ(*readFile(path), before);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace bitloom::record
