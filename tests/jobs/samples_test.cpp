// What the project ships in samples/: every job reads, and the network is as good, and as easy to ruin, as
// samples/README.md says.
#include <gtest/gtest.h>

#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/train_job.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

TEST(Samples, EveryJobReads) {
    int jobs = 0;
    for (const fs::directory_entry& file : fs::directory_iterator(testing::projectRoot() / "samples/jobs")) {
        const auto job = readJob(file.path(), {});
        EXPECT_TRUE(job.ok()) << (job ? "" : job.error().message);
        ++jobs;
    }
    EXPECT_GE(jobs, 4);
}

TEST(Samples, TheNetworkKnowsItsImages) {
    EvaluateRequest request;
    request.weights = testing::projectRoot() / "samples/resnet20-generated.safetensors";
    request.data = "generated";
    request.normalize = "half";
    request.images = 1000;
    report::ProgressSink silent;
    JobControl control;
    const auto accuracy = runEvaluateJob(request, silent, control);
    ASSERT_TRUE(accuracy.ok()) << accuracy.error().message;
    EXPECT_EQ(accuracy->arch, "resnet20");
    EXPECT_NEAR(accuracy->top1, 88.3, 3.5);
}

TEST(Samples, RoundingToTwoBitsWithoutTrainingRuinsIt) {
    const testing::TemporaryFolder folder;
    const std::vector<std::string> overrides = {"quantizer.bits=2", "train.evaluate_images=500",
                                                "train.batch_norm_batches=0"};
    auto job = readJob(testing::projectRoot() / "samples/jobs/quickstart.toml", overrides);
    ASSERT_TRUE(job.ok()) << job.error().message;
    SteeringSink sink;
    JobControl control;
    double rounded = report::kNoValue;
    sink.onMetric = [&](const report::MetricSample& sample) {
        rounded = sample.top1Hard;
        control.stop();
    };
    EXPECT_FALSE(runTrainJob({*job, folder / "run.h5", ""}, sink, control).ok());
    EXPECT_LT(rounded, 25) << "ten classes: 10 % is chance";
}

}  // namespace
}  // namespace bitloom::jobs
