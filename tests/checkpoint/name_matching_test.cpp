// Fitting files to networks: reports, conversions, refusals and the guess.
#include "engine/checkpoint/name_matching.h"

#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/graph/zoo/zoo.h"

namespace bitloom::checkpoint {
namespace {

using graph::DType;
using graph::Graph;
using graph::Shape;
using graph::StateDict;
using graph::Tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// conv1, bn1, linear on a 4x4 image.
Graph tinyGraph() {
    Graph graph("tiny");
    auto id = graph.add("input", graph::Input{{3, 4, 4}});
    id = graph.add(
        "conv1", graph::Conv2d{.inChannels = 3, .outChannels = 2, .kernel = {3, 3}, .padding = {1, 1}}, {id});
    id = graph.add("bn1", graph::BatchNorm2d{.channels = 2}, {id});
    id = graph.add("pool", graph::GlobalAvgPool{}, {id});
    id = graph.add("flatten", graph::Flatten{}, {id});
    graph.add("linear", graph::Linear{.inFeatures = 2, .outFeatures = 5}, {id});
    return graph;
}

/// Weights for every parameter of `graph`, named with `prefix`.
Checkpoint weightsOf(const Graph& graph, const std::string& prefix = "") {
    Checkpoint checkpoint;
    float value = 0;
    for (const graph::ParameterSpec& spec : graph.parameters()) {
        if (spec.name.ends_with("num_batches_tracked")) {
            checkpoint.tensors[prefix + spec.name] = Tensor::fromInt64(spec.shape, {9});
            continue;
        }
        std::vector<float> values(static_cast<std::size_t>(graph::elementCount(spec.shape)), value += 0.5f);
        checkpoint.tensors[prefix + spec.name] = Tensor::fromFloats(spec.shape, values);
    }
    return checkpoint;
}

/// Names and shapes alone, which is all that the guess looks at.
Checkpoint shapesOf(const Graph& graph, const std::string& prefix = "") {
    Checkpoint checkpoint;
    for (const graph::ParameterSpec& spec : graph.parameters()) {
        checkpoint.tensors[prefix + spec.name] = {DType::F32, spec.shape, {}};
    }
    return checkpoint;
}

Graph zooGraph(const std::string& name, std::int64_t classes = 0) {
    auto graph = graph::zoo::makeModel(name, {.classes = classes, .imageSize = 0});
    EXPECT_TRUE(graph.ok()) << name;
    return std::move(graph).value();
}

TEST(NameMatching, MatchesEveryParameterByName) {
    const auto mapped = mapWeights(tinyGraph(), weightsOf(tinyGraph()));
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_TRUE(mapped->report.complete());
    EXPECT_TRUE(mapped->report.fits());
    EXPECT_EQ(mapped->report.matched.size(), 8u);
    EXPECT_EQ(mapped->report.strippedPrefix, "");
    EXPECT_EQ(mapped->state.at("conv1.weight").toFloats(), std::vector<float>(54, 0.5f));
    EXPECT_EQ(mapped->state.at("bn1.num_batches_tracked").dtype, DType::I64);
    EXPECT_EQ(mapped->state.size(), 8u);
}

TEST(NameMatching, StripsTheContainerThatTheKeysShare) {
    for (const std::string prefix : {"module.", "state_dict.", "model.", "net.", "state_dict.module.",
                                     "model.net.module.", "model_state_dict._orig_mod."}) {
        Checkpoint checkpoint = weightsOf(tinyGraph(), prefix);
        checkpoint.tensors["optimizer.state.0.momentum_buffer"] = Tensor::fromFloats({1}, {0});
        const auto mapped = mapWeights(tinyGraph(), checkpoint);
        ASSERT_TRUE(mapped.ok()) << mapped.error().message;
        EXPECT_TRUE(mapped->report.fits()) << prefix << mapped->report.toText();
        EXPECT_EQ(mapped->report.strippedPrefix, prefix);
        EXPECT_EQ(mapped->report.matched.front().key, prefix + "conv1.weight");
        EXPECT_THAT(mapped->report.unexpected, ElementsAre("optimizer.state.0.momentum_buffer"));
    }
}

TEST(NameMatching, ReportsMissingUnexpectedReshapedAndMismatched) {
    Checkpoint checkpoint = weightsOf(tinyGraph());
    checkpoint.tensors.erase("bn1.weight");
    checkpoint.tensors.erase("bn1.num_batches_tracked");
    checkpoint.tensors["extra.weight"] = Tensor::fromFloats({1}, {1});
    checkpoint.tensors["linear.weight"].shape = {5, 2, 1, 1};
    checkpoint.tensors["linear.bias"] = Tensor::fromFloats({4}, {1, 2, 3, 4});
    const auto mapped = mapWeights(tinyGraph(), checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    const MappingReport& report = mapped->report;
    EXPECT_FALSE(report.complete());
    EXPECT_THAT(report.missing, ElementsAre("bn1.weight"));
    EXPECT_THAT(report.unexpected, ElementsAre("extra.weight"));
    ASSERT_EQ(report.reshaped.size(), 1u);
    EXPECT_EQ(report.reshaped[0].parameter, "linear.weight");
    ASSERT_EQ(report.mismatched.size(), 1u);
    EXPECT_EQ(report.mismatched[0].expected, Shape{5});
    EXPECT_EQ(report.mismatched[0].found, Shape{4});
    EXPECT_EQ(mapped->state.at("linear.weight").shape, (Shape{5, 2}));
    EXPECT_EQ(mapped->state.at("bn1.num_batches_tracked").toFloats(), std::vector<float>{0});
    EXPECT_FALSE(mapped->state.contains("linear.bias"));
    const std::string text = report.toText();
    EXPECT_THAT(text, HasSubstr("1 missing in the file: bn1.weight"));
    EXPECT_THAT(text, HasSubstr("linear.bias ([4] in the file, [5] in the network)"));
    EXPECT_THAT(text, HasSubstr("1 in the file only: extra.weight"));
    EXPECT_THAT(text, HasSubstr("1 loaded without regard to dimensions of 1: linear.weight"));
}

TEST(NameMatching, ConvertsEveryDtypeToFloat) {
    Checkpoint checkpoint = weightsOf(tinyGraph());
    const auto bytes = [](std::initializer_list<int> values) {
        std::vector<std::byte> out;
        for (const int value : values)
            out.push_back(static_cast<std::byte>(value));
        return out;
    };
    checkpoint.tensors["bn1.weight"] = {DType::F16, {2}, bytes({0x00, 0x3c, 0x00, 0xc0})};
    checkpoint.tensors["bn1.bias"] = {DType::BF16, {2}, bytes({0x80, 0x3f, 0x00, 0xc0})};
    checkpoint.tensors["bn1.running_mean"] = {DType::I8, {2}, bytes({0x01, 0xfe})};
    checkpoint.tensors["bn1.num_batches_tracked"] = Tensor::fromFloats({}, {12});
    const auto mapped = mapWeights(tinyGraph(), checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    for (const char* name : {"bn1.weight", "bn1.bias", "bn1.running_mean"}) {
        EXPECT_EQ(mapped->state.at(name).dtype, DType::F32) << name;
        EXPECT_EQ(mapped->state.at(name).toFloats(), (std::vector<float>{1, -2})) << name;
    }
    EXPECT_EQ(mapped->state.at("bn1.num_batches_tracked").dtype, DType::I64);
    EXPECT_EQ(mapped->state.at("bn1.num_batches_tracked").toFloats(), std::vector<float>{12});
}

TEST(NameMatching, NamesTheTensorAndThePositionOfANonFiniteValue) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        Checkpoint checkpoint = weightsOf(tinyGraph(), "module.");
        std::vector<float> values(54, 1.0f);
        values[27 + 9 * 2 + 3 * 1 + 2] = bad;
        checkpoint.tensors["module.conv1.weight"] = Tensor::fromFloats({2, 3, 3, 3}, values);
        const auto mapped = mapWeights(tinyGraph(), checkpoint);
        ASSERT_FALSE(mapped.ok());
        EXPECT_THAT(mapped.error().message,
                    AllOf(HasSubstr("module.conv1.weight"), HasSubstr("at [1, 2, 1, 2]"),
                          HasSubstr("earlier checkpoint")));
    }
    Checkpoint checkpoint = weightsOf(tinyGraph());
    const double huge = 1e300;
    Tensor wide{DType::F64, {2}, std::vector<std::byte>(16)};
    std::memcpy(wide.bytes.data() + 8, &huge, sizeof huge);
    checkpoint.tensors["bn1.bias"] = wide;
    const auto mapped = mapWeights(tinyGraph(), checkpoint);
    ASSERT_FALSE(mapped.ok()) << "1e300 is no float32";
    EXPECT_THAT(mapped.error().message, HasSubstr("bn1.bias is not a finite float32 at [1]"));
}

TEST(NameMatching, NonFiniteValuesOutsideTheNetworkDoNotMatter) {
    Checkpoint checkpoint = weightsOf(tinyGraph());
    checkpoint.tensors["optimizer.loss"] = Tensor::fromFloats({1}, {std::numeric_limits<float>::quiet_NaN()});
    EXPECT_TRUE(mapWeights(tinyGraph(), checkpoint).ok());
}

TEST(NameMatching, FitsWithoutBatchCounts) {
    Checkpoint checkpoint = weightsOf(tinyGraph());
    checkpoint.tensors.erase("bn1.num_batches_tracked");
    const auto mapped = mapWeights(tinyGraph(), checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_TRUE(mapped->report.fits()) << mapped->report.toText();
    EXPECT_EQ(mapped->state.size(), 8u);
}

TEST(NameMatching, ADeeperNetworkDoesNotPassForAShallowerOne) {
    for (const std::string prefix : {"", "state_dict.module."}) {
        const auto mapped = mapWeights(zooGraph("resnet20"), weightsOf(zooGraph("resnet56"), prefix));
        ASSERT_TRUE(mapped.ok()) << mapped.error().message;
        EXPECT_TRUE(mapped->report.complete());
        EXPECT_FALSE(mapped->report.fits()) << prefix;
    }
}

TEST(NameMatching, ATransposedWeightIsNotLoaded) {
    Checkpoint checkpoint = weightsOf(tinyGraph());
    checkpoint.tensors["linear.weight"].shape = {2, 5};
    const auto mapped = mapWeights(tinyGraph(), checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_FALSE(mapped->report.fits());
    EXPECT_TRUE(mapped->report.reshaped.empty());
    EXPECT_FALSE(mapped->state.contains("linear.weight"));
    EXPECT_THAT(
        mapped->report.toText(),
        HasSubstr("of another shape, not loaded: linear.weight ([2, 5] in the file, [5, 2] in the network)"));
}

TEST(NameMatching, BatchCountsThatCannotBeCountAsNone) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            1e30f, -1e30f, -1.0f}) {
        Checkpoint checkpoint = weightsOf(tinyGraph());
        checkpoint.tensors["bn1.num_batches_tracked"] = Tensor::fromFloats({}, {bad});
        const auto mapped = mapWeights(tinyGraph(), checkpoint);
        ASSERT_TRUE(mapped.ok()) << mapped.error().message;
        EXPECT_EQ(mapped->state.at("bn1.num_batches_tracked").toFloats(), std::vector<float>{0}) << bad;
    }
}

TEST(NameMatching, LooksThroughEightContainersAtMost) {
    const auto nested = [](int levels) {
        std::string prefix;
        for (int i = 0; i < levels; ++i)
            prefix += "net.";
        const auto mapped = mapWeights(tinyGraph(), weightsOf(tinyGraph(), prefix));
        EXPECT_TRUE(mapped.ok());
        return mapped.ok() && mapped->report.fits();
    };
    EXPECT_TRUE(nested(8));
    EXPECT_FALSE(nested(9));
}

TEST(NameMatching, TheReportIsSafeOnATerminal) {
    Checkpoint checkpoint = weightsOf(tinyGraph());
    checkpoint.tensors["\x1b[2J\xc2\x9b.gamma"] = Tensor::fromFloats({1}, {1});
    const auto mapped = mapWeights(tinyGraph(), checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_THAT(mapped->report.toText(), HasSubstr("?[2J?.gamma"));
}

TEST(GuessArchitecture, FindsEveryNetworkOfTheZoo) {
    for (const std::string& name : graph::zoo::modelNames()) {
        EXPECT_EQ(guessArchitecture(shapesOf(zooGraph(name), "state_dict.module.")), name);
        EXPECT_EQ(guessArchitecture(shapesOf(zooGraph(name, 37))), name) << "with 37 classes";
    }
}

TEST(GuessArchitecture, FindsNothingForForeignFiles) {
    EXPECT_EQ(guessArchitecture({}), "");
    EXPECT_EQ(guessArchitecture(shapesOf(tinyGraph())), "");
    Checkpoint damaged = shapesOf(zooGraph("resnet20"));
    damaged.tensors.erase("layer2.1.conv1.weight");
    EXPECT_EQ(guessArchitecture(damaged), "");
    Checkpoint deeper = shapesOf(zooGraph("resnet56"));
    deeper.tensors["layer3.9.conv1.weight"] = Tensor::fromFloats({1}, {1});
    EXPECT_EQ(guessArchitecture(deeper), "") << "a ResNet-62 is no ResNet-56";
}

}  // namespace
}  // namespace bitloom::checkpoint
