// The papers' tables, row by row, from the networks of the zoo.
#include "engine/quant/table_figures.h"

#include <gtest/gtest.h>

#include "engine/graph/counts.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/quant/activation/activation_plan.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::quant {
namespace {

graph::Graph resnet18() {
    auto graph = graph::zoo::makeModel("resnet18");
    EXPECT_TRUE(graph.ok());
    return std::move(graph).value();
}

TEST(TableFigures, SdqsRowsOfResnet18) {
    // Huang et al., ICML 2022: weight bits, activation bits, WCR, model size in MB, BitOPs in G.
    const graph::Graph graph = resnet18();
    const auto rows = {std::pair{8, 62.6}, std::pair{4, 31.3}, std::pair{3, 23.5}, std::pair{2, 15.7}};
    for (const auto& [activationBits, giga] : rows) {
        const auto figures = tableFigures(graph, 3.61, activationBits);
        ASSERT_TRUE(figures.ok()) << figures.error().message;
        // The rows scale the tabled 34.7, the network's sum is 34.71.
        EXPECT_NEAR(figures->bitOps / 1e9, giga, 0.05 + giga * 0.01 / 34.7) << activationBits;
        EXPECT_NEAR(figures->weightCompression, 8.9, 0.05);
        EXPECT_NEAR(figures->bytes / 1e6, 5.2, 0.1);
    }
    EXPECT_NEAR(tableFigures(graph, 4, 4)->bitOps / 1e9, 34.7, 0.05);
    EXPECT_NEAR(tableFigures(graph, 1.93, 32)->weightCompression, 16.6, 0.05) << "its ResNet-20";
}

TEST(TableFigures, AgreeWithTheSumOverLayersWhereTheBitsAreThose) {
    QuantizedModel model;
    model.graph = resnet18();
    const graph::Counts counts = graph::count(model.graph).value();
    std::vector<std::size_t> layers;
    for (std::size_t i = 0; i < counts.nodes.size(); ++i) {
        if (counts.nodes[i].weights > 0) layers.push_back(i);
    }
    for (const std::size_t i : layers) {
        const int bits = i == layers.front() || i == layers.back() ? 8 : 4;
        QuantizedTensor& tensor = model.layers[model.graph.nodes()[i].name];
        tensor.components = 1 << bits;
        tensor.codebook.resize(std::size_t{1} << bits);
        const graph::NodeId read = activationOf(model.graph, {static_cast<std::int32_t>(i)});
        model.activations[model.graph.node(read).name].bits = bits;
    }
    EXPECT_NEAR(measure(model).bitOps, tableFigures(model.graph, 4, 4)->bitOps, 1);
    EXPECT_NEAR(measure(model).bitOps / 1e9, 34.71, 0.005);
}

TEST(TableFigures, LayersOutsideTheAverageCountInNoMeanAndWholeElsewhere) {
    graph::Graph graph("net");
    auto last = graph.add("input", graph::Input{{1, 2, 2}});
    last = graph.add("conv1", graph::Conv2d{.inChannels = 1, .outChannels = 2}, {last});
    last = graph.add("conv2", graph::Conv2d{.inChannels = 2, .outChannels = 2}, {last});
    QuantizedModel model;
    model.graph = graph;
    model.layers["conv1"] = {{2, 1, 1, 1}, 1, 256, std::vector<float>(256, 0), {0, 1}};
    model.layers["conv2"] = {{2, 2, 1, 1}, 1, 4, {0, 1, 2, 3}, {0, 1, 2, 3}};
    const ModelMetrics all = measure(model);
    EXPECT_DOUBLE_EQ(all.bits, (2 * 8 + 4 * 2) / 6.0);
    model.outsideAverage = {"conv1"};
    const ModelMetrics inside = measure(model);
    EXPECT_DOUBLE_EQ(inside.bits, 2);
    EXPECT_DOUBLE_EQ(inside.sparsity, 1 / 4.0);
    EXPECT_DOUBLE_EQ(inside.compressionRate, 32 * 4 / (2.0 * 3));
    EXPECT_EQ(inside.nonzeroParameters, 3) << "of all layers: conv1 has zeros alone";
    EXPECT_EQ(inside.nonzeroParameters, all.nonzeroParameters);
    EXPECT_EQ(inside.bitOps, 4 * (2 * 8 + 4 * 2) * 32.0);
    EXPECT_EQ(inside.bitOps, all.bitOps);
    EXPECT_EQ(inside.fp32Bytes, 4 * 6);
    model.outsideAverage.insert("conv2");
    EXPECT_DOUBLE_EQ(measure(model).bits, 32) << "nothing is left to take the mean of";
}

}  // namespace
}  // namespace bitloom::quant
