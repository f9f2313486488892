// A recorded run from start to end: what is in its file, its report, its playback.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "engine/jobs/report_job.h"
#include "engine/jobs/run_playback.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

TEST(TrainJob, RecordsTheWholeRun) {
    const testing::TemporaryFolder folder;
    const JobSpec job = smallJob();
    const report::RunSummary summary = trainToEnd(job, folder / "run.h5");
    EXPECT_EQ(summary.status, report::RunStatus::Finished);
    EXPECT_DOUBLE_EQ(summary.bits, 3);
    EXPECT_TRUE(std::isnan(summary.top1Fp32)) << "random weights have no full-precision accuracy";
    EXPECT_GE(summary.top1Hard, 0);
    EXPECT_GT(summary.mse, 0);
    EXPECT_EQ(summary.hash.size(), 16u);

    const auto playback = RunPlayback::open(folder / "run.h5");
    ASSERT_TRUE(playback.ok()) << playback.error().message;
    const report::RunInfo& info = (*playback)->info();
    EXPECT_EQ(info.totalSteps, 4);
    EXPECT_EQ(info.stepsPerEpoch, 8);
    EXPECT_EQ(info.command, "bitloom train");
    EXPECT_EQ(info.network.arch, "resnet20");
    EXPECT_EQ(*parseJob(info.jobToml, "recorded", "/"), job);
    EXPECT_EQ(*(*playback)->steps(), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
    const auto metrics = (*playback)->metrics();
    ASSERT_EQ(metrics->size(), 5u);
    EXPECT_EQ(metrics->front().step, 0);
    EXPECT_GE(metrics->front().top1Hard, 0) << "what quantizing alone costs";
    EXPECT_TRUE(std::isnan(metrics->front().top1Soft));
    EXPECT_TRUE(std::isnan(metrics->front().loss));
    const auto layers = (*playback)->layers(4);
    ASSERT_TRUE(layers.ok());
    EXPECT_EQ(layers->size(), info.network.layers.size());
    const auto stored = (*playback)->summary();
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(stored->hash, summary.hash);
    EXPECT_EQ(stored->fileBytes, summary.fileBytes);
}

TEST(TrainJob, ReportAgreesWithTheSummary) {
    const testing::TemporaryFolder folder;
    const report::RunSummary summary = trainToEnd(smallJob(), folder / "run.h5");
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->steps, 4);
    EXPECT_EQ(report->summary.steps, 4);
    EXPECT_EQ(report->summary.accuracyStep, 4);
    EXPECT_EQ(report->summary.nonzeroParameters, summary.nonzeroParameters);
    std::int64_t packed = 0;
    double zeros = 0;
    double quantized = 0;
    for (const LayerReport& layer : report->layers) {
        packed += layer.packedBytes;
        if (!layer.info.quantized) continue;
        EXPECT_DOUBLE_EQ(layer.info.bits, 3);
        zeros += layer.sparsity * static_cast<double>(layer.info.weights);
        quantized += static_cast<double>(layer.info.weights);
    }
    EXPECT_EQ(report->layers.size(), 20u);
    EXPECT_NEAR(zeros / quantized, summary.sparsity, 1e-9);
    EXPECT_GT(summary.fileBytes, packed) << "a file also holds batch norm, biases and its header";
    EXPECT_LT(summary.fileBytes, packed + 40000);
}

TEST(TrainJob, FullPrecisionIsScoredFirst) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec job = smallJob();
    job.model.weights = (folder / "net.safetensors").string();
    job.train.steps = 1;
    SteeringSink sink;
    JobControl control;
    const auto summary = runTrainJob({job, folder / "run.h5", ""}, sink, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_FALSE(std::isnan(summary->top1Fp32));
    ASSERT_EQ(sink.started.size(), 1u);
    EXPECT_EQ(sink.started.front().top1Fp32, summary->top1Fp32);
    ASSERT_EQ(sink.finished.size(), 1u);
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->summary.top1Fp32, summary->top1Fp32);
}

TEST(TrainJob, FullPrecisionTrainingHasNoCodebooks) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.quantizer.layer.method = "none";
    job.train.steps = 2;
    const report::RunSummary summary = trainToEnd(job, folder / "run.h5");
    EXPECT_DOUBLE_EQ(summary.bits, 32);
    EXPECT_TRUE(std::isnan(summary.compressionRate));
    EXPECT_NEAR(summary.fileCompression, 1, 0.05);
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok());
    for (const LayerReport& layer : report->layers)
        EXPECT_EQ(layer.packedBytes, 4 * layer.info.weights);
}

TEST(TrainJob, KeepsTheNewestTwoCheckpoints) {
    const testing::TemporaryFolder folder;
    trainToEnd(smallJob(), folder / "run.h5");
    const auto files = checkpointsOf(folder / "run.h5");
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(files[0].filename(), "step-3.safetensors");
    EXPECT_EQ(files[1].filename(), "step-4.safetensors");
}

