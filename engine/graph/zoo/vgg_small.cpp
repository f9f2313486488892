// VGG-Small of the low-bit literature (Zhang et al. 2018, LQ-Nets; Lu et al. 2023): six 3x3 convolutions with
// batch norm, a max pool after every second one, one linear layer. Names are those of a plain nn.Sequential.
#include "engine/graph/zoo/families.h"

namespace bitloom::graph::zoo {

Graph makeVggSmall(std::string arch, const ModelOptions& options) {
    Graph graph(std::move(arch));
    NodeId node = graph.add("input", Input{{3, options.imageSize, options.imageSize}});
    int index = 0;
    const auto add = [&](Op op) {
        node = graph.add(fmt::format("features.{}", index++), std::move(op), {node});
    };
    std::int64_t in = 3;
    for (const std::int64_t out : {128, 256, 512}) {
        for (int repeat = 0; repeat < 2; ++repeat) {
            add(Conv2d{.inChannels = in, .outChannels = out, .kernel = {3, 3}, .padding = {1, 1}});
            add(BatchNorm2d{.channels = out});
            add(Relu{});
            in = out;
        }
        add(MaxPool2d{});
    }
    node = graph.add("flatten", Flatten{}, {node});
    const std::int64_t side = options.imageSize / 8;
    graph.add("classifier", Linear{.inFeatures = in * side * side, .outFeatures = options.classes}, {node});
    return graph;
}

}  // namespace bitloom::graph::zoo
