// The zoo against published parameter and multiply-accumulate counts, closed forms, and checkpoint key names.
#include "engine/graph/zoo/zoo.h"

#include <set>

#include <gmock/gmock.h>

#include "engine/graph/counts.h"

namespace bitloom::graph::zoo {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

Graph model(std::string_view arch, const ModelOptions& options = {}) {
    Result<Graph> graph = makeModel(arch, options);
    EXPECT_TRUE(graph.ok()) << (graph.ok() ? "" : graph.error().message);
    return std::move(graph).value();
}

Counts countsOf(std::string_view arch, const ModelOptions& options = {}) {
    Result<Counts> counts = count(model(arch, options));
    EXPECT_TRUE(counts.ok());
    return std::move(counts).value();
}

std::set<std::string> parameterNames(const Graph& graph) {
    std::set<std::string> names;
    for (const ParameterSpec& spec : graph.parameters())
        names.insert(spec.name);
    return names;
}

struct Published {
    const char* arch;
    std::int64_t parameters;
    std::int64_t macs;
};

class PublishedCounts : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedCounts, AreMet) {
    const Counts counts = countsOf(GetParam().arch);
    EXPECT_EQ(counts.parameters, GetParam().parameters);
    EXPECT_EQ(counts.macs, GetParam().macs);
}

