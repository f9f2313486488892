// JSON round trips, and a message for every way a file can lie.
#include "engine/graph/graph_json.h"

#include <gmock/gmock.h>

#include "engine/graph/zoo/zoo.h"

namespace bitloom::graph {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kInput = R"({"name":"in","op":"Input","inputs":[],"shape":[3,8,8]})";
constexpr const char* kConv =
    R"({"name":"conv","op":"Conv2d","inputs":["in"],"in_channels":3,"out_channels":4,)"
    R"("kernel":[3,3],"stride":[1,1],"padding":[1,1],"dilation":[1,1],"groups":1,)"
    R"("bias":false})";

std::string documentOf(const std::string& nodes) {
    return R"({"format":"bitloom-graph","version":1,"arch":"probe","nodes":[)" + nodes + "]}";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

std::string errorOf(const std::string& json) {
    const Result<Graph> graph = fromJson(json);
    EXPECT_FALSE(graph.ok()) << json;
    return graph.ok() ? "" : graph.error().message;
}

/// The error of input plus convolution, with a piece of the convolution's text replaced.
std::string convError(const std::string& from, const std::string& to) {
    return errorOf(documentOf(std::string(kInput) + "," + replaced(kConv, from, to)));
}

class ZooRoundTrip : public ::testing::TestWithParam<std::string> {};

TEST_P(ZooRoundTrip, KeepsEveryNode) {
    const Result<Graph> graph = zoo::makeModel(GetParam());
    ASSERT_TRUE(graph.ok());
    const Result<Graph> again = fromJson(toJson(*graph));
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_TRUE(*again == *graph);
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooRoundTrip,
                         ::testing::ValuesIn(zoo::modelNames().begin(), zoo::modelNames().end()),
                         [](const auto& test) {
                             std::string name = test.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

TEST(GraphJson, KeepsEveryAttributeOfEveryOp) {
    Graph graph("all \"ops\"");
    const NodeId input = graph.add("input", Input{{4, 16, 16}});
    const Conv2d conv{4, 8, {3, 5}, {2, 1}, {1, 2}, {1, 1}, 2, true};
    NodeId node = graph.add("conv", conv, {input});
    node = graph.add("bn", BatchNorm2d{8, 1e-3, 0.05}, {node});
    node = graph.add("relu", Relu{}, {node});
    node = graph.add("relu6", Relu6{}, {node});
    node = graph.add("hswish", HardSwish{}, {node});
    node = graph.add("hsigmoid", HardSigmoid{}, {node});
    node = graph.add("max", MaxPool2d{{3, 2}, {1, 2}, {1, 0}}, {node});
    node = graph.add("avg", AvgPool2d{{2, 3}, {2, 1}, {0, 1}}, {node});
    node = graph.add("pad", Pad{1, 2, {3, 4}, {5, 6}}, {node});
    node = graph.add("slice", Slice{{2, 3}}, {node});
    node = graph.add("add", Add{}, {node, node});
    node = graph.add("mul", Mul{}, {node, graph.add("gap", GlobalAvgPool{}, {node})});
    node = graph.add("concat", Concat{}, {node, node, node});
    node = graph.add("flatten", Flatten{}, {node});
    const auto shapes = inferShapes(graph);
    ASSERT_TRUE(shapes.ok()) << shapes.error().message;
    node = graph.add("fc", Linear{shapes->back()[0], 5, false}, {node});
    graph.add("softmax", Softmax{}, {node});
    const Result<Graph> again = fromJson(toJson(graph));
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_TRUE(*again == graph);
}

TEST(GraphJson, AcceptsTheHandWrittenProbe) {
    const auto graph = fromJson(documentOf(std::string(kInput) + "," + kConv));
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    EXPECT_EQ(graph->nodes().size(), 2u);
    EXPECT_EQ(graph->arch(), "probe");
}

TEST(GraphJsonErrors, OfTheDocument) {
    EXPECT_THAT(errorOf(""), HasSubstr("not valid JSON"));
    EXPECT_THAT(errorOf("{\"format\":"), HasSubstr("not valid JSON"));
    EXPECT_THAT(errorOf("\xff\xfe" + std::string(1, '\0')), HasSubstr("not valid JSON"));
    EXPECT_THAT(errorOf("[]"), HasSubstr("not a graph of Bitloom"));
    EXPECT_THAT(errorOf(R"({"format":"other"})"), HasSubstr("not a graph of Bitloom"));
    EXPECT_THAT(errorOf(replaced(documentOf(kInput), "\"version\":1", "\"version\":2")),
                HasSubstr("version 2"));
    EXPECT_THAT(errorOf(replaced(documentOf(kInput), "\"version\":1,", "")), HasSubstr("version unknown"));
    EXPECT_THAT(errorOf(replaced(documentOf(kInput), "\"arch\":\"probe\",", "")), HasSubstr("no \"arch\""));
    EXPECT_THAT(errorOf(documentOf("")), HasSubstr("has no nodes"));
}

TEST(GraphJsonErrors, OfDeepNesting) {
    const std::string deep(200'000, '[');
    EXPECT_THAT(errorOf(deep), HasSubstr("not valid JSON"));
    EXPECT_THAT(errorOf(deep + std::string(deep.size(), ']')), HasSubstr("not a graph"));
}

TEST(GraphJsonErrors, OfDeepNestingWhereAMessageMightShowIt) {
    const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
    EXPECT_THAT(convError(R"(["in"])", "[" + deep + "]"), HasSubstr("'conv' has an input of type array"));
    EXPECT_THAT(errorOf(replaced(documentOf(kInput), "\"version\":1", "\"version\":" + deep)),
                HasSubstr("version unknown"));
}

/// Quadratic time would take minutes.
TEST(GraphJsonErrors, OfManyKeys) {
    std::string keys;
    for (int i = 0; i < 400'000; ++i)
        keys += "\"" + std::to_string(i) + "\":0,";
    EXPECT_THAT(convError(R"("groups":1)", keys + R"("groups":1)"), HasSubstr("unknown attribute"));
}

TEST(GraphJsonErrors, OfTooManyBytes) {
    EXPECT_THAT(errorOf(std::string(9u << 20, ' ')), HasSubstr("too large"));
}

TEST(GraphJsonErrors, OfTooManyNodes) {
    std::string nodes = kInput;
    for (int i = 0; i < 10'000; ++i)
        nodes += ",0";
    EXPECT_THAT(errorOf(documentOf(nodes)), HasSubstr("10001 nodes"));
}

TEST(GraphJsonErrors, OfNames) {
    EXPECT_THAT(errorOf(documentOf("7")), HasSubstr("node 0 has no usable \"name\""));
    EXPECT_THAT(convError(R"("name":"conv",)", ""), HasSubstr("node 1 has no usable \"name\""));
    EXPECT_THAT(convError(R"("conv")", "\"\""), HasSubstr("node 1 has no usable \"name\""));
    EXPECT_THAT(convError(R"("conv")", '"' + std::string(2'000, 'x') + '"'), HasSubstr("no usable \"name\""));
    EXPECT_THAT(convError(R"("conv")", R"("in")"), HasSubstr("two nodes are named 'in'"));
}

TEST(GraphJsonErrors, OfOps) {
    EXPECT_THAT(convError(R"("op":"Conv2d",)", ""), AllOf(HasSubstr("'conv'"), HasSubstr("no \"op\"")));
    EXPECT_THAT(convError("Conv2d", "Conv3d"), AllOf(HasSubstr("'conv'"), HasSubstr("unknown op 'Conv3d'"),
                                                     HasSubstr("did you mean 'Conv2d'")));
}

TEST(GraphJsonErrors, OfInputs) {
    EXPECT_THAT(convError(R"("inputs":["in"],)", ""), HasSubstr("no list of \"inputs\""));
    EXPECT_THAT(convError(R"(["in"])", R"("in")"), HasSubstr("no list of \"inputs\""));
    EXPECT_THAT(convError(R"(["in"])", R"(["conv"])"), HasSubstr("takes the input \"conv\""));
    EXPECT_THAT(convError(R"(["in"])", R"([0])"), HasSubstr("'conv' has an input of type number"));
    EXPECT_THAT(convError(R"(["in"])", R"(["in","in"])"), HasSubstr("has 2 inputs, needs 1"));
    EXPECT_THAT(convError(R"(["in"])", R"([])"), HasSubstr("has 0 inputs, needs 1"));
    EXPECT_THAT(errorOf(documentOf(kConv)), HasSubstr("'conv' is out of place"));
    EXPECT_THAT(errorOf(documentOf(std::string(kInput) + "," + replaced(kInput, "\"in\"", "\"in2\""))),
                HasSubstr("'in2' is out of place"));
    EXPECT_THAT(errorOf(documentOf(R"({"name":"r","op":"Relu","inputs":[]})")),
                HasSubstr("'r' is out of place"));
}

TEST(GraphJsonErrors, OfAttributes) {
    EXPECT_THAT(convError(R"("groups":1,)", ""), HasSubstr("missing or malformed \"groups\""));
    EXPECT_THAT(convError(R"("groups":1)", R"("groups":1.5)"), HasSubstr("malformed \"groups\""));
    EXPECT_THAT(convError(R"("groups":1)", R"("groups":18446744073709551615)"),
                HasSubstr("malformed \"groups\""));
    EXPECT_THAT(convError(R"("groups":1)", R"("groups":-1)"), HasSubstr("out of range"));
    EXPECT_THAT(convError(R"("groups":1)", R"("groups":9223372036854775807)"), HasSubstr("out of range"));
    EXPECT_THAT(convError(R"("kernel":[3,3])", R"("kernel":[3])"), HasSubstr("malformed \"kernel\""));
    EXPECT_THAT(convError(R"("kernel":[3,3])", R"("kernel":3)"), HasSubstr("malformed \"kernel\""));
    EXPECT_THAT(convError(R"("bias":false)", R"("bias":0)"), HasSubstr("malformed \"bias\""));
    EXPECT_THAT(convError(R"("groups":1)", R"("groups":1,"group":2)"),
                HasSubstr("unknown attribute \"group\""));
    EXPECT_THAT(errorOf(documentOf(replaced(kInput, "[3,8,8]", "[3,8,8,8,8,8,8,8,8]"))),
                HasSubstr("\"shape\""));
    EXPECT_THAT(errorOf(documentOf(replaced(kInput, "[3,8,8]", "[3,8,\"8\"]"))), HasSubstr("\"shape\""));
}

TEST(GraphJsonErrors, OfShapesThatDoNotFit) {
    EXPECT_THAT(convError(R"("in_channels":3)", R"("in_channels":5)"), HasSubstr("expects 5 channels"));
    EXPECT_THAT(errorOf(documentOf(replaced(kInput, "[3,8,8]", "[16777216,16777216,16777216]"))),
                HasSubstr("activation"));
}

}  // namespace
}  // namespace bitloom::graph
