// Shapes of every op by hand, and an error that names the node for every way a shape or attribute can be
// impossible.
#include <limits>

#include <gmock/gmock.h>

#include "engine/graph/counts.h"
#include "engine/graph/graph.h"

namespace bitloom::graph {
namespace {

using ::testing::HasSubstr;

/// The shape that `op` makes of one input of shape `input`.
Result<Shape> shapeAfter(const Op& op, const Shape& input, int inputs = 1) {
    Graph graph("probe");
    const NodeId source = graph.add("input", Input{input});
    graph.add("probed", op, std::vector<NodeId>(static_cast<std::size_t>(inputs), source));
    auto shapes = inferShapes(graph);
    if (!shapes) return shapes.error();
    return shapes->back();
}

Shape shapeOf(const Op& op, const Shape& input, int inputs = 1) {
    const Result<Shape> shape = shapeAfter(op, input, inputs);
    EXPECT_TRUE(shape.ok()) << (shape.ok() ? "" : shape.error().message);
    return shape.ok() ? *shape : Shape{};
}

std::string errorOf(const Op& op, const Shape& input, int inputs = 1) {
    const Result<Shape> shape = shapeAfter(op, input, inputs);
    EXPECT_FALSE(shape.ok());
    if (shape.ok()) return "";
    EXPECT_THAT(shape.error().message, HasSubstr("'probed'"));
    return shape.error().message;
}

TEST(Shapes, OfConvolutions) {
    const Conv2d same{.inChannels = 3, .outChannels = 7, .kernel = {3, 3}, .padding = {1, 1}};
    EXPECT_EQ(shapeOf(same, {3, 9, 10}), (Shape{7, 9, 10}));
    Conv2d strided = same;
    strided.stride = {2, 3};
    EXPECT_EQ(shapeOf(strided, {3, 9, 10}), (Shape{7, 5, 4}));
    Conv2d dilated = same;
    dilated.dilation = {2, 1};
    dilated.padding = {0, 0};
    EXPECT_EQ(shapeOf(dilated, {3, 9, 10}), (Shape{7, 5, 8}));
    const Conv2d stem{
        .inChannels = 3, .outChannels = 64, .kernel = {7, 7}, .stride = {2, 2}, .padding = {3, 3}};
    EXPECT_EQ(shapeOf(stem, {3, 224, 224}), (Shape{64, 112, 112}));
}

TEST(Shapes, OfPoolsPadAndSlice) {
    EXPECT_EQ(shapeOf(MaxPool2d{}, {4, 9, 8}), (Shape{4, 4, 4}));
    EXPECT_EQ(shapeOf(MaxPool2d{.kernel = {3, 3}, .padding = {1, 1}}, {64, 112, 112}), (Shape{64, 56, 56}));
    EXPECT_EQ(shapeOf(AvgPool2d{.kernel = {3, 2}, .stride = {1, 2}}, {4, 9, 8}), (Shape{4, 7, 4}));
    EXPECT_EQ(shapeOf(GlobalAvgPool{}, {4, 9, 8}), (Shape{4, 1, 1}));
    EXPECT_EQ(shapeOf(Flatten{}, {4, 9, 8}), (Shape{288}));
    EXPECT_EQ(shapeOf(Slice{.stride = {2, 3}}, {4, 9, 8}), (Shape{4, 5, 3}));
    const Pad pad{.channelsBefore = 1, .channelsAfter = 2, .before = {3, 4}, .after = {5, 6}};
    EXPECT_EQ(shapeOf(pad, {4, 9, 8}), (Shape{7, 17, 18}));
}

TEST(Shapes, OfElementwiseAndJoins) {
    for (const Op& op : {Op(Relu{}), Op(Relu6{}), Op(HardSwish{}), Op(HardSigmoid{}), Op(Softmax{})}) {
        EXPECT_EQ(shapeOf(op, {4, 9, 8}), (Shape{4, 9, 8})) << kindName(op);
    }
    EXPECT_EQ(shapeOf(BatchNorm2d{.channels = 4}, {4, 9, 8}), (Shape{4, 9, 8}));
    EXPECT_EQ(shapeOf(Add{}, {4, 9, 8}, 2), (Shape{4, 9, 8}));
    EXPECT_EQ(shapeOf(Mul{}, {4, 9, 8}, 2), (Shape{4, 9, 8}));
    EXPECT_EQ(shapeOf(Concat{}, {4, 9, 8}, 3), (Shape{12, 9, 8}));
}

TEST(Shapes, LetTheSecondFactorBeOnePerChannel) {
    Graph graph("squeeze");
    const NodeId input = graph.add("input", Input{{4, 9, 8}});
    const NodeId pool = graph.add("pool", GlobalAvgPool{}, {input});
    graph.add("scale", Mul{}, {input, pool});
    ASSERT_TRUE(inferShapes(graph).ok());
    EXPECT_EQ(inferShapes(graph)->back(), (Shape{4, 9, 8}));
    Graph swapped("swapped");
    const NodeId image = swapped.add("input", Input{{4, 9, 8}});
    swapped.add("scale", Mul{}, {swapped.add("pool", GlobalAvgPool{}, {image}), image});
    EXPECT_FALSE(inferShapes(swapped).ok());
}

TEST(ShapeErrors, OfConvolutions) {
    const Conv2d conv{.inChannels = 3, .outChannels = 6, .kernel = {3, 3}};
    EXPECT_THAT(errorOf(conv, {4, 8, 8}), HasSubstr("expects 3 channels, its input has 4"));
    EXPECT_THAT(errorOf(conv, {3, 2, 8}), HasSubstr("3x3 window does not fit"));
    Conv2d groups = conv;
    groups.groups = 2;
    EXPECT_THAT(errorOf(groups, {3, 8, 8}), HasSubstr("2 groups, which do not divide"));
    groups.groups = 0;
    EXPECT_THAT(errorOf(groups, {3, 8, 8}), HasSubstr("groups out of range"));
    Conv2d stride = conv;
    stride.stride = {0, 1};
    EXPECT_THAT(errorOf(stride, {3, 8, 8}), HasSubstr("stride"));
    Conv2d padding = conv;
    padding.padding = {-1, 0};
    EXPECT_THAT(errorOf(padding, {3, 8, 8}), HasSubstr("padding"));
    Conv2d huge = conv;
    huge.outChannels = std::int64_t{1} << 40;
    EXPECT_THAT(errorOf(huge, {3, 8, 8}), HasSubstr("out of range"));
}

TEST(ShapeErrors, OfImpossibleSizes) {
    const std::int64_t many = std::int64_t{1} << 24;
    EXPECT_THAT(errorOf(Conv2d{.inChannels = 3, .outChannels = many}, {3, 4096, 4096}),
                HasSubstr("activation"));
    EXPECT_THAT(errorOf(Conv2d{.inChannels = 4096, .outChannels = many}, {4096, 1, 1}), HasSubstr("weight"));
    EXPECT_THAT(errorOf(Flatten{}, {many, 2, 1}), HasSubstr("activation"));
}

TEST(ShapeErrors, OfOtherOps) {
    EXPECT_THAT(errorOf(BatchNorm2d{.channels = 5}, {4, 8, 8}), HasSubstr("expects 5 channels"));
    EXPECT_THAT(errorOf(BatchNorm2d{.channels = 4, .epsilon = -1}, {4, 8, 8}), HasSubstr("epsilon"));
    EXPECT_THAT(errorOf(BatchNorm2d{.channels = 4, .momentum = 2}, {4, 8, 8}), HasSubstr("momentum"));
    EXPECT_THAT(errorOf(Linear{.inFeatures = 4, .outFeatures = 2}, {4, 1, 1}),
                HasSubstr("expects 4 features"));
    EXPECT_THAT(errorOf(MaxPool2d{.padding = {2, 0}}, {4, 8, 8}), HasSubstr("half its kernel"));
    EXPECT_THAT(errorOf(AvgPool2d{.padding = {0, std::numeric_limits<std::int64_t>::max()}}, {4, 8, 8}),
                HasSubstr("half its kernel"));
    EXPECT_THAT(errorOf(AvgPool2d{.kernel = {9, 9}}, {4, 8, 8}), HasSubstr("does not fit"));
    EXPECT_THAT(errorOf(Pad{.channelsBefore = -1}, {4, 8, 8}), HasSubstr("padding out of range"));
    EXPECT_THAT(errorOf(Slice{.stride = {0, 1}}, {4, 8, 8}), HasSubstr("stride out of range"));
}

TEST(ShapeErrors, OfJoins) {
    for (const Op& op : {Op(Add{}), Op(Mul{}), Op(Concat{})}) {
        Graph graph("join");
        const NodeId input = graph.add("input", Input{{4, 9, 8}});
        const NodeId half = graph.add("half", Slice{.stride = {2, 2}}, {input});
        graph.add("join", op, {input, half});
        const auto shapes = inferShapes(graph);
        ASSERT_FALSE(shapes.ok()) << kindName(op);
        EXPECT_THAT(shapes.error().message, HasSubstr("node 'join'"));
        EXPECT_THAT(shapes.error().message, HasSubstr("[4, 5, 4]"));
    }
}

TEST(ShapeErrors, OfOneDimensionalInputs) {
    const auto afterFlatten = [](Op op) {
        Graph graph("flat");
        const NodeId flat = graph.add("flatten", Flatten{}, {graph.add("input", Input{{4, 8, 8}})});
        graph.add("probed", std::move(op), {flat});
        return inferShapes(graph);
    };
    for (const Op& op : {Op(Conv2d{.inChannels = 4, .outChannels = 4}), Op(BatchNorm2d{.channels = 4}),
                         Op(MaxPool2d{}), Op(GlobalAvgPool{}), Op(Pad{}), Op(Slice{})}) {
        const auto shapes = afterFlatten(op);
        ASSERT_FALSE(shapes.ok()) << kindName(op);
        EXPECT_THAT(shapes.error().message, HasSubstr("[channels, height, width]"));
    }
    EXPECT_TRUE(afterFlatten(Relu{}).ok());
}

TEST(ShapeErrors, OfInputs) {
    for (const Shape& shape : {Shape{3, 32}, Shape{3, 0, 32}, Shape{-3, 32, 32}, Shape{}}) {
        Graph graph("bad");
        graph.add("input", Input{shape});
        EXPECT_FALSE(inferShapes(graph).ok()) << toText(shape);
    }
    EXPECT_FALSE(inferShapes(Graph("empty")).ok());
}

TEST(Counts, OfSingleLayers) {
    Graph graph("layers");
    const NodeId input = graph.add("input", Input{{4, 8, 8}});
    const Conv2d op{.inChannels = 4, .outChannels = 6, .kernel = {3, 3}, .groups = 2, .bias = true};
    const NodeId conv = graph.add("conv", op, {input});
    const NodeId norm = graph.add("bn", BatchNorm2d{.channels = 6}, {conv});
    const NodeId flat = graph.add("flatten", Flatten{}, {norm});
    graph.add("fc", Linear{.inFeatures = 216, .outFeatures = 5}, {flat});
    const auto counts = count(graph);
    ASSERT_TRUE(counts.ok());
    const NodeCounts& convolution = counts->nodes[1];
    EXPECT_EQ(convolution.weights, 6 * 2 * 9);
    EXPECT_EQ(convolution.parameters, 6 * 2 * 9 + 6);
    EXPECT_EQ(convolution.macs, 6 * 2 * 9 * 36);
    EXPECT_EQ(counts->nodes[2].parameters, 12);
    EXPECT_EQ(counts->nodes[2].weights, 0);
    EXPECT_EQ(counts->nodes[4].macs, 216 * 5);
    EXPECT_EQ(counts->parameters, 114 + 12 + 216 * 5 + 5);
    EXPECT_EQ(counts->weights, 108 + 1080);
    EXPECT_EQ(counts->macs, 108 * 36 + 1080);
}

TEST(Counts, RefuseAbsurdWork) {
    Graph graph("absurd");
    const NodeId input = graph.add("input", Input{{32, 8192, 8192}});
    const NodeId conv = graph.add(
        "conv", Conv2d{.inChannels = 32, .outChannels = 32, .kernel = {1025, 1025}, .padding = {512, 512}},
        {input});
    EXPECT_EQ(conv, graph.output());
    const auto counts = count(graph);
    ASSERT_FALSE(counts.ok());
    EXPECT_THAT(counts.error().message, HasSubstr("'conv'"));
}

}  // namespace
}  // namespace bitloom::graph
