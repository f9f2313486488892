// ResNet-18, -34 and -50 of He et al. 2016 with torchvision's module names. The bottleneck carries its stride
// on the 3x3 convolution, as torchvision does ("v1.5"), which decides its multiply-accumulate count.
#include "engine/graph/zoo/families.h"

namespace bitloom::graph::zoo {
namespace {

struct BlockPlan {
    std::string name;  ///< "layer2.0"
    std::int64_t in;
    std::int64_t width;
    std::int64_t out;
    std::int64_t stride;
};

NodeId addConv(Graph& graph, const std::string& conv, const std::string& norm, NodeId input, std::int64_t in,
               std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    const Conv2d op{.inChannels = in,
                    .outChannels = out,
                    .kernel = {kernel, kernel},
                    .stride = {stride, stride},
                    .padding = {kernel / 2, kernel / 2}};
    return graph.add(norm, BatchNorm2d{.channels = out}, {graph.add(conv, op, {input})});
}

NodeId addBlock(Graph& graph, Block kind, const BlockPlan& plan, NodeId input) {
    const auto addLayer = [&](int index, NodeId from, std::int64_t in, std::int64_t out, std::int64_t kernel,
                              std::int64_t stride) {
        return addConv(graph, fmt::format("{}.conv{}", plan.name, index),
                       fmt::format("{}.bn{}", plan.name, index), from, in, out, kernel, stride);
    };
    const auto addRelu = [&](int index, NodeId from) {
        return graph.add(fmt::format("{}.relu{}", plan.name, index), Relu{}, {from});
    };
    NodeId main = input;
    int layers = 2;
    if (kind == Block::Basic) {
        main = addRelu(1, addLayer(1, main, plan.in, plan.width, 3, plan.stride));
        main = addLayer(2, main, plan.width, plan.out, 3, 1);
    } else {
        layers = 3;
        main = addRelu(1, addLayer(1, main, plan.in, plan.width, 1, 1));
        main = addRelu(2, addLayer(2, main, plan.width, plan.width, 3, plan.stride));
        main = addLayer(3, main, plan.width, plan.out, 1, 1);
    }
    NodeId side = input;
    if (plan.stride != 1 || plan.in != plan.out) {
        const std::string name = plan.name + ".downsample";
        side = addConv(graph, name + ".0", name + ".1", input, plan.in, plan.out, 1, plan.stride);
    }
    return addRelu(layers, graph.add(plan.name + ".add", Add{}, {main, side}));
}

}  // namespace

Graph makeImageNetResNet(std::string arch, Block block, const std::array<int, 4>& blocks,
                         const ModelOptions& options) {
    Graph graph(std::move(arch));
    NodeId node = graph.add("input", Input{{3, options.imageSize, options.imageSize}});
    node = addConv(graph, "conv1", "bn1", node, 3, 64, 7, 2);
    node = graph.add("relu", Relu{}, {node});
    node = graph.add("maxpool", MaxPool2d{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}, {node});
    std::int64_t in = 64;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
        const std::int64_t width = std::int64_t{64} << stage;
        const std::int64_t out = block == Block::Basic ? width : 4 * width;
        for (int index = 0; index < blocks[stage]; ++index) {
            const std::int64_t stride = stage > 0 && index == 0 ? 2 : 1;
            node = addBlock(graph, block,
                            {fmt::format("layer{}.{}", stage + 1, index), in, width, out, stride}, node);
            in = out;
        }
    }
    node = graph.add("avgpool", GlobalAvgPool{}, {node});
    node = graph.add("flatten", Flatten{}, {node});
    graph.add("fc", Linear{.inFeatures = in, .outFeatures = options.classes}, {node});
    return graph;
}

}  // namespace bitloom::graph::zoo
