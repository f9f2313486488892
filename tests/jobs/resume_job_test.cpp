// Stopped, killed and damaged runs continue, and end with the bits of an uninterrupted one.
#include <cmath>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/run_playback.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

report::RunSummary resumed(const fs::path& run, SteeringSink& sink) {
    JobControl control;
    const auto summary = resumeTrainJob(run, sink, control);
    EXPECT_TRUE(summary.ok()) << (summary ? "" : summary.error().message);
    return summary ? *summary : report::RunSummary{};
}

std::vector<std::int64_t> metricSteps(const fs::path& run) {
    std::vector<std::int64_t> steps;
    const auto playback = RunPlayback::open(run);
    EXPECT_TRUE(playback.ok());
    const auto metrics = (*playback)->metrics();
    EXPECT_TRUE(metrics.ok());
    for (const report::MetricSample& sample : *metrics)
        steps.push_back(sample.step);
    return steps;
}

TEST(ResumeJob, AStoppedRunEndsWithTheSameHash) {
    const testing::TemporaryFolder folder;
    const report::RunSummary whole = trainToEnd(smallJob(), folder / "whole.h5");
    trainAndStop(smallJob(), folder / "run.h5", 2);
    SteeringSink sink;
    const report::RunSummary summary = resumed(folder / "run.h5", sink);
    EXPECT_EQ(summary.hash, whole.hash);
    EXPECT_EQ(summary.top1Hard, whole.top1Hard);
    EXPECT_EQ(summary.status, report::RunStatus::Finished);
    EXPECT_EQ(metricSteps(folder / "run.h5"), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(ResumeJob, ARunStoppedAtItsStartScoresItOnceMore) {
    const testing::TemporaryFolder folder;
    const report::RunSummary whole = trainToEnd(smallJob(), folder / "whole.h5");
    trainAndStop(smallJob(), folder / "run.h5", 0);
    SteeringSink sink;
    EXPECT_EQ(resumed(folder / "run.h5", sink).hash, whole.hash);
    EXPECT_EQ(metricSteps(folder / "run.h5"), metricSteps(folder / "whole.h5"));
    const auto before = RunPlayback::open(folder / "run.h5");
    const auto rows = (*before)->metrics();
    ASSERT_TRUE(rows.ok());
    EXPECT_FALSE(std::isnan(rows->front().top1Hard)) << "the score before training";
}

TEST(ResumeJob, PretrainedWeightsAreNotNeededAgain) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec job = smallJob();
    job.model.weights = (folder / "net.safetensors").string();
    const report::RunSummary whole = trainToEnd(job, folder / "whole.h5");
    trainAndStop(job, folder / "run.h5", 3);
    fs::remove(folder / "net.safetensors");
    SteeringSink sink;
    const report::RunSummary summary = resumed(folder / "run.h5", sink);
    EXPECT_EQ(summary.hash, whole.hash);
    EXPECT_EQ(summary.top1Fp32, whole.top1Fp32);
}

TEST(ResumeJob, AFinishedRunIsReturnedAsItIs) {
    const testing::TemporaryFolder folder;
    const report::RunSummary whole = trainToEnd(smallJob(), folder / "run.h5");
    const auto written = fs::last_write_time(folder / "run.h5");
    SteeringSink sink;
    EXPECT_EQ(resumed(folder / "run.h5", sink).hash, whole.hash);
    EXPECT_EQ(fs::last_write_time(folder / "run.h5"), written);
}

TEST(ResumeJob, ADamagedCheckpointFallsBackToTheOneBefore) {
    const testing::TemporaryFolder folder;
    const report::RunSummary whole = trainToEnd(smallJob(), folder / "whole.h5");
    trainAndStop(smallJob(), folder / "run.h5", 3);
    const auto files = checkpointsOf(folder / "run.h5");
    ASSERT_EQ(files.back().filename(), "step-3.safetensors");
    {
        // One flipped byte in the middle of a tensor: only the hash can tell.
        std::fstream stream(files.back(), std::ios::in | std::ios::out | std::ios::binary);
        const auto middle = static_cast<std::streamoff>(fs::file_size(files.back()) / 2);
        stream.seekg(middle);
        const int byte = stream.get();
        stream.seekp(middle);
        stream.put(static_cast<char>(byte ^ 0x40));
    }
    SteeringSink sink;
    EXPECT_EQ(resumed(folder / "run.h5", sink).hash, whole.hash);
    ASSERT_FALSE(sink.lines.empty());
    EXPECT_NE(sink.lines.front().find("step-3.safetensors"), std::string::npos) << sink.lines.front();
    EXPECT_EQ(metricSteps(folder / "run.h5"), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(ResumeJob, TruncatedAndForeignCheckpointsArePassedOver) {
    const testing::TemporaryFolder folder;
    const report::RunSummary whole = trainToEnd(smallJob(), folder / "whole.h5");
    trainAndStop(smallJob(), folder / "run.h5", 2);
    const fs::path checkpoints = (folder / "run.h5").string() + ".ckpt";
    fs::resize_file(checkpoints / "step-2.safetensors", 1000);
    fs::copy_file((folder / "whole.h5").string() + ".ckpt/step-4.safetensors",
                  checkpoints / "step-4.safetensors");
    std::ofstream(checkpoints / "step-3.safetensors.tmp1") << "half";
    SteeringSink sink;
    EXPECT_EQ(resumed(folder / "run.h5", sink).hash, whole.hash);
    EXPECT_FALSE(fs::exists(checkpoints / "step-3.safetensors.tmp1"));
}

TEST(ResumeJob, ARunKilledBeforeItsFirstCheckpointStartsAgain) {
    const testing::TemporaryFolder folder;
    const report::RunSummary whole = trainToEnd(smallJob(), folder / "whole.h5");
    trainAndStop(smallJob(), folder / "run.h5", 2);
    for (const fs::path& file : checkpointsOf(folder / "run.h5"))
        fs::remove(file);
    SteeringSink sink;
    EXPECT_EQ(resumed(folder / "run.h5", sink).hash, whole.hash);
    EXPECT_EQ(metricSteps(folder / "run.h5"), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(ResumeJob, WithoutReadableCheckpointsNothingIsThrownAway) {
    const testing::TemporaryFolder folder;
    const fs::path run = folder / "run.h5";
    const fs::path checkpoints = run.string() + ".ckpt";
    trainAndStop(smallJob(), run, 2);
    const auto rows = metricSteps(run);
    const auto refused = [&] {
        SteeringSink sink;
        JobControl control;
        const auto summary = resumeTrainJob(run, sink, control);
        EXPECT_FALSE(summary.ok());
        if (!summary) {
            EXPECT_THAT(summary.error().message, ::testing::HasSubstr("run.h5.ckpt; put that folder back"));
        }
        EXPECT_EQ(metricSteps(run), rows);
    };
    fs::rename(checkpoints, folder / "elsewhere");
    refused();
    fs::rename(folder / "elsewhere", checkpoints);
    const auto files = checkpointsOf(run);
    ASSERT_FALSE(files.empty());
    for (const fs::path& file : files)
        fs::resize_file(file, 100);
    refused();
    EXPECT_EQ(checkpointsOf(run), files);
}

TEST(ResumeJob, AStopWhileFullPrecisionIsScoredCanBeResumed) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec job = smallJob();
    job.model.weights = (folder / "net.safetensors").string();
    const report::RunSummary whole = trainToEnd(job, folder / "whole.h5");
    JobControl control;
    SteeringSink sink;
    sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase == "evaluating full precision") control.stop();
    };
    const auto stopped = runTrainJob({job, folder / "run.h5", ""}, sink, control);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
    SteeringSink again;
    const report::RunSummary summary = resumed(folder / "run.h5", again);
    EXPECT_EQ(summary.hash, whole.hash);
    EXPECT_EQ(summary.top1Fp32, whole.top1Fp32);
}

}  // namespace
}  // namespace bitloom::jobs
