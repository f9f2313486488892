// Which layers are quantized, what each wrong option says, and the figures of the public checkpoints right
// after k-means.
#include "engine/quant/registry.h"

#include <limits>

#include <gmock/gmock.h>

#include "engine/checkpoint/name_matching.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/quant/method_names.h"
#include "engine/quant/quantized_model.h"
#include "tests/support/test_paths.h"

namespace bitloom::quant {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// conv1, conv2, conv3, fc.
graph::Graph makeGraph() {
    graph::Graph graph("net");
    auto last = graph.add("input", graph::Input{{1, 4, 4}});
    last = graph.add("conv1", graph::Conv2d{.inChannels = 1, .outChannels = 8}, {last});
    last = graph.add("bn1", graph::BatchNorm2d{.channels = 8}, {last});
    last = graph.add("block.conv2", graph::Conv2d{.inChannels = 8, .outChannels = 8}, {last});
    last = graph.add("block.conv3", graph::Conv2d{.inChannels = 8, .outChannels = 8}, {last});
    last = graph.add("pool", graph::GlobalAvgPool{}, {last});
    last = graph.add("flat", graph::Flatten{}, {last});
    graph.add("fc", graph::Linear{.inFeatures = 8, .outFeatures = 4}, {last});
    return graph;
}

graph::StateDict makeState(const graph::Graph& graph) {
    graph::StateDict state;
    for (const graph::ParameterSpec& parameter : graph.parameters()) {
        std::vector<float> values(static_cast<std::size_t>(graph::elementCount(parameter.shape)));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = std::sin(static_cast<float>(3 * i + 1));
        state[parameter.name] = graph::Tensor::fromFloats(parameter.shape, values);
    }
    return state;
}

std::vector<std::string> plannedNames(const QuantizerOptions& options) {
    const auto planned = planLayers(makeGraph(), options);
    std::vector<std::string> names;
    if (!planned) return {"error: " + planned.error().message};
    for (const PlannedLayer& layer : *planned)
        names.push_back(layer.node);
    return names;
}

std::string planError(const QuantizerOptions& options) {
    const auto planned = planLayers(makeGraph(), options);
    if (planned) return "no error";
    EXPECT_EQ(planned.error().kind, ErrorKind::Usage);
    return planned.error().message;
}

TEST(PlanLayers, LeavesTheFirstConvolutionAndLinearLayers) {
    EXPECT_THAT(plannedNames({}), ElementsAre("block.conv2", "block.conv3"));
}

TEST(PlanLayers, ExclusionReplacesTheDefault) {
    QuantizerOptions options;
    options.exclude = std::vector<std::string>{"block.conv2"};
    EXPECT_THAT(plannedNames(options), ElementsAre("conv1", "block.conv3", "fc"));
    options.exclude = std::vector<std::string>{};
    EXPECT_THAT(plannedNames(options), ElementsAre("conv1", "block.conv2", "block.conv3", "fc"));
}

TEST(PlanLayers, OverridesWin) {
    QuantizerOptions options;
    options.layers["fc"] = {"dgms", 4};
    options.layers["block.conv2"] = {"none", 16};
    const auto planned = planLayers(makeGraph(), options);
    ASSERT_TRUE(planned) << planned.error().message;
    ASSERT_EQ(planned->size(), 2u);
    EXPECT_EQ((*planned)[0].node, "block.conv3");
    EXPECT_EQ((*planned)[0].options.components, 16);
    EXPECT_EQ((*planned)[1].node, "fc");
    EXPECT_EQ((*planned)[1].options.components, 4);
}

TEST(PlanLayers, MethodNoneQuantizesOnlyOverrides) {
    QuantizerOptions options;
    options.layer.method = "none";
    EXPECT_THAT(plannedNames(options), ElementsAre());
    options.layers["block.conv3"] = {"dgms", 8};
    EXPECT_THAT(plannedNames(options), ElementsAre("block.conv3"));
}

TEST(PlanLayers, WrongNamesAndMethodsNameTheNearest) {
    QuantizerOptions options;
    options.exclude = std::vector<std::string>{"block.conv22"};
    EXPECT_THAT(planError(options), AllOf(HasSubstr("block.conv22"), HasSubstr("\"block.conv2\"")));
    options = {};
    options.layers["fcc"] = {};
    EXPECT_THAT(planError(options), AllOf(HasSubstr("fcc"), HasSubstr("\"fc\"")));
    options = {};
    options.layers["bn1"] = {};
    EXPECT_THAT(planError(options), AllOf(HasSubstr("bn1"), HasSubstr("no weight to quantize")));
    options = {};
    options.layer.method = "dmgs";
    EXPECT_THAT(planError(options), AllOf(HasSubstr("dmgs"), HasSubstr("\"dgms\"")));
    options = {};
    options.layers["fc"] = {"sgd", 4};
    EXPECT_THAT(planError(options), AllOf(HasSubstr("layers.\"fc\""), HasSubstr("sgd")));
}

TEST(PlanLayers, RangesAreChecked) {
    for (const int components : {-1, 0, 1, 257}) {
        QuantizerOptions options;
        options.layer.components = components;
        EXPECT_THAT(planError(options), HasSubstr("2 to 256"));
        options = {};
        options.layers["fc"] = {"dgms", components};
        EXPECT_THAT(planError(options), HasSubstr("2 to 256"));
    }
    for (const double temperature : {0.0, 5e-4, 1.5, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
        QuantizerOptions options;
        options.temperature = temperature;
        EXPECT_THAT(planError(options), HasSubstr("temperature"));
        options.layer.method = "none";
        EXPECT_TRUE(planLayers(makeGraph(), options)) << "nothing has a temperature";
        options.layers["fc"] = {"dgms", 4};
        EXPECT_THAT(planError(options), HasSubstr("temperature"));
    }
}

TEST(MakeQuantizers, MakesOneForEachPlannedLayer) {
    const graph::Graph graph = makeGraph();
    QuantizerOptions options;
    options.layers["fc"] = {"dgms", 4};
    const auto quantizers = makeQuantizers(graph, makeState(graph), options, 1);
    ASSERT_TRUE(quantizers) << quantizers.error().message;
    ASSERT_EQ(quantizers->size(), 3u);
    EXPECT_EQ(quantizers->at("fc")->method(), "dgms");
    EXPECT_EQ(quantizers->at("fc")->hard(torch::zeros({4, 8})).components, 4);
    EXPECT_EQ(quantizers->at("block.conv2")->hard(torch::zeros({8, 8, 1, 1})).components, 16);
}

TEST(MakeQuantizers, BadWeightsNameTheLayer) {
    const graph::Graph graph = makeGraph();
    const graph::StateDict good = makeState(graph);
    graph::StateDict state = good;
    state.erase("block.conv3.weight");
    const auto missing = makeQuantizers(graph, state, {}, 1);
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, HasSubstr("no \"block.conv3.weight\""));
    std::vector<float> values(64, 0.5f);
    values[9] = std::numeric_limits<float>::quiet_NaN();
    state = good;
    state["block.conv2.weight"] = graph::Tensor::fromFloats({8, 8, 1, 1}, values);
    const auto notFinite = makeQuantizers(graph, state, {}, 1);
    ASSERT_FALSE(notFinite);
    EXPECT_THAT(notFinite.error().message, AllOf(HasSubstr("block.conv2"), HasSubstr("element 9")));
    state["block.conv2.weight"] = graph::Tensor::fromFloats({0}, {});
    const auto empty = makeQuantizers(graph, state, {}, 1);
    ASSERT_FALSE(empty);
    EXPECT_THAT(empty.error().message, HasSubstr("empty"));
}

TEST(MakeQuantizers, MethodNamesListTheRegistry) {
    EXPECT_THAT(methodNames(), ElementsAre("none", "dgms", "dgms-mixed", "rdhs", "sgt", "uniform", "sdq"));
}

/// Non-zero parameters of a public checkpoint right after initialisation; no training involved.
std::int64_t nonzeroAfterInit(const std::filesystem::path& path, const char* arch,
                              const QuantizerOptions& options) {
    QuantizedModel model;
    model.graph = graph::zoo::makeModel(arch).value();
    const auto file = checkpoint::readCheckpoint(path);
    if (!file) {
        ADD_FAILURE() << file.error().message;
        return 0;
    }
    const auto weights = checkpoint::mapWeights(model.graph, *file);
    if (!weights) {
        ADD_FAILURE() << weights.error().message;
        return 0;
    }
    model.rest = weights->state;
    const auto quantizers = makeQuantizers(model.graph, weights->state, options, 1);
    if (!quantizers) {
        ADD_FAILURE() << quantizers.error().message;
        return 0;
    }
    for (const auto& [node, quantizer] : *quantizers) {
        const graph::Tensor& tensor = model.rest.find(node + ".weight")->second;
        model.layers[node] = quantizer->hard(torch::tensor(tensor.toFloats()).reshape(tensor.shape));
        model.rest.erase(node + ".weight");
    }
    return measure(model).nonzeroParameters;
}

struct NonzeroRange {
    SigmaInit sigma;
    int components;
    std::int64_t low;
    std::int64_t high;
};

/// The paper's table: 0.20 M at 3 bits, 0.15 M at 2 bits. With sigma = 0.01 every weight takes the nearest
/// centroid, of which even the best of many k-means starts leaves 0.152 M non-zero at 2 bits.
TEST(PublicCheckpoint, Resnet20NonzeroParametersAfterInit) {
    BITLOOM_SHARED_OR_SKIP(path, "weights/resnet20-12fca82f.th");
    for (const NonzeroRange& range : {NonzeroRange{SigmaInit::Standard, 8, 196'500, 199'499},
                                      NonzeroRange{SigmaInit::Standard, 4, 141'500, 148'499},
                                      NonzeroRange{SigmaInit::Empirical, 8, 196'500, 199'499},
                                      NonzeroRange{SigmaInit::Empirical, 4, 151'000, 152'999}}) {
        QuantizerOptions options;
        options.initSigma = range.sigma;
        options.layer.components = range.components;
        const std::int64_t nonzero = nonzeroAfterInit(path, "resnet20", options);
        EXPECT_GE(nonzero, range.low);
        EXPECT_LE(nonzero, range.high);
    }
}

TEST(PublicCheckpoint, Resnet56NonzeroParametersAfterInit) {
    BITLOOM_SHARED_OR_SKIP(path, "weights/resnet56-4bfd9763.th");
    QuantizerOptions options;
    options.layer.components = 4;
    const std::int64_t twoBits = nonzeroAfterInit(path, "resnet56", options);
    EXPECT_GE(twoBits, 415'000);
    EXPECT_LT(twoBits, 445'000);
}

TEST(PlanLayers, EndsWithBitsOfTheirOwnAreUniformWhateverTheMethod) {
    QuantizerOptions options;
    options.firstLastBits = 8;
    for (const std::string& method : methodNames()) {
        options.layer = {method, method == "none" ? 16 : 4};
        const auto planned = planLayers(makeGraph(), options);
        ASSERT_TRUE(planned) << method << ": " << planned.error().message;
        ASSERT_EQ(planned->size(), method == "none" ? 2u : 4u) << method;
        for (const PlannedLayer& layer : *planned) {
            const bool end = layer.node == "conv1" || layer.node == "fc";
            EXPECT_EQ(layer.outsideAverage, end) << layer.node;
            EXPECT_EQ(layer.options.method, end ? "uniform" : method);
            EXPECT_EQ(layer.options.components, end ? 256 : 4);
        }
    }
    for (const int bits : {-1, 1, 9}) {
        options.firstLastBits = bits;
        EXPECT_THAT(planError(options), HasSubstr(fmt::format("first_last_bits = {}; take 2 to 8", bits)));
    }
}

TEST(PlanLayers, WhatAJobSaysOfAnEndWins) {
    QuantizerOptions options;
    options.firstLastBits = 8;
    options.exclude = std::vector<std::string>{"fc"};
    EXPECT_THAT(plannedNames(options), ElementsAre("conv1", "block.conv2", "block.conv3"));
    options.exclude = std::vector<std::string>{};
    options.layers["conv1"] = {"dgms", 4};
    const auto planned = planLayers(makeGraph(), options);
    ASSERT_TRUE(planned) << planned.error().message;
    ASSERT_EQ(planned->size(), 4u);
    EXPECT_FALSE(planned->front().outsideAverage);
    EXPECT_EQ(planned->front().options.components, 4);
    EXPECT_TRUE(planned->back().outsideAverage) << "fc";
}

}  // namespace
}  // namespace bitloom::quant
