// Which activations are rounded, to how many bits, and how a network falls into blocks.
#include "engine/quant/activation/activation_plan.h"

#include <gmock/gmock.h>

#include "engine/graph/counts.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::quant {
namespace {

using ::testing::HasSubstr;

ActivationOptions fourBits() {
    ActivationOptions options;
    options.method = ActivationMethod::Ptq;
    options.bits = 4;
    return options;
}

graph::Graph network(const char* name) {
    return graph::zoo::makeModel(name).value();
}

std::vector<PlannedActivation> planned(const graph::Graph& graph, const ActivationOptions& options) {
    auto plan = planActivations(graph, options);
    EXPECT_TRUE(plan.ok()) << (plan ? "" : plan.error().message);
    return plan ? *plan : std::vector<PlannedActivation>();
}

TEST(ActivationPlan, FollowsReluAndAdditionButNeitherInnerNormsNorLogits) {
    const auto plan = planned(network("resnet20"), fourBits());
    ASSERT_EQ(plan.size(), 20u);  // the image, the first ReLU and two of each of the nine blocks
    for (const PlannedActivation& activation : plan) {
        const bool edge =
            activation.node == "input" || activation.node == "relu" || activation.node == "layer3.2.relu2";
        EXPECT_TRUE(edge || activation.node.find(".relu") != std::string::npos) << activation.node;
        EXPECT_EQ(activation.bits, edge ? 8 : 4) << activation.node;
    }
    EXPECT_EQ(planned(network("resnet50"), fourBits()).size(), 2u + 3 * 16);
    EXPECT_EQ(planned(network("vgg-small"), fourBits()).size(), 7u);
    EXPECT_TRUE(planned(network("resnet20"), {}).empty());
}

TEST(ActivationPlan, OverridesWinAndNameWhatTheyMean) {
    const graph::Graph graph = network("resnet20");
    ActivationOptions options = fourBits();
    options.layers = {{"layer1.0.relu1", 2}, {"layer1.0.relu2", kFloatBits}, {"input", 7}};
    const auto plan = planned(graph, options);
    EXPECT_EQ(plan.size(), 19u);
    EXPECT_EQ(plan[0].bits, 7);
    EXPECT_EQ(plan[2].node, "layer1.0.relu1");
    EXPECT_EQ(plan[2].bits, 2);
    EXPECT_EQ(plan[3].node, "layer1.1.relu1");
    const auto refused = [&](const std::string& name, int bits) {
        options.layers = {{name, bits}};
        const auto result = planActivations(graph, options);
        EXPECT_FALSE(result.ok());
        EXPECT_EQ(result.error().kind, ErrorKind::Usage);
        return result.error().message;
    };
    EXPECT_THAT(refused("layer1.0.conv2", 4), HasSubstr("name the activation it reads, \"layer1.0.relu1\""));
    EXPECT_THAT(refused("layer1.0.rellu1", 4), HasSubstr("did you mean \"layer1.0.relu1\"?"));
    EXPECT_THAT(refused("linear", 4), HasSubstr("\"layer3.2.relu2\""));
    EXPECT_THAT(refused("layer1.0.relu1", 9), HasSubstr("take 2 to 8, or 32"));
    EXPECT_THAT(refused("layer1.0.relu1", 1), HasSubstr("take 2 to 8, or 32"));
    options.layers.clear();
    options.bits = 9;
    EXPECT_THAT(planActivations(graph, options).error().message, HasSubstr("activation.bits = 9"));
}

TEST(ActivationPlan, BlocksAreResidualBlocksOrLayers) {
    const graph::Graph graph = network("resnet20");
    const auto blocks = blocksOf(graph, planned(graph, fourBits()));
    ASSERT_EQ(blocks.size(), 10u);
    EXPECT_EQ(graph.node(blocks[0].to).name, "relu");
    EXPECT_EQ(graph.node(blocks[4].from).name, "layer1.2.relu2");
    EXPECT_EQ(graph.node(blocks[4].to).name, "layer2.0.relu2");
    ASSERT_EQ(blocks[4].activations.size(), 2u);
    EXPECT_EQ(blocks[4].activations[0].node, "layer2.0.relu1");
    EXPECT_EQ(graph.node(blocks[9].to).name, "layer3.2.relu2");
    const graph::Graph chain = network("vgg-small");
    const auto layers = blocksOf(chain, planned(chain, fourBits()));
    ASSERT_EQ(layers.size(), 6u);
    for (const GraphBlock& layer : layers)
        EXPECT_EQ(layer.activations.size(), 1u);
}

TEST(ActivationPlan, ABlockWhoseActivationsStayInFloatHasNone) {
    const graph::Graph graph = network("resnet20");
    ActivationOptions options = fourBits();
    options.layers = {{"layer1.0.relu1", kFloatBits}, {"layer1.0.relu2", kFloatBits}};
    const auto blocks = blocksOf(graph, planned(graph, options));
    ASSERT_EQ(blocks.size(), 10u);
    EXPECT_TRUE(blocks[1].activations.empty());
    EXPECT_EQ(blocks[2].activations.size(), 2u);
}

TEST(ActivationPlan, ValuesThatAreNoImagesEndNoBlock) {
    graph::Graph graph("tail");
    auto last = graph.add("input", graph::Input{{2, 4, 4}});
    last = graph.add("flatten", graph::Flatten{}, {last});
    last = graph.add("fc1", graph::Linear{32, 8}, {last});
    last = graph.add("relu", graph::Relu{}, {last});
    graph.add("fc2", graph::Linear{8, 3}, {last});
    const auto blocks = blocksOf(graph, planned(graph, fourBits()));
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks[0].to, graph.output());
    EXPECT_EQ(blocks[0].activations.front().node, "relu");
}

TEST(ActivationPlan, BitOperationsCountTheBitsThatALayerReads) {
    QuantizedModel model;
    model.graph = network("resnet18");
    const graph::Counts counts = graph::count(model.graph).value();
    const auto macs = static_cast<double>(counts.macs);
    EXPECT_DOUBLE_EQ(measure(model).bitOps, macs * 32 * 32);
    for (const PlannedActivation& activation : planned(model.graph, fourBits()))
        model.activations[activation.node] = {activation.bits, 1, 0};
    // Weights of 32 bits; activations of 4, but for what the first layer, those after it and the last one
    // read.
    double expected = 0;
    for (std::size_t i = 0; i < counts.nodes.size(); ++i) {
        const std::string& name = model.graph.nodes()[i].name;
        const bool edge = name == "conv1" || name == "layer1.0.conv1" || name == "fc";
        expected += static_cast<double>(counts.nodes[i].macs) * 32 * (edge ? 8 : 4);
    }
    EXPECT_DOUBLE_EQ(measure(model).bitOps, expected);
}

}  // namespace
}  // namespace bitloom::quant
