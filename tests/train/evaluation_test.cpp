// Accuracy, loss and batch-norm statistics on networks and images small enough to score by hand, and the
// public ResNet-20 on CIFAR-10 where both are at hand.
#include "engine/train/evaluation.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "engine/checkpoint/name_matching.h"
#include "engine/graph/zoo/zoo.h"
#include "tests/support/test_paths.h"

namespace bitloom::train {
namespace {

using ::testing::HasSubstr;

/// Images [3, 1, 4] given as 12 pixels each, with labels.
class FakeDataset final : public data::Dataset {
  public:
    struct Image {
        std::array<std::uint8_t, 12> pixels;
        int label;
    };
    explicit FakeDataset(std::vector<Image> images, std::int64_t unreadable = -1)
        : m_images(std::move(images)), m_unreadable(unreadable) {}

    [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(m_images.size()); }
    [[nodiscard]] data::ImageShape shape() const override { return {3, 1, 4}; }
    [[nodiscard]] const std::vector<std::string>& classNames() const override { return m_names; }
    [[nodiscard]] Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
        if (index == m_unreadable) return fail("image {} is corrupt", index);
        const Image& image = m_images[static_cast<std::size_t>(index)];
        std::copy(image.pixels.begin(), image.pixels.end(), pixels.begin());
        return image.label;
    }

