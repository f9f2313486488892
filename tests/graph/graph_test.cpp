// Building a graph, finding nodes, parameters and the words for ops.
#include "engine/graph/graph.h"

#include <gmock/gmock.h>

namespace bitloom::graph {
namespace {

using ::testing::ElementsAre;

Graph tinyGraph() {
    Graph graph("tiny");
    const NodeId input = graph.add("input", Input{{3, 8, 8}});
    const NodeId conv = graph.add("conv", Conv2d{.inChannels = 3, .outChannels = 4, .bias = true}, {input});
    const NodeId norm = graph.add("bn", BatchNorm2d{.channels = 4}, {conv});
    const NodeId flat = graph.add("flatten", Flatten{}, {norm});
    graph.add("fc", Linear{.inFeatures = 256, .outFeatures = 2}, {flat});
    return graph;
}

TEST(Graph, FindsNodesByName) {
    const Graph graph = tinyGraph();
    ASSERT_TRUE(graph.find("bn").has_value());
    EXPECT_EQ(graph.node(*graph.find("bn")).name, "bn");
    EXPECT_FALSE(graph.find("bn1").has_value());
    EXPECT_EQ(graph.node(graph.output()).name, "fc");
    EXPECT_THAT(graph.inputShape(), ElementsAre(3, 8, 8));
}

TEST(Graph, ListsParametersInNodeOrderWithFullNames) {
    std::vector<std::string> names;
    for (const ParameterSpec& spec : tinyGraph().parameters()) {
        names.push_back(spec.name + toText(spec.shape) + (spec.trainable ? "" : " fixed"));
    }
    EXPECT_THAT(names, ElementsAre("conv.weight[4, 3, 1, 1]", "conv.bias[4]", "bn.weight[4]", "bn.bias[4]",
                                   "bn.running_mean[4] fixed", "bn.running_var[4] fixed",
                                   "bn.num_batches_tracked[] fixed", "fc.weight[2, 256]", "fc.bias[2]"));
}

TEST(Graph, ComparesStructure) {
    EXPECT_EQ(tinyGraph(), tinyGraph());
    Graph longer = tinyGraph();
    longer.add("softmax", Softmax{}, {longer.output()});
    EXPECT_FALSE(longer == tinyGraph());
}

TEST(Op, DividesConvolutionWeightsByGroups) {
    const auto specs =
        parametersOf(Conv2d{.inChannels = 8, .outChannels = 16, .kernel = {3, 5}, .groups = 4});
    ASSERT_EQ(specs.size(), 1u);
    EXPECT_THAT(specs[0].shape, ElementsAre(16, 2, 3, 5));
}

TEST(Op, DescribesItselfForAPerson) {
    EXPECT_EQ(describe(Input{{3, 32, 32}}), "input [3, 32, 32]");
    EXPECT_EQ(describe(Conv2d{.kernel = {3, 3}}), "conv 3x3");
    EXPECT_EQ(describe(Conv2d{.kernel = {3, 3}, .stride = {2, 2}}), "conv 3x3 /2");
    EXPECT_EQ(describe(Conv2d{.kernel = {1, 7}, .stride = {1, 2}, .dilation = {1, 3}}),
              "conv 1x7 /1x2, dilation 1x3");
    EXPECT_EQ(describe(Conv2d{.inChannels = 8, .outChannels = 8, .kernel = {3, 3}, .groups = 8}),
              "depthwise conv 3x3");
    EXPECT_EQ(describe(Conv2d{.inChannels = 8, .outChannels = 8, .kernel = {3, 3}, .groups = 2}),
              "conv 3x3, 2 groups");
    EXPECT_EQ(describe(Linear{}), "linear");
    EXPECT_EQ(describe(MaxPool2d{}), "max pool 2x2 /2");
    EXPECT_EQ(describe(Pad{.channelsBefore = 8, .channelsAfter = 8}), "pad channels 8+8");
    EXPECT_EQ(describe(Slice{.stride = {2, 2}}), "slice /2x2");
}

TEST(Op, TakesTheRightNumberOfInputs) {
    EXPECT_EQ(arity(Input{}), 0u);
    EXPECT_EQ(arity(Conv2d{}), 1u);
    EXPECT_EQ(arity(Add{}), 2u);
    EXPECT_EQ(arity(Mul{}), 2u);
    EXPECT_EQ(arity(Concat{}), 1u);
}

}  // namespace
}  // namespace bitloom::graph
