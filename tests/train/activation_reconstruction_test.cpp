// Scales found and trained for finished networks: known optima, improvement, silence, damage, cancelling.
#include "engine/train/activation_reconstruction.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/name_matching.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/train/deployed_model.h"
#include "engine/train/scoring.h"
#include "tests/support/test_paths.h"
#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ActivationReconstruction : public ::testing::Test {
  protected:
    ActivationReconstruction() {
        m_options.method = quant::ActivationMethod::Ptq;
        m_options.bits = m_options.firstLastBits = 3;
        m_options.images = 80;
        m_options.iterations = 60;
        m_options.rate = 4e-3;
        const auto executor = Executor::create(smallGraph(), "cpu");
        (*executor)->initialize(3);
        m_model.graph = smallGraph();
        m_model.rest = (*executor)->state();
    }
    [[nodiscard]] Result<ReconstructedActivations> run(const EvaluationProgress& progress = {}) const {
        TrainerData data;
        data.train = &m_images;
        data.normalization = {{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}};
        return reconstructActivations(m_model, m_options, data, 5, "cpu", progress);
    }
    void fill(const std::string& name, float value) {
        graph::Tensor& tensor = m_model.rest.find(name)->second;
        const auto count = static_cast<std::size_t>(tensor.count());
        tensor = graph::Tensor::fromFloats(tensor.shape, std::vector<float>(count, value));
    }
    QuadrantImages m_images{96, 1};
    quant::ActivationOptions m_options;
    quant::QuantizedModel m_model;
};

TEST_F(ActivationReconstruction, TrainingTheScalesLowersTheLossOfEveryBlock) {
    const auto rounded = run();
    ASSERT_TRUE(rounded.ok()) << rounded.error().message;
    EXPECT_EQ(rounded->found.activations.size(), 3u);
    ASSERT_EQ(rounded->losses.size(), 2u);
    EXPECT_EQ(rounded->losses[0].block, "relu1");
    EXPECT_EQ(rounded->losses[1].block, "relu2");
    for (const BlockLoss& loss : rounded->losses)
        EXPECT_LT(loss.trained, loss.searched) << loss.block;
    EXPECT_TRUE(rounded->found.silent.empty());
    for (const char* node : {"relu1", "relu2"})
        EXPECT_EQ(rounded->found.activations.at(node).zeroPoint, 0) << "no value is negative";
    EXPECT_GT(rounded->found.activations.at("input").zeroPoint, 0);
    m_options.iterations = 0;
    const auto searched = run();
    ASSERT_TRUE(searched.ok());
    EXPECT_TRUE(searched->losses.empty());
    EXPECT_NE(searched->found.activations.at("relu1").scale, rounded->found.activations.at("relu1").scale);
    EXPECT_EQ(searched->found.activations.at("input"), rounded->found.activations.at("input"));
}

TEST_F(ActivationReconstruction, IsDeterministicAndLeavesTheModelAlone) {
    const std::uint64_t before = graph::hashState(m_model.rest);
    const auto first = run();
    const auto second = run();
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(first->found.activations, second->found.activations);
    EXPECT_EQ(graph::hashState(m_model.rest), before);
    // Where a network rounds already, that counts for nothing.
    m_model.activations = {{"relu1", {2, 3, 0}}};
    EXPECT_EQ(run()->found.activations, first->found.activations);
}

TEST_F(ActivationReconstruction, ATrainingThatFindsNothingBetterKeepsTheSearch) {
    m_options.rate = 0.9;  // throws the scales about
    m_options.iterations = 3;
    const auto thrown = run();
    m_options.iterations = 0;
    const auto searched = run();
    ASSERT_TRUE(thrown.ok() && searched.ok());
    for (const BlockLoss& loss : thrown->losses)
        EXPECT_GT(loss.trained, loss.searched) << loss.block;
    EXPECT_EQ(thrown->found.activations, searched->found.activations);
}

TEST_F(ActivationReconstruction, ASilentActivationIsNamedAndHarmless) {
    fill("bn2.weight", 0);
    fill("bn2.bias", -1);
    const auto rounded = run();
    ASSERT_TRUE(rounded.ok()) << rounded.error().message;
    EXPECT_THAT(rounded->found.silent, ElementsAre("relu2"));
    EXPECT_GT(rounded->found.activations.at("relu2").scale, 1e-3);
    EXPECT_EQ(rounded->losses[1].searched, 0);
}

TEST_F(ActivationReconstruction, AnActivationThatIsNotFiniteIsAnErrorThatNamesIt) {
    fill("bn2.bias", std::numeric_limits<float>::quiet_NaN());
    const auto rounded = run();
    ASSERT_FALSE(rounded.ok());
    EXPECT_THAT(rounded.error().message, HasSubstr("the activation relu2 is not finite"));
}

TEST_F(ActivationReconstruction, TooFewImagesAreAUsageError) {
    m_options.images = 97;
    const auto rounded = run();
    ASSERT_FALSE(rounded.ok());
    EXPECT_EQ(rounded.error().kind, ErrorKind::Usage);
    EXPECT_THAT(rounded.error().message, HasSubstr("activation.images is 97 but the training set has 96"));
    m_options.images = 96;
    EXPECT_TRUE(run().ok());
    m_options.images = 1;  // fewer than a step takes
    EXPECT_TRUE(run().ok());
}