// Parameters of ResNet-18/34/50: torchvision. The multiply-accumulates of all are sums of the layers' closed
// forms; they round to the published 1.81, 3.66 and 4.09 G. CIFAR ResNets: He et al. 2016, table 6 (0.27,
// 0.46, 0.66, 0.85 M).
INSTANTIATE_TEST_SUITE_P(Zoo, PublishedCounts,
                         ::testing::Values(Published{"resnet18", 11'689'512, 1'814'073'344},
                                           Published{"resnet34", 21'797'672, 3'663'761'408},
                                           Published{"resnet50", 25'557'032, 4'089'184'256},
                                           Published{"resnet20", 269'722, 40'551'040},
                                           Published{"resnet32", 464'154, 68'862'592},
                                           Published{"resnet44", 658'586, 97'174'144},
                                           Published{"resnet56", 853'018, 125'485'696}),
                         [](const auto& test) { return std::string(test.param.arch); });

/// Weights of a CIFAR ResNet with n blocks a stage: stem, then per stage its 3x3 convolutions, then the
/// linear layer.
std::int64_t cifarWeights(std::int64_t n) {
    std::int64_t weights = 3 * 16 * 9 + 64 * 10;
    std::int64_t in = 16;
    for (const std::int64_t width : {16, 32, 64}) {
        weights += 9 * (in * width + (2 * n - 1) * width * width);
        in = width;
    }
    return weights;
}

TEST(Zoo, CifarResNetsMatchTheClosedForm) {
    for (const std::int64_t n : {3, 5, 7, 9}) {
        const std::string arch = "resnet" + std::to_string(6 * n + 2);
        const std::int64_t norms = 2 * (16 + 2 * n * (16 + 32 + 64));
        const Counts optionA = countsOf(arch);
        EXPECT_EQ(optionA.weights, cifarWeights(n)) << arch;
        EXPECT_EQ(optionA.parameters, cifarWeights(n) + norms + 10) << arch;
        const Counts optionB = countsOf(arch + "-b");
        const std::int64_t shortcuts = 16L * 32 + 32L * 64;
        EXPECT_EQ(optionB.weights, optionA.weights + shortcuts) << arch;
        EXPECT_EQ(optionB.parameters, optionA.parameters + shortcuts + 2L * (32 + 64)) << arch;
        EXPECT_EQ(optionB.macs, optionA.macs + 16L * 32 * 16 * 16 + 32L * 64 * 8 * 8) << arch;
    }
}

TEST(Zoo, VggSmallMatchesTheClosedForm) {
    const std::int64_t convolutions =
        9L * (3 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512);
    const std::int64_t linear = 512L * 4 * 4 * 10;
    const Counts counts = countsOf("vgg-small");
    EXPECT_EQ(counts.weights, convolutions + linear);
    EXPECT_EQ(counts.parameters, convolutions + linear + 10 + 4L * (128 + 256 + 512));
    const std::int64_t macs =
        9L * ((3 * 128 + 128 * 128) * 1024 + (128 * 256 + 256 * 256) * 256 + (256 * 512 + 512 * 512) * 64);
    EXPECT_EQ(counts.macs, macs + linear);
}

TEST(Zoo, NamesFollowThePublicCifarCheckpoints) {
    EXPECT_THAT(parameterNames(model("resnet20")),
                IsSupersetOf({"conv1.weight", "bn1.num_batches_tracked", "layer1.0.conv1.weight",
                              "layer1.0.bn1.running_mean", "layer2.0.conv1.weight", "layer3.2.conv2.weight",
                              "layer3.2.bn2.bias", "linear.weight", "linear.bias"}));
    EXPECT_THAT(parameterNames(model("resnet20")), SizeIs(19 + 19 * 5 + 2));
    EXPECT_THAT(parameterNames(model("resnet20-b")),
                IsSupersetOf({"layer2.0.shortcut.0.weight", "layer2.0.shortcut.1.running_var",
                              "layer3.0.shortcut.0.weight", "layer3.0.shortcut.1.bias"}));
    const Graph optionA = model("resnet20");
    EXPECT_TRUE(optionA.find("layer2.0.shortcut.slice").has_value());
    EXPECT_TRUE(optionA.find("layer3.0.shortcut.pad").has_value());
    EXPECT_FALSE(optionA.find("layer1.0.shortcut.slice").has_value());
}

TEST(Zoo, NamesFollowTorchvision) {
    EXPECT_THAT(
        parameterNames(model("resnet50")),
        IsSupersetOf({"conv1.weight", "bn1.weight", "layer1.0.conv3.weight", "layer1.0.bn3.running_mean",
                      "layer1.0.downsample.0.weight", "layer1.0.downsample.1.running_var",
                      "layer4.2.conv2.weight", "fc.weight", "fc.bias"}));
    EXPECT_THAT(parameterNames(model("resnet50")), SizeIs(53 + 53 * 5 + 2));
    EXPECT_THAT(parameterNames(model("resnet18")), SizeIs(20 + 20 * 5 + 2));
    EXPECT_FALSE(model("resnet18").find("layer1.0.downsample.0").has_value());
    EXPECT_TRUE(model("resnet18").find("layer2.0.downsample.0").has_value());
}

TEST(Zoo, NamesOfVggSmallAreThoseOfASequential) {
    EXPECT_THAT(
        parameterNames(model("vgg-small")),
        IsSupersetOf({"features.0.weight", "features.1.running_mean", "features.3.weight",
                      "features.7.weight", "features.17.weight", "features.18.bias", "classifier.weight"}));
}

TEST(Zoo, BottlenecksStrideOnTheirMiddleConvolution) {
    const Graph graph = model("resnet50");
    EXPECT_EQ(std::get<Conv2d>(graph.node(*graph.find("layer2.0.conv1")).op).stride, (Size2{1, 1}));
    EXPECT_EQ(std::get<Conv2d>(graph.node(*graph.find("layer2.0.conv2")).op).stride, (Size2{2, 2}));
}

TEST(Zoo, OptionAShortcutPadsChannelsEvenly) {
    const Graph graph = model("resnet20");
    const Pad& pad = std::get<Pad>(graph.node(*graph.find("layer2.0.shortcut.pad")).op);
    EXPECT_EQ(pad.channelsBefore, 8);
    EXPECT_EQ(pad.channelsAfter, 8);
}

TEST(Zoo, TakesClassesAndImageSize) {
    for (const std::string& arch : modelNames()) {
        const Graph graph = model(arch, {.classes = 7, .imageSize = 64});
        const auto shapes = inferShapes(graph);
        ASSERT_TRUE(shapes.ok()) << arch;
        EXPECT_EQ(shapes->back(), Shape{7}) << arch;
        EXPECT_EQ(graph.inputShape(), (Shape{3, 64, 64})) << arch;
        EXPECT_EQ(graph.arch(), arch);
    }
}

TEST(ZooErrors, NameTheNearestNetwork) {
    const auto graph = makeModel("resnet-20");
    ASSERT_FALSE(graph.ok());
    EXPECT_EQ(graph.error().kind, ErrorKind::Usage);
    EXPECT_THAT(graph.error().message, HasSubstr("did you mean 'resnet20'"));
    EXPECT_THAT(graph.error().message, HasSubstr("vgg-small"));
}

TEST(ZooErrors, NameTheOptionThatIsOutOfRange) {
    EXPECT_THAT(makeModel("resnet20", {.classes = -1}).error().message, HasSubstr("-1 classes"));
    EXPECT_THAT(makeModel("resnet20", {.imageSize = 100'000}).error().message, HasSubstr("100000 pixels"));
    const auto small = makeModel("vgg-small", {.imageSize = 4});
    ASSERT_FALSE(small.ok());
    EXPECT_EQ(small.error().kind, ErrorKind::Usage);
    EXPECT_THAT(small.error().message, HasSubstr("features.20"));
}

}  // namespace
}  // namespace bitloom::graph::zoo
