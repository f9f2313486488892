// The CIFAR ResNets of He et al. 2016, section 4.2, with the module names of
// akamaster/pytorch_resnet_cifar10. Nodes that are plain functions there (activations, additions, option-A
// shortcuts) get names beside their modules'.
#include "engine/graph/zoo/families.h"

namespace bitloom::graph::zoo {
namespace {

NodeId addShortcut(Graph& graph, const std::string& block, NodeId input, std::int64_t in, std::int64_t out,
                   std::int64_t stride, Shortcut kind) {
    if (stride == 1 && in == out) return input;
    const std::string name = block + ".shortcut";
    if (kind == Shortcut::A) {
        const NodeId slice = graph.add(name + ".slice", Slice{.stride = {stride, stride}}, {input});
        const std::int64_t before = (out - in) / 2;
        return graph.add(name + ".pad", Pad{.channelsBefore = before, .channelsAfter = out - in - before},
                         {slice});
    }
    const NodeId conv = graph.add(
        name + ".0", Conv2d{.inChannels = in, .outChannels = out, .stride = {stride, stride}}, {input});
    return graph.add(name + ".1", BatchNorm2d{.channels = out}, {conv});
}

NodeId addConv3x3(Graph& graph, const std::string& prefix, const std::string& index, NodeId input,
                  std::int64_t in, std::int64_t out, std::int64_t stride) {
    const Conv2d conv{.inChannels = in,
                      .outChannels = out,
                      .kernel = {3, 3},
                      .stride = {stride, stride},
                      .padding = {1, 1}};
    const NodeId node = graph.add(prefix + "conv" + index, conv, {input});
    return graph.add(prefix + "bn" + index, BatchNorm2d{.channels = out}, {node});
}

NodeId addBlock(Graph& graph, const std::string& block, NodeId input, std::int64_t in, std::int64_t out,
                std::int64_t stride, Shortcut shortcut) {
    NodeId main = addConv3x3(graph, block + ".", "1", input, in, out, stride);
    main = graph.add(block + ".relu1", Relu{}, {main});
    main = addConv3x3(graph, block + ".", "2", main, out, out, 1);
    const NodeId side = addShortcut(graph, block, input, in, out, stride, shortcut);
    const NodeId sum = graph.add(block + ".add", Add{}, {main, side});
    return graph.add(block + ".relu2", Relu{}, {sum});
}

}  // namespace

Graph makeCifarResNet(std::string arch, int blocksPerStage, Shortcut shortcut, const ModelOptions& options) {
    Graph graph(std::move(arch));
    NodeId node = graph.add("input", Input{{3, options.imageSize, options.imageSize}});
    node = addConv3x3(graph, "", "1", node, 3, 16, 1);
    node = graph.add("relu", Relu{}, {node});
    std::int64_t in = 16;
    for (int stage = 1; stage <= 3; ++stage) {
        const std::int64_t out = std::int64_t{16} << (stage - 1);
        for (int index = 0; index < blocksPerStage; ++index) {
            const std::string block = fmt::format("layer{}.{}", stage, index);
            const std::int64_t stride = stage > 1 && index == 0 ? 2 : 1;
            node = addBlock(graph, block, node, in, out, stride, shortcut);
            in = out;
        }
    }
    node = graph.add("avgpool", GlobalAvgPool{}, {node});
    node = graph.add("flatten", Flatten{}, {node});
    graph.add("linear", Linear{.inFeatures = in, .outFeatures = options.classes}, {node});
    return graph;
}

}  // namespace bitloom::graph::zoo