TEST_F(ActivationReconstruction, ABlockWithoutActivationsIsPassedOver) {
    m_options.layers = {{"relu1", quant::kFloatBits}};
    const auto rounded = run();
    ASSERT_TRUE(rounded.ok()) << rounded.error().message;
    EXPECT_EQ(rounded->found.activations.size(), 2u);
    ASSERT_EQ(rounded->losses.size(), 1u);
    EXPECT_EQ(rounded->losses[0].block, "relu2");
}

TEST_F(ActivationReconstruction, CountsItsStepsAndStopsWhenAsked) {
    std::int64_t last = 0;
    const auto whole = run([&](std::int64_t done, std::int64_t total) {
        EXPECT_EQ(total, 2 * 61);
        EXPECT_EQ(done, last + 1);
        last = done;
        return true;
    });
    ASSERT_TRUE(whole.ok());
    EXPECT_EQ(last, 2 * 61);
    const auto stopped = run([](std::int64_t done, std::int64_t) { return done < 70; });
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
}

// The public ResNet-20 at 4 bits as DGMS starts, with its batch norm estimated anew: rounding activations to
// 8 bits costs next to nothing, to 4 bits a little, and to 2 bits a lot.
TEST(ActivationReconstructionPublic, CostsResNet20WhatItShould) {
    BITLOOM_SHARED_OR_SKIP(weights, "weights/resnet20-12fca82f.th");
    BITLOOM_SHARED_OR_SKIP(folder, "data/cifar-10-batches-bin");
    const std::string source = "cifar10:" + folder.string();
    const auto train = data::openDataset(source, data::Split::Train);
    const auto test = data::openDataset(source, data::Split::Test);
    ASSERT_TRUE(train.ok() && test.ok());
    const graph::Graph graph = graph::zoo::makeModel("resnet20").value();
    const auto mapped = checkpoint::mapWeights(graph, checkpoint::readCheckpoint(weights).value());
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    const auto quantizers = quant::makeQuantizers(graph, mapped->state, {}, 1);
    ASSERT_TRUE(quantizers.ok()) << quantizers.error().message;
    TrainerData data;
    data.train = train->get();
    data.test = test->get();
    data.normalization = data::normalizationByName("imagenet").value();
    TrainOptions options;
    options.evaluateImages = 1000;
    auto scorer = Scorer::create(graph, data, options).value();
    quant::QuantizedModel model = hardModel(graph, mapped->state, *quantizers);
    ASSERT_TRUE(scorer.calibrate(model).ok());
    const double inFloat = scorer.evaluate(model, {})->top1;
    EXPECT_GT(inFloat, 88);
    quant::ActivationOptions activation;
    activation.method = quant::ActivationMethod::Ptq;
    activation.images = 256;
    activation.iterations = 10;
    const auto rounded = [&](int bits) {
        activation.bits = bits;
        auto found = reconstructActivations(model, activation, data, 1, "cpu");
        EXPECT_TRUE(found.ok()) << (found ? "" : found.error().message);
        quant::QuantizedModel copy = model;
        if (found) copy.activations = std::move(found->found.activations);
        return scorer.evaluate(copy, {})->top1;
    };
    EXPECT_NEAR(rounded(8), inFloat, 0.5);
    EXPECT_NEAR(rounded(4), inFloat, 3.5);
    EXPECT_LT(rounded(2), inFloat - 10);
}

TEST(ExecutorActivations, ReplaceWhatIsReadAndSeen) {
    const auto executor = Executor::create(smallGraph(), "cpu").value();
    executor->initialize(1);
    const torch::Tensor images = torch::randn({2, 3, 8, 8});
    const auto seen = [&](const std::string& wanted) {
        torch::Tensor value;
        executor->observe(images, [&](const graph::Node& node, const torch::Tensor& output) {
            if (node.name == wanted) value = output.detach();
        });
        return value;
    };
    const torch::NoGradGuard guard;
    const torch::Tensor before = seen("relu2");
    const auto half = [](const torch::Tensor& x) { return 0.5 * x; };
    ASSERT_TRUE(executor->setActivations({{"relu2", half}}).ok());
    EXPECT_TRUE(torch::equal(seen("relu2"), 0.5 * before));
    EXPECT_TRUE(torch::equal(seen("pool"), 0.5 * torch::max_pool2d(before, {4, 4}, {4, 4})));
    const auto none = [](const torch::Tensor& x) { return torch::zeros_like(x); };
    ASSERT_TRUE(executor->setActivations({{"input", none}}).ok());
    EXPECT_EQ(seen("conv1").abs().sum().item<float>(), 0) << "images too";
    EXPECT_THAT(executor->setActivations({{"bn1", none}}).error().message, HasSubstr("no activation bn1"));
    EXPECT_FALSE(executor->setActivations({{"relu3", none}}).ok());
    ASSERT_TRUE(executor->setActivations({}).ok());
    EXPECT_TRUE(torch::equal(seen("relu2"), before));
}

}  // namespace
}  // namespace bitloom::train
