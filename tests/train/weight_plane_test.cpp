#include "engine/train/weight_plane.h"

#include <gmock/gmock.h>

#include "engine/graph/zoo/zoo.h"
#include "engine/train/features.h"

namespace bitloom::train {
namespace {

std::unique_ptr<Executor> smallNetwork(std::uint64_t seed = 3) {
    auto executor = Executor::create(*graph::zoo::makeModel("resnet20"), "cpu");
    EXPECT_TRUE(executor.ok());
    (*executor)->initialize(seed);
    return std::move(*executor);
}

TEST(WeightPlane, DirectionsHaveTheNormOfTheirFilters) {
    const auto executor = smallNetwork();
    const WeightPlane plane = *WeightPlane::create(*executor, 7);
    const WeightOverrides centre = *plane.at(0, 0);
    const WeightOverrides moved = *plane.at(1, 0);
    const WeightOverrides both = *plane.at(-0.5, 2);
    EXPECT_EQ(centre.size(), 20u) << "convolutions and the linear layer, no batch norm";
    for (const auto& [node, weight] : centre) {
        EXPECT_TRUE(torch::equal(weight, executor->weight(node))) << node;
        const auto filters = [&](const torch::Tensor& tensor) {
            return tensor.contiguous().view({tensor.size(0), -1}).norm(2, 1);
        };
        const torch::Tensor first = moved.at(node) - weight;
        EXPECT_TRUE(torch::allclose(filters(first), filters(weight), 1e-4)) << node;
        const torch::Tensor second = (both.at(node) - weight + 0.5 * first) / 2;
        EXPECT_TRUE(torch::allclose(filters(second), filters(weight), 1e-4)) << node;
        EXPECT_LT((first * second).sum().abs().item<float>(), 0.5 * weight.square().sum().item<float>())
            << node << ": two directions, not one";
    }
}

TEST(WeightPlane, ASeedGivesTheSameDirectionsAroundOtherWeights) {
    const auto one = smallNetwork(3);
    const auto other = smallNetwork(4);
    const WeightPlane a = *WeightPlane::create(*one, 7);
    const WeightPlane b = *WeightPlane::create(*other, 7);
    const WeightOverrides movedA = *a.at(1, 0);
    const WeightOverrides centreA = *a.at(0, 0);
    const WeightOverrides centreB = *b.at(0, 0);
    const WeightOverrides movedB = *b.at(1, 0);
    for (const auto& [node, weight] : centreA) {
        const torch::Tensor da = (movedA.at(node) - weight)[0].flatten();
        const torch::Tensor db = (movedB.at(node) - centreB.at(node))[0].flatten();
        EXPECT_NEAR(((da * db).sum() / (da.norm() * db.norm())).item<float>(), 1, 1e-4) << node;
    }
}

TEST(WeightPlane, HardenedWeightsAreThoseOfTheQuantizers) {
    const auto executor = smallNetwork();
    quant::QuantizerOptions options;
    options.layer.components = 4;
    auto quantizers = quant::makeQuantizers(executor->graph(), executor->state(), options, 1);
    ASSERT_TRUE(quantizers.ok());
    const WeightPlane plane = *WeightPlane::create(*executor, 7);
    const WeightOverrides latent = *plane.at(0.3, -0.2);
    const WeightOverrides hard = *plane.at(0.3, -0.2, *quantizers);
    for (const auto& [node, weight] : latent) {
        const auto quantizer = quantizers->find(node);
        if (quantizer == quantizers->end()) {
            EXPECT_TRUE(torch::equal(hard.at(node), weight)) << node;
            continue;
        }
        const std::vector<float> expected = quantizer->second->hard(weight).dequantize();
        const torch::Tensor flat = hard.at(node).contiguous().flatten();
        ASSERT_EQ(flat.numel(), static_cast<std::int64_t>(expected.size()));
        for (std::size_t i = 0; i < expected.size(); ++i)
            ASSERT_EQ(flat.data_ptr<float>()[i], expected[i]) << node;
        EXPECT_LE(std::get<0>(torch::_unique2(flat)).numel(), 4) << node;
    }
}

TEST(Features, AreTheInputOfTheLastLinearLayer) {
    const auto executor = smallNetwork();
    const auto images = data::openDataset("generated:1,8,40", data::Split::Test);
    ASSERT_TRUE(images.ok());
    EvaluationOptions options;
    options.images = 30;
    options.batchSize = 8;
    const auto features = penultimateFeatures(*executor, **images, options);
    ASSERT_TRUE(features.ok()) << features.error().message;
    EXPECT_EQ(features->dimension, 64);
    ASSERT_EQ(features->values.size(), 30u * 64);
    ASSERT_EQ(features->labels.size(), 30u);
    // The linear layer makes of them the classes that the network names.
    const graph::StateDict state = executor->state();
    const std::vector<float> weight = state.at("linear.weight").toFloats();
    const std::vector<float> bias = state.at("linear.bias").toFloats();
    for (std::size_t i = 0; i < 30; ++i) {
        std::vector<double> logits(bias.begin(), bias.end());
        for (std::size_t c = 0; c < logits.size(); ++c) {
            for (std::size_t d = 0; d < 64; ++d)
                logits[c] += double{weight[c * 64 + d]} * double{features->values[i * 64 + d]};
        }
        EXPECT_EQ(features->predictions[i], std::ranges::max_element(logits) - logits.begin()) << i;
    }
    const auto accuracy = evaluate(*executor, **images, options);
    ASSERT_TRUE(accuracy.ok());
    EXPECT_DOUBLE_EQ(features->top1(), accuracy->top1);
}

TEST(Features, NeedALinearLayerWithSomethingBeforeIt) {
    graph::Graph bare("bare");
    const auto input = bare.add("input", graph::Input{{3, 32, 32}});
    const auto flat = bare.add("flat", graph::Flatten{}, {input});
    bare.add("soft", graph::Softmax{}, {flat});
    auto executor = Executor::create(bare, "cpu");
    ASSERT_TRUE(executor.ok());
    const auto images = data::openDataset("generated:1,8,8", data::Split::Test);
    const auto features = penultimateFeatures(**executor, **images, {});
    ASSERT_FALSE(features.ok());
    EXPECT_THAT(features.error().message, ::testing::HasSubstr("bare"));
}

}  // namespace
}  // namespace bitloom::train
