// Inspecting and evaluating weight files.
#include <algorithm>
#include <fstream>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/inspect_job.h"
#include "engine/train/state_layout.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

Result<EvaluateResult> evaluated(EvaluateRequest request) {
    report::ProgressSink silent;
    JobControl control;
    request.threads = 1;
    return runEvaluateJob(request, silent, control);
}

TEST(InspectJob, TellsTensorsNetworkAndStatistics) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    const auto result = inspectWeights(folder / "net.safetensors");
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->format, "safetensors");
    EXPECT_EQ(result->arch, "resnet20");
    EXPECT_EQ(result->bytes, static_cast<std::int64_t>(fs::file_size(folder / "net.safetensors")));
    EXPECT_EQ(result->network.layers.size(), 20u);
    EXPECT_NEAR(static_cast<double>(result->network.parameters), 0.27e6, 0.005e6);
    ASSERT_EQ(result->snapshots.size(), 20u);
    for (std::size_t i = 0; i < 20; ++i) {
        const report::LayerSnapshot& snapshot = *result->snapshots[i];
        EXPECT_EQ(snapshot.layer, result->network.layers[i].name);
        EXPECT_TRUE(snapshot.mixtures.empty());
        const auto& counts = snapshot.weights.counts;
        EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}),
                  result->network.layers[i].weights);
    }
    const auto running = std::ranges::find(result->tensors, std::string("bn1.running_var"), &TensorInfo::key);
    ASSERT_NE(running, result->tensors.end());
    EXPECT_EQ(running->minimum, 1);
    EXPECT_EQ(running->deviation, 0);
}

TEST(InspectJob, NotANumberIsCountedNotRefused) {
    const testing::TemporaryFolder folder;
    ASSERT_TRUE(checkpoint::writeSafetensors(
                    folder / "odd.safetensors",
                    {{"a", graph::Tensor::fromFloats({3}, {1, std::numeric_limits<float>::quiet_NaN(), 3})}})
                    .ok());
    const auto result = inspectWeights(folder / "odd.safetensors");
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->tensors.front().nonFinite, 1);
    EXPECT_EQ(result->tensors.front().mean, 2);
    EXPECT_TRUE(result->arch.empty());
    EXPECT_FALSE(result->mapping.empty());
}

TEST(InspectJob, ARunIsSentToReport) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.train.steps = 1;
    trainToEnd(job, folder / "run.h5");
    const auto result = inspectWeights(folder / "run.h5");
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().message.find("bitloom report"), std::string::npos);
}

TEST(InspectJob, BrokenFilesAreNamed) {
    const testing::TemporaryFolder folder;
    std::ofstream(folder / "junk.pth") << "junk";
    EXPECT_NE(inspectWeights(folder / "junk.pth").error().message.find("junk.pth"), std::string::npos);
    EXPECT_NE(inspectWeights(folder / "none.pth").error().message.find("none.pth"), std::string::npos);
}

TEST(EvaluateJob, ScoresWeightsAndRunsAlike) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.quantizer.layer.method = "none";
    job.train.steps = 1;
    const report::RunSummary summary = trainToEnd(job, folder / "run.h5");
    EvaluateRequest request;
    request.weights = folder / "run.h5";
    request.data = job.data.source;
    request.images = 32;
    const auto run = evaluated(request);
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->top1, summary.top1Hard);
    EXPECT_EQ(run->images, 32);
    EXPECT_GE(run->top5, run->top1);

    const auto trained = checkpoint::readCheckpoint(folder / "run.h5.ckpt/step-1.safetensors");
    ASSERT_TRUE(trained.ok()) << trained.error().message;
    ASSERT_TRUE(checkpoint::writeSafetensors(folder / "trained.safetensors",
                                             train::partOf(trained->tensors, train::kModelPart))
                    .ok());
    request.weights = folder / "trained.safetensors";
    const auto same = evaluated(request);
    ASSERT_TRUE(same.ok()) << same.error().message;
    EXPECT_EQ(same->arch, "resnet20");
    EXPECT_EQ(same->images, 32);
    EXPECT_EQ(same->top1, run->top1);
    EXPECT_EQ(same->top5, run->top5);
    EXPECT_EQ(same->loss, run->loss);

    writeSmallWeights(folder / "net.safetensors");
    request.weights = folder / "net.safetensors";
    request.images = 0;
    const auto other = evaluated(request);
    ASSERT_TRUE(other.ok()) << other.error().message;
    EXPECT_EQ(other->images, 64);
    EXPECT_NE(other->loss, run->loss);
    EXPECT_GT(other->seconds, 0);
}

TEST(EvaluateJob, ARunKnowsItsImages) {
    const testing::TemporaryFolder folder;
    JobSpec job = smallJob();
    job.data.normalize = "half";
    job.train.evaluateImages = 0;
    const report::RunSummary summary = trainToEnd(job, folder / "run.h5");
    EvaluateRequest request;
    request.weights = folder / "run.h5";
    const auto run = evaluated(request);
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->top1, summary.top1Hard);
    EXPECT_EQ(run->images, 64);

    writeSmallWeights(folder / "net.safetensors");
    request.weights = folder / "net.safetensors";
    const auto weights = evaluated(request);
    ASSERT_FALSE(weights.ok());
    EXPECT_NE(weights.error().message.find("--data"), std::string::npos) << weights.error().message;
}

TEST(EvaluateJob, CanBeCancelled) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    EvaluateRequest request;
    request.weights = folder / "net.safetensors";
    request.data = "generated:1,64,64";
    request.batch = 8;
    report::ProgressSink silent;
    JobControl control;
    control.stop();
    const auto result = runEvaluateJob(request, silent, control);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Cancelled);
}

TEST(EvaluateJob, MistakesAreNamed) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    EvaluateRequest request;
    request.weights = folder / "net.safetensors";
    request.data = "generated:1,64,64";
    EvaluateRequest arch = request;
    arch.arch = "resnet32";
    EXPECT_NE(evaluated(arch).error().message.find("does not fit resnet32"), std::string::npos);
    EvaluateRequest data = request;
    data.data = "imagenet";
    EXPECT_EQ(evaluated(data).error().kind, ErrorKind::Usage);
    EvaluateRequest device = request;
    device.device = "gpu";
    EXPECT_FALSE(evaluated(device).ok());
    EvaluateRequest weights = request;
    weights.weights = folder / "none.th";
    EXPECT_NE(evaluated(weights).error().message.find("none.th"), std::string::npos);
}

}  // namespace
}  // namespace bitloom::jobs
