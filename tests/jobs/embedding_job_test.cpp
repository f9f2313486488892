// Embeddings of real, if small, runs.
#include "engine/jobs/embedding_job.h"

#include <cmath>

#include <gmock/gmock.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/jobs/run_checkpoint.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

EmbeddingRequest requestFor(const fs::path& run) {
    EmbeddingRequest request;
    request.run = run;
    request.images = 48;
    request.perplexity = 8;
    request.iterations = 40;
    request.threads = 1;
    return request;
}

TEST(EmbeddingJob, LaysOutBothNetworksOfARun) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec spec = smallJob();
    spec.model.weights = (folder / "net.safetensors").string();
    trainToEnd(spec, folder / "run.h5");
    EmbeddingRequest request = requestFor(folder / "run.h5");
    const auto result = runSilently(runEmbeddingJob, request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->arch, "resnet20");
    EXPECT_EQ(result->origin, "run.h5");
    EXPECT_EQ(result->dimension, 64) << "of ResNet-20's pooled features";
    EXPECT_THAT(result->classNames, SizeIs(10));
    EXPECT_THAT(result->labels, AllOf(SizeIs(48), Each(AllOf(::testing::Ge(0), ::testing::Lt(10)))));
    for (const report::EmbeddedNetwork* network : {&result->fullPrecision, &result->quantized}) {
        EXPECT_THAT(network->x, SizeIs(48));
        EXPECT_THAT(network->y, SizeIs(48));
        EXPECT_THAT(network->predicted, SizeIs(48));
        EXPECT_EQ(network->iterations, 40);
        EXPECT_GT(network->divergence, 0);
    }
    // The accuracies are those of the evaluation.
    const auto [quantized, full] = evaluatedPair(folder / "run.h5", folder / "net.safetensors", spec, 48);
    EXPECT_DOUBLE_EQ(result->quantized.top1, quantized.top1);
    EXPECT_DOUBLE_EQ(result->fullPrecision.top1, full.top1);
    // The same bits again.
    request.threads = 2;
    const auto again = runSilently(runEmbeddingJob, request);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->labels, result->labels);
    request.threads = 1;
    EXPECT_EQ(runSilently(runEmbeddingJob, request)->quantized.x, result->quantized.x);
    request.seed = 1;
    EXPECT_NE(runSilently(runEmbeddingJob, request)->fullPrecision.x, result->fullPrecision.x);
}

TEST(EmbeddingJob, ARunWithoutWeightsIsComparedWithItsStart) {
    const testing::TemporaryFolder folder;
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    trainToEnd(spec, folder / "run.h5");
    const auto result = runSilently(runEmbeddingJob, requestFor(folder / "run.h5"));
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_NE(result->fullPrecision.x, result->quantized.x);
    EXPECT_FALSE(result->pretrained);
}

TEST(EmbeddingJob, ShowsLayoutsAsTheyFormAndStopsWhenAsked) {
    const testing::TemporaryFolder folder;
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    trainToEnd(spec, folder / "run.h5");
    JobControl control;
    SteeringSink sink;
    std::vector<std::string> phases;
    sink.onProgress = [&](const report::Progress& progress) {
        if (phases.empty() || phases.back() != progress.phase) phases.push_back(progress.phase);
    };
    std::vector<std::pair<int, int>> seen;
    const auto result = runEmbeddingJob(
        requestFor(folder / "run.h5"), sink, control, [&](const report::Embedding& embedding) {
            seen.emplace_back(embedding.fullPrecision.iterations, embedding.quantized.iterations);
            EXPECT_THAT(embedding.labels, SizeIs(48));
            if (embedding.quantized.iterations == 20) control.stop();
        });
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Cancelled);
    EXPECT_THAT(seen, ::testing::ElementsAre(std::pair(20, 0), std::pair(40, 0), std::pair(40, 20)));
    EXPECT_THAT(phases,
                ::testing::ElementsAre("reading the run", "features, full precision", "features, quantized",
                                       "layout, full precision", "layout, quantized"));
}

TEST(EmbeddingJob, ErrorsNameFileAndRemedy) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    spec.model.weights = (folder / "net.safetensors").string();
    trainToEnd(spec, folder / "run.h5");
    EmbeddingRequest request = requestFor(folder / "run.h5");
    request.perplexity = 30;
    EXPECT_THAT(messageOf(runSilently(runEmbeddingJob, request)),
                HasSubstr("48 images do not suffice for perplexity 30"));
    request = requestFor(folder / "run.h5");
    fs::rename(folder / "net.safetensors", folder / "moved.safetensors");
    EXPECT_THAT(messageOf(runSilently(runEmbeddingJob, request)),
                AllOf(HasSubstr("net.safetensors"), HasSubstr("run.h5 started from these weights")));
    fs::rename(folder / "moved.safetensors", folder / "net.safetensors");
    fs::remove_all(folder / "run.h5.ckpt");
    EXPECT_THAT(messageOf(runSilently(runEmbeddingJob, request)),
                AllOf(HasSubstr("run.h5"), HasSubstr("no checkpoint")));
    request.run = folder / "absent.h5";
    EXPECT_THAT(messageOf(runSilently(runEmbeddingJob, request)), HasSubstr("absent.h5"));
}

TEST(EmbeddingJob, FeaturesThatAreNotFiniteAreAnError) {
    const testing::TemporaryFolder folder;
    writeSmallWeights(folder / "net.safetensors");
    JobSpec spec = smallJob();
    spec.train.steps = 1;
    spec.model.weights = (folder / "net.safetensors").string();
    trainToEnd(spec, folder / "run.h5");
    // Weights put there afterwards, as large as floats go.
    auto checkpoint = checkpoint::readCheckpoint(folder / "net.safetensors");
    ASSERT_TRUE(checkpoint.ok());
    graph::Tensor& weight = checkpoint->tensors.at("conv1.weight");
    weight = graph::Tensor::fromFloats(weight.shape,
                                       std::vector<float>(static_cast<std::size_t>(weight.count()), 3e38f));
    ASSERT_TRUE(checkpoint::writeSafetensors(folder / "net.safetensors", checkpoint->tensors).ok());
    const auto result = runSilently(runEmbeddingJob, requestFor(folder / "run.h5"));
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message,
                AllOf(HasSubstr("run.h5, full precision network"), HasSubstr("must be finite")));
}

}  // namespace
}  // namespace bitloom::jobs
