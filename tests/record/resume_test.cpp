// Continuing a run: what is kept, what is dropped, and that the file is whole at every moment.
#include <array>
#include <barrier>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/record/writer_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

using testing::difference;
using ::testing::HasSubstr;

class Resume : public ::testing::Test {
  protected:
    /// Steps 0, 2, ... 30, finished.
    void SetUp() override {
        auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
        ASSERT_TRUE(writer.ok()) << writer.error().message;
        ASSERT_TRUE((*writer)->setFp32Accuracy(92.6).ok());
        for (std::int64_t step = 0; step <= 30; step += 2) {
            ASSERT_TRUE(testing::appendStep(**writer, m_layouts, step).ok());
        }
        ASSERT_TRUE((*writer)->finish(testing::sampleSummary()).ok());
    }

    std::unique_ptr<RunReader> open() {
        auto reader = RunReader::open(m_path);
        EXPECT_TRUE(reader.ok()) << reader.error().message;
        return std::move(reader).value();
    }

    std::unique_ptr<RunWriter> resume(std::int64_t step) {
        auto writer = RunWriter::resume(m_path, step);
        EXPECT_TRUE(writer.ok()) << writer.error().message;
        return std::move(writer).value();
    }

    void expectSteps(const std::vector<std::int64_t>& expected) {
        const auto reader = open();
        const auto metrics = reader->metrics();
        ASSERT_TRUE(metrics.ok()) << metrics.error().message;
        ASSERT_EQ(metrics->size(), expected.size());
        for (const LayerLayout& layout : m_layouts) {
            EXPECT_EQ(*reader->steps(layout.name), expected);
            for (const std::int64_t step : expected) {
                EXPECT_EQ(
                    difference(**reader->layer(layout.name, step), testing::sampleSnapshot(layout, step)),
                    "");
            }
        }
        for (std::size_t row = 0; row < expected.size(); ++row) {
            EXPECT_EQ(difference((*metrics)[row], testing::sampleMetric(expected[row])), "");
        }
    }

    testing::TemporaryFolder m_folder;
    std::filesystem::path m_path = m_folder / "run.h5";
    std::vector<LayerLayout> m_layouts = testing::sampleLayouts();
};

TEST_F(Resume, KeepsRowsUpToTheStepAndDropsLaterOnes) {
    const auto writer = resume(7);
    expectSteps({0, 2, 4, 6});
    EXPECT_EQ(open()->events()->size(), 1u);
    ASSERT_TRUE(testing::appendStep(*writer, m_layouts, 8).ok());
    ASSERT_TRUE(testing::appendStep(*writer, m_layouts, 10).ok());
    expectSteps({0, 2, 4, 6, 8, 10});
    EXPECT_EQ(open()->events()->back().step, 10);
}

TEST_F(Resume, KeepsTheDescriptionAndClearsTheResult) {
    const auto writer = resume(30);
    const auto reader = open();
    EXPECT_EQ(reader->info().jobToml, testing::sampleInfo().jobToml);
    EXPECT_EQ(reader->info().host, testing::sampleInfo().host);
    EXPECT_EQ(reader->info().seed, testing::sampleInfo().seed);
    EXPECT_EQ(reader->info().network.layers.size(), 2u);
    EXPECT_EQ(reader->info().top1Fp32, 92.6);
    const auto summary = reader->summary();
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(summary->status, report::RunStatus::Running);
    EXPECT_EQ(summary->hash, "");
    EXPECT_TRUE(std::isnan(summary->top1Hard));
}

TEST_F(Resume, AtTheEndKeepsEverything) {
    ASSERT_TRUE(resume(1000)->finish(testing::sampleSummary()).ok());
    std::vector<std::int64_t> all;
    for (std::int64_t step = 0; step <= 30; step += 2)
        all.push_back(step);
    expectSteps(all);
}

TEST_F(Resume, BeforeTheFirstRowStartsEmpty) {
    const auto writer = resume(-1);
    expectSteps({});
    EXPECT_TRUE(open()->layers().empty());
    ASSERT_TRUE(testing::appendStep(*writer, m_layouts, 0).ok());
    expectSteps({0});
}

TEST_F(Resume, RowsBeforeTheStepAreRefused) {
    const auto writer = resume(7);
    EXPECT_THAT(writer->appendMetric(testing::sampleMetric(5)).error().message,
                HasSubstr("step 5 cannot follow step 6"));
}

TEST_F(Resume, WhatAKilledWriterLeftBesideTheRunIsRemoved) {
    std::ofstream(m_path.string() + ".tmp1-0") << "half";
    const auto writer = resume(7);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(m_folder.path()), {}), 1);
}

TEST_F(Resume, OfTwoWritersThatStartTogetherOneIsRefused) {
    for (int round = 0; round < 10; ++round) {
        std::array<std::unique_ptr<RunWriter>, 2> writers;
        std::array<std::string, 2> messages;
        std::barrier together(2);
        const auto start = [&](std::size_t i) {
            together.arrive_and_wait();
            auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
            if (writer) {
                writers[i] = std::move(writer).value();
            } else {
                messages[i] = writer.error().message;
            }
        };
        std::thread other(start, 0);
        start(1);
        other.join();
        ASSERT_NE(writers[0] == nullptr, writers[1] == nullptr) << round;
        EXPECT_THAT(messages[0] + messages[1], HasSubstr("still being written"));
    }
}

TEST_F(Resume, RunThatIsStillWrittenIsRefused) {
    const std::filesystem::path path = m_folder / "live.h5";
    testing::WriterProcess process(path, 3);
    while (process.nextStep() != 3) {
    }
    EXPECT_THAT(RunWriter::resume(path, 1).error().message, HasSubstr("still being written"));
    EXPECT_THAT(RunWriter::create(path, testing::sampleInfo(), m_layouts).error().message,
                HasSubstr("still being written"));
    ASSERT_EQ(process.finish(), 0);
    EXPECT_TRUE(RunWriter::resume(path, 1).ok());
}

TEST_F(Resume, MissingFileNamesThePath) {
    const std::filesystem::path path = m_folder / "other.h5";
    const auto writer = RunWriter::resume(path, 0);
    ASSERT_FALSE(writer.ok());
    EXPECT_THAT(writer.error().message, HasSubstr(path.string() + ": there is no such file"));
}

TEST_F(Resume, NewRunReplacesAnOldOneOnlyWhenItIsReady) {
    EXPECT_FALSE(RunWriter::create(m_path, testing::sampleInfo(), {{"a", 1, 2, 3}, {"a", 1, 2, 3}}).ok());
    EXPECT_EQ(open()->metrics()->size(), 16u);
    const auto writer = RunWriter::create(m_path, testing::sampleInfo(), m_layouts);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    expectSteps({});
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(m_folder.path()), {}), 1)
        << "a temporary file stayed";
}

}  // namespace
}  // namespace bitloom::record
