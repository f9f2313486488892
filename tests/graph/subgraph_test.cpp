// A part of a network as a network.
#include "engine/graph/subgraph.h"

#include <gmock/gmock.h>

#include "engine/graph/zoo/zoo.h"

namespace bitloom::graph {
namespace {

using ::testing::HasSubstr;

NodeId idOf(const Graph& graph, const std::string& name) {
    const auto id = graph.find(name);
    EXPECT_TRUE(id) << name;
    return id.value_or(NodeId{0});
}

TEST(Subgraph, KeepsNamesShapesAndParametersOfABlock) {
    const Graph whole = *zoo::makeModel("resnet20");
    const auto part = subgraph(whole, idOf(whole, "layer1.2.relu2"), idOf(whole, "layer2.0.relu2"));
    ASSERT_TRUE(part.ok()) << part.error().message;
    EXPECT_EQ(part->nodes().front().name, "layer1.2.relu2");
    EXPECT_EQ(part->inputShape(), (Shape{16, 32, 32}));
    EXPECT_EQ(part->node(part->output()).name, "layer2.0.relu2");
    EXPECT_EQ(inferShapes(*part)->back(), (Shape{32, 16, 16}));
    for (const ParameterSpec& spec : part->parameters())
        EXPECT_TRUE(spec.name.starts_with("layer2.0.")) << spec.name;
    EXPECT_EQ(part->parameters().size(), 12u);
}

TEST(Subgraph, WholeIsItself) {
    const Graph whole = *zoo::makeModel("resnet20");
    EXPECT_EQ(*subgraph(whole, {0}, whole.output()), whole);
}

TEST(Subgraph, APartThatReadsWhatIsBeforeItIsRefused) {
    const Graph whole = *zoo::makeModel("resnet20");
    const auto part = subgraph(whole, idOf(whole, "layer1.0.relu1"), idOf(whole, "layer1.0.relu2"));
    ASSERT_FALSE(part.ok());
    EXPECT_THAT(part.error().message, HasSubstr("layer1.0.add reads relu, which is before layer1.0.relu1"));
    const auto flat = subgraph(whole, idOf(whole, "flatten"), whole.output());
    ASSERT_FALSE(flat.ok());
    EXPECT_THAT(flat.error().message, HasSubstr("no image"));
}

}  // namespace
}  // namespace bitloom::graph