TEST(TrainJob, ANewRunReplacesTheOldOneOfThatName) {
    const testing::TemporaryFolder folder;
    trainToEnd(smallJob(), folder / "run.h5");
    JobSpec shorter = smallJob();
    shorter.train.steps = 1;
    trainToEnd(shorter, folder / "run.h5");
    for (const auto& file : checkpointsOf(folder / "run.h5"))
        EXPECT_NE(file.filename(), "step-4.safetensors");
    EXPECT_EQ(reportRun(folder / "run.h5")->steps, 1);
}

TEST(TrainJob, ReportsOfStoppedAndUnfinishedRunsAreReal) {
    const testing::TemporaryFolder folder;
    trainAndStop(smallJob(), folder / "run.h5", 2);
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->summary.status, report::RunStatus::Stopped);
    EXPECT_EQ(report->steps, 2);
    EXPECT_TRUE(std::isnan(report->summary.top1Hard)) << "it was never scored after a step";
    EXPECT_DOUBLE_EQ(report->summary.bits, 3);
    EXPECT_GT(report->summary.fileBytes, 50000);
}

TEST(TrainJob, AReportCountsTheStepsOfTheCheckpointNotOfTheLastRow) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.train.steps = 20;
    job.record.every = 100;
    JobControl control;
    SteeringSink sink;
    sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase == "evaluating" && progress.step == 8) control.stop();
    };
    ASSERT_FALSE(runTrainJob({job, folder / "run.h5", ""}, sink, control).ok());
    const auto stopped = reportRun(folder / "run.h5");
    ASSERT_TRUE(stopped.ok()) << stopped.error().message;
    EXPECT_EQ(stopped->steps, 8) << "step 1 has the last row";
    EXPECT_EQ(stopped->summary.accuracyStep, -1);
}

TEST(TrainJob, AccuraciesCarryTheirStep) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.train.steps = 20;
    trainAndStop(job, folder / "run.h5", 10);
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->steps, 10);
    EXPECT_EQ(report->summary.accuracyStep, 8) << "the end of the first epoch";
    EXPECT_GE(report->summary.top1Hard, 0);
}

TEST(TrainJob, AnUnfinishedRunIsReplacedOnlyWhenAskedTo) {
    const testing::TemporaryFolder folder;
    trainAndStop(smallJob(), folder / "run.h5", 2);
    SteeringSink sink;
    JobControl control;
    const auto refused = runTrainJob({smallJob(), folder / "run.h5", ""}, sink, control);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::Usage);
    for (const char* part : {"run.h5", "--resume", "--replace"})
        EXPECT_NE(refused.error().message.find(part), std::string::npos) << refused.error().message;
    EXPECT_EQ(reportRun(folder / "run.h5")->steps, 2) << "nothing was touched";
    const auto replaced = runTrainJob({smallJob(), folder / "run.h5", "", true}, sink, control);
    ASSERT_TRUE(replaced.ok()) << replaced.error().message;
    trainToEnd(smallJob(), folder / "run.h5");  // a finished run needs no question
}

TEST(TrainJob, AFileOfAnotherKindIsNotReplaced) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    const auto before = fs::file_size(folder / "net.safetensors");
    SteeringSink sink;
    JobControl control;
    const auto refused = runTrainJob({smallJob(), folder / "net.safetensors", ""}, sink, control);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("net.safetensors"), std::string::npos);
    EXPECT_EQ(fs::file_size(folder / "net.safetensors"), before);
}

TEST(TrainJob, AFailedRunIsReportedFromItsLastCheckpoint) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.train.steps = 50;
    job.train.schedule = train::Schedule::Constant;
    job.train.rates.weight = job.train.rates.full = job.train.rates.batchNorm = 100;
    job.train.weightDecay = 1;  // a factor of -99 a step
    report::ProgressSink silent;
    JobControl control;
    const auto summary = runTrainJob({job, folder / "run.h5", ""}, silent, control);
    ASSERT_FALSE(summary.ok());
    EXPECT_NE(summary.error().message.find("rate"), std::string::npos) << summary.error().message;
    // A layer of the first block, by its output or by what it holds. Sanitizers' code rounds otherwise, and
    // another may overflow first.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr const char* kNamed = "layer";
#else
    constexpr const char* kNamed = "layer1.0.";
#endif
    EXPECT_NE(summary.error().message.find(kNamed), std::string::npos) << summary.error().message;
    const auto report = reportRun(folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->summary.status, report::RunStatus::Failed);
    EXPECT_GT(report->summary.fileBytes, 0);
    EXPECT_EQ(report->steps, report->summary.steps);

    fs::remove_all(folder / "run.h5.ckpt");
    const auto bare = reportRun(folder / "run.h5");
    ASSERT_TRUE(bare.ok()) << bare.error().message;
    EXPECT_TRUE(std::isnan(bare->summary.bits)) << "unknown, not full precision";
    EXPECT_EQ(bare->summary.fileBytes, -1);
    EXPECT_EQ(bare->steps, -1);
}

}  // namespace
}  // namespace bitloom::jobs