  private:
    std::vector<Image> m_images;
    std::int64_t m_unreadable;
    std::vector<std::string> m_names = std::vector<std::string>(12, "class");
};

/// Logits are `scale` times the first `classes` pixels, in the order of the planes.
std::unique_ptr<Executor> pixelNetwork(std::int64_t classes, float scale = 255.0f) {
    graph::Graph graph("pixels");
    const auto input = graph.add("input", graph::Input{{3, 1, 4}});
    const auto flat = graph.add("flatten", graph::Flatten{}, {input});
    graph.add("fc", graph::Linear{.inFeatures = 12, .outFeatures = classes, .bias = false}, {flat});
    auto executor = Executor::create(std::move(graph), "cpu").value();
    std::vector<float> weight(static_cast<std::size_t>(12 * classes), 0.0f);
    for (std::int64_t i = 0; i < classes; ++i)
        weight[static_cast<std::size_t>(13 * i)] = scale;
    EXPECT_TRUE(executor->load({{"fc.weight", graph::Tensor::fromFloats({classes, 12}, weight)}}).ok());
    return executor;
}

FakeDataset::Image image(std::array<std::uint8_t, 12> pixels, int label) {
    return {pixels, label};
}

// Pixel order gives ranks; label 0 holds 10, so its rank is the number of larger pixels.
const FakeDataset kRanked({image({10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0}, 0),       // rank 0
                           image({10, 11, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0}, 0),      // rank 1
                           image({10, 11, 12, 13, 14, 5, 6, 7, 8, 9, 0, 0}, 0),   // rank 4
                           image({10, 11, 12, 13, 14, 15, 6, 7, 8, 9, 0, 0}, 0),  // rank 5
                           image({9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0}, 9)});  // tie, lower index wins: rank 1

Result<Accuracy> score(Executor& executor, const data::Dataset& dataset, EvaluationOptions options = {}) {
    return evaluate(executor, dataset, options);
}

TEST(Evaluate, KeptImagesScoreAsTheDatasetDoes) {
    const auto network = pixelNetwork(12);
    for (const std::int64_t images : {0, 1, 3, 5, 9}) {
        EvaluationOptions options;
        options.batchSize = 2;
        options.images = images;
        const auto read = score(*network, kRanked, options);
        auto kept = KeptImages::read(kRanked, options);
        ASSERT_TRUE(read.ok() && kept.ok());
        ASSERT_FALSE(kept->isEmpty());
        for (int again = 0; again < 2; ++again) {
            const auto accuracy = evaluate(*network, *kept);
            ASSERT_TRUE(accuracy.ok()) << accuracy.error().message;
            EXPECT_EQ(accuracy->images, read->images);
            EXPECT_EQ(accuracy->loss, read->loss);
            EXPECT_EQ(accuracy->top1, read->top1);
        }
    }
}

TEST(Evaluate, CountsTopOneAndTopFive) {
    const auto network = pixelNetwork(12);
    const auto accuracy = score(*network, kRanked);
    ASSERT_TRUE(accuracy.ok()) << accuracy.error().message;
    EXPECT_DOUBLE_EQ(accuracy->top1, 20.0);
    EXPECT_DOUBLE_EQ(accuracy->top5, 80.0);
    EXPECT_EQ(accuracy->images, 5);
    EXPECT_GT(accuracy->seconds, 0.0);
}

TEST(Evaluate, AveragesCrossEntropy) {
    // Logits 2 and 0: losses log(1 + e^-2) for label 0 and 2 more for label 1.
    const FakeDataset dataset({image({2}, 0), image({2}, 1), image({2}, 0)});
    const auto accuracy = score(*pixelNetwork(2), dataset);
    ASSERT_TRUE(accuracy.ok());
    EXPECT_NEAR(accuracy->loss, std::log1p(std::exp(-2.0)) + 2.0 / 3.0, 1e-6);
    EXPECT_DOUBLE_EQ(accuracy->top5, 100.0);
}

TEST(Evaluate, DoesNotDependOnTheBatchSize) {
    const auto network = pixelNetwork(12);
    const auto whole = score(*network, kRanked);
    for (const int batchSize : {1, 2, 4}) {
        EvaluationOptions options;
        options.batchSize = batchSize;
        const auto accuracy = score(*network, kRanked, options);
        ASSERT_TRUE(accuracy.ok());
        EXPECT_DOUBLE_EQ(accuracy->top1, whole->top1);
        EXPECT_NEAR(accuracy->loss, whole->loss, 1e-12);
    }
}

TEST(Evaluate, StopsAfterTheFirstImages) {
    EvaluationOptions options;
    options.batchSize = 2;
    options.images = 3;
    std::vector<std::int64_t> done;
    const auto network = pixelNetwork(12);
    const auto accuracy =
        evaluate(*network, kRanked, options, {}, [&](std::int64_t count, std::int64_t total) {
            EXPECT_EQ(total, 3);
            done.push_back(count);
            return true;
        });
    ASSERT_TRUE(accuracy.ok());
    EXPECT_EQ(accuracy->images, 3);
    EXPECT_NEAR(accuracy->top1, 100.0 / 3, 1e-9);
    EXPECT_THAT(done, ::testing::ElementsAre(2, 3));
}

TEST(Evaluate, Normalizes) {
    // Means swap the order of the planes: pixel 4, in plane 1, gains what plane 0 loses.
    const FakeDataset dataset({image({100, 0, 0, 0, 90, 0, 0, 0, 0, 0, 0, 0}, 4)});
    const auto network = pixelNetwork(12, 1.0f);
    EXPECT_DOUBLE_EQ(score(*network, dataset)->top1, 0.0);
    EvaluationOptions options;
    options.normalization = {.mean = {0.5f, 0.0f, 0.5f}, .deviation = {0.25f, 0.25f, 0.25f}};
    const auto accuracy = score(*network, dataset, options);
    ASSERT_TRUE(accuracy.ok());
    EXPECT_DOUBLE_EQ(accuracy->top1, 100.0);
    const auto logit = [](double pixel, double mean) { return (pixel / 255 - mean) / 0.25; };
    const double own = logit(90, 0);
    const double sum = std::exp(logit(100, 0.5)) + 3 * std::exp(logit(0, 0.5)) + std::exp(own) +
                       3 * std::exp(0.0) + 4 * std::exp(logit(0, 0.5));
    EXPECT_NEAR(accuracy->loss, std::log(sum) - own, 1e-6);
}

TEST(Evaluate, UsesOverrides) {
    const auto network = pixelNetwork(12);
    const torch::Tensor flipped = -network->weight("fc").detach();
    const auto accuracy = evaluate(*network, kRanked, {}, {{"fc", flipped}});
    ASSERT_TRUE(accuracy.ok());
    EXPECT_DOUBLE_EQ(accuracy->top1, 0.0);
}

TEST(Evaluate, CountsNotANumberAsWrong) {
    const auto network = pixelNetwork(12, std::numeric_limits<float>::quiet_NaN());
    const auto accuracy = score(*network, kRanked);
    ASSERT_TRUE(accuracy.ok());
    EXPECT_DOUBLE_EQ(accuracy->top1, 0.0);
    EXPECT_TRUE(std::isnan(accuracy->loss));
}

TEST(Evaluate, LeavesTheNetworkAsItWas) {
    auto executor =
        Executor::create(graph::zoo::makeModel("resnet20", {.imageSize = 8}).value(), "cpu").value();
    executor->initialize(1);
    const std::uint64_t before = graph::hashState(executor->state());
    const auto generated = data::openDataset("generated:1,1,4", data::Split::Test);
    ASSERT_TRUE(generated.ok()) << generated.error().message;
    auto network = Executor::create(graph::zoo::makeModel("resnet20").value(), "cpu").value();
    ASSERT_TRUE(network->load(executor->state()).ok());
    ASSERT_TRUE(score(*network, **generated).ok());
    EXPECT_EQ(graph::hashState(network->state()), before);
}

TEST(EvaluateErrors, Cancellation) {
    EvaluationOptions options;
    options.batchSize = 2;
    const auto network = pixelNetwork(12);
    const auto accuracy =
        evaluate(*network, kRanked, options, {}, [](std::int64_t, std::int64_t) { return false; });
    ASSERT_FALSE(accuracy.ok());
    EXPECT_EQ(accuracy.error().kind, ErrorKind::Cancelled);
    EXPECT_THAT(accuracy.error().message, HasSubstr("after 2 of 5 images"));
}

TEST(EvaluateErrors, LabelBeyondTheClasses) {
    const FakeDataset dataset({image({1}, 0), image({1}, 3)});
    const auto accuracy = score(*pixelNetwork(2), dataset);
    ASSERT_FALSE(accuracy.ok());
    EXPECT_THAT(accuracy.error().message, HasSubstr("image 1 has label 3, pixels has 2 classes"));
}

TEST(EvaluateErrors, ShapeOfTheImages) {
    auto executor = Executor::create(graph::zoo::makeModel("resnet20").value(), "cpu").value();
    const auto accuracy = score(*executor, kRanked);
    ASSERT_FALSE(accuracy.ok());
    EXPECT_THAT(accuracy.error().message, HasSubstr("[3, 1, 4]"));
    EXPECT_THAT(accuracy.error().message, HasSubstr("[3, 32, 32]"));
}

TEST(EvaluateErrors, EmptyDataset) {
    EXPECT_THAT(score(*pixelNetwork(2), FakeDataset({})).error().message, HasSubstr("no images"));
}

TEST(EvaluateErrors, UnreadableImage) {
    const FakeDataset dataset({image({1}, 0), image({1}, 0)}, 1);
    EXPECT_THAT(score(*pixelNetwork(2), dataset).error().message, HasSubstr("image 1 is corrupt"));
}

TEST(EvaluateErrors, OverrideThatDoesNotFit) {
    const auto network = pixelNetwork(12);
    const auto accuracy = evaluate(*network, kRanked, {}, {{"fc", torch::ones({12, 5})}});
    ASSERT_FALSE(accuracy.ok());
    EXPECT_THAT(accuracy.error().message, HasSubstr("evaluation of pixels"));
}

/// A public checkpoint on the first `images` test images of CIFAR-10, all of them for 0.
void expectPublicAccuracy(const char* file, const char* arch, std::int64_t images, const Accuracy& expected,
                          double points, double nats) {
    BITLOOM_SHARED_OR_SKIP(weights, std::string("weights/") + file);
    BITLOOM_SHARED_OR_SKIP(folder, "data/cifar-10-batches-bin");
    const auto dataset = data::openDataset("cifar10:" + folder.string(), data::Split::Test);
    ASSERT_TRUE(dataset.ok()) << dataset.error().message;
    const graph::Graph graph = graph::zoo::makeModel(arch).value();
    const auto read = checkpoint::readCheckpoint(weights);
    ASSERT_TRUE(read.ok()) << read.error().message;
    const auto mapped = checkpoint::mapWeights(graph, *read);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_TRUE(mapped->report.fits()) << mapped->report.toText();
    auto executor = Executor::create(graph, "cpu").value();
    ASSERT_TRUE(executor->load(mapped->state).ok());
    EvaluationOptions options;
    options.normalization = data::normalizationByName("imagenet").value();
    options.images = images;
    const auto accuracy = score(*executor, **dataset, options);
    ASSERT_TRUE(accuracy.ok()) << accuracy.error().message;
    EXPECT_NEAR(accuracy->top1, expected.top1, points);
    if (expected.loss > 0) {
        EXPECT_NEAR(accuracy->top5, expected.top5, points);
        EXPECT_NEAR(accuracy->loss, expected.loss, nats);
    }
}

TEST(Evaluate, ScoresThePublicResNet20) {
    // PyTorch's own figures for these images.
    expectPublicAccuracy("resnet20-12fca82f.th", "resnet20", 1000,
                         {.top1 = 92.5, .top5 = 99.6, .loss = 0.331}, 0.15, 1e-4);
}

// All 10,000 images: the figures that PyTorch gives for these checkpoints.
TEST(Evaluate, ScoresAllOfThePublicResNet20) {
    expectPublicAccuracy("resnet20-12fca82f.th", "resnet20", 0, {.top1 = 91.73}, 0.02, 0);
}

TEST(Evaluate, ScoresAllOfThePublicResNet44) {
    expectPublicAccuracy("resnet44-014dd654.th", "resnet44", 0, {.top1 = 93.10}, 0.02, 0);
}

TEST(Evaluate, ScoresAllOfThePublicResNet56) {
    expectPublicAccuracy("resnet56-4bfd9763.th", "resnet56", 0, {.top1 = 93.39}, 0.02, 0);
}

// --- batch-norm statistics ---

std::unique_ptr<Executor> normNetwork() {
    graph::Graph graph("norm");
    const auto input = graph.add("input", graph::Input{{3, 1, 4}});
    const auto conv = graph.add("conv", graph::Conv2d{.inChannels = 3, .outChannels = 1}, {input});
    const auto norm = graph.add("bn", graph::BatchNorm2d{.channels = 1}, {conv});
    graph.add("flatten", graph::Flatten{}, {norm});
    auto executor = Executor::create(std::move(graph), "cpu").value();
    executor->initialize(1);
    return executor;
}

/// Four images whose first plane holds 0, 51, 102 and 153 (0, 0.2, 0.4, 0.6) everywhere.
FakeDataset steps(std::int64_t unreadable = -1) {
    std::vector<FakeDataset::Image> images;
    for (int i = 0; i < 4; ++i) {
        const auto pixel = static_cast<std::uint8_t>(51 * i);
        images.push_back(image({pixel, pixel, pixel, pixel}, 0));
    }
    return FakeDataset(std::move(images), unreadable);
}

data::LoaderOptions plainBatchesOfTwo() {
    return {.batchSize = 2, .normalization = {}, .shuffle = false, .dropLast = true, .augment = false};
}

TEST(ReestimateBatchNorm, AveragesTheBatches) {
    const auto network = normNetwork();
    const FakeDataset dataset = steps();
    data::Loader loader(dataset, plainBatchesOfTwo());
    const torch::Tensor first = torch::tensor({10.0f, 0.0f, 0.0f}).view({1, 3, 1, 1});
    ASSERT_TRUE(reestimateBatchNorm(*network, loader, 2, {{"conv", first}}).ok());
    const graph::StateDict state = network->state();
    // Batches of 0 and 2, then 4 and 6, four pixels each: means 1 and 5; unbiased variances 8 / 7.
    EXPECT_NEAR(state.at("bn.running_mean").toFloats()[0], 3.0, 1e-5);
    EXPECT_NEAR(state.at("bn.running_var").toFloats()[0], 8.0 / 7.0, 1e-5);
}

TEST(ReestimateBatchNorm, DoesNothingForNoBatches) {
    const auto network = normNetwork();
    const std::uint64_t before = graph::hashState(network->state());
    const FakeDataset dataset = steps();
    data::Loader loader(dataset, plainBatchesOfTwo());
    ASSERT_TRUE(reestimateBatchNorm(*network, loader, 0, {}).ok());
    EXPECT_EQ(graph::hashState(network->state()), before);
}

TEST(ReestimateBatchNorm, ReportsALoaderError) {
    const auto network = normNetwork();
    const FakeDataset dataset = steps(3);
    data::Loader loader(dataset, plainBatchesOfTwo());
    const Status status = reestimateBatchNorm(*network, loader, 2, {});
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().message, HasSubstr("image 3 is corrupt"));
}

TEST(ReestimateBatchNorm, EndsTheAveraging) {
    const auto network = normNetwork();
    const FakeDataset dataset = steps();
    data::Loader loader(dataset, plainBatchesOfTwo());
    const torch::Tensor first = torch::tensor({10.0f, 0.0f, 0.0f}).view({1, 3, 1, 1});
    ASSERT_TRUE(reestimateBatchNorm(*network, loader, 2, {{"conv", first}}).ok());
    const torch::NoGradGuard guard;
    (void)network->forward(torch::zeros({2, 3, 1, 4}), /*training=*/true, {{"conv", first}});
    EXPECT_NEAR(network->state().at("bn.running_mean").toFloats()[0], 3.0 * 0.9, 1e-5);
}

}  // namespace
}  // namespace bitloom::train
