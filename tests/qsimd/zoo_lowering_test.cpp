// Every network of the zoo becomes a valid plan: each convolution once, memory stated. What the plans
// compute: network_test.cpp.
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "engine/graph/counts.h"
#include "engine/graph/zoo/zoo.h"
#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/network.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

class ZooLoweringTest : public ::testing::TestWithParam<std::string> {
  protected:
    /// ImageNet networks take smaller images than their own: the same layers, in less time.
    static graph::Graph network() {
        const bool large = testing::zooGraph(GetParam()).inputShape().back() > 32;
        return testing::zooGraph(GetParam(), large ? 64 : 0);
    }

    /// Ranges that nothing is known about, for structure alone.
    static LoweringOptions int8(const graph::Graph& graph) {
        LoweringOptions options;
        options.contract = Contract::Int8;
        for (const graph::Node& node : graph.nodes())
            options.activations[node.name].range = {-1, 1};
        return options;
    }

    static void expectPlanOf(const DeployedNetwork& source, const Model& model, Family family) {
        EXPECT_EQ(validate(model), "");
        std::multiset<std::string> expected;
        for (const graph::Node& node : source.graph.nodes()) {
            if (std::holds_alternative<graph::Conv2d>(node.op) ||
                std::holds_alternative<graph::Linear>(node.op))
                expected.insert(node.name);
        }
        std::multiset<std::string> covered;
        for (const Step& step : model.steps) {
            const auto* convolution = std::get_if<Convolution>(&step);
            if (convolution == nullptr) continue;
            covered.insert(convolution->layer);
            const bool quantized = source.quantized.contains(convolution->layer);
            EXPECT_EQ(convolution->family, quantized || family == Family::K2 ? family : Family::TunedFp32)
                << convolution->layer;
        }
        EXPECT_EQ(covered, expected);
        expectMemoryOf(source, model, family);
    }

    static void expectMemoryOf(const DeployedNetwork& source, const Model& model, Family family) {
        std::uint64_t largest = 0;
        std::uint64_t sum = 0;
        for (const Buffer& buffer : model.buffers) {
            largest = std::max(largest, bufferBytes(buffer));
            sum += bufferBytes(buffer);
        }
        EXPECT_GE(model.arenaBytes, largest);
        EXPECT_LT(model.arenaBytes, sum) << "memory is used again";
        const Network network(model, {}, 1);
        std::uint64_t prepared = 0;
        std::int64_t macs = 0;
        for (std::size_t step = 0; step < model.steps.size(); ++step) {
            prepared += network.info(step).preparedBytes;
            macs += network.info(step).macs;
        }
        EXPECT_GE(network.peakBytes(), model.arenaBytes + prepared);
        EXPECT_LE(network.peakBytes(), model.arenaBytes + prepared + (16u << 20)) << "the rest is scratch";
        EXPECT_EQ(macs, graph::count(source.graph).value().macs) << familyName(family);
    }
};

TEST_P(ZooLoweringTest, EveryConvolutionIsCoveredAndMemoryIsStated) {
    const DeployedNetwork source = testing::sourceOf(network(), 16);
    for (const Family family : {Family::K0, Family::K2}) {
        LoweringOptions options = family == Family::K2 ? int8(source.graph) : LoweringOptions();
        if (family != Family::K2) options.exactFamily = family;
        const auto model = lower(source, options);
        ASSERT_TRUE(model.ok()) << model.error().message;
        expectPlanOf(source, *model, family);
    }
}

INSTANTIATE_TEST_SUITE_P(All, ZooLoweringTest,
                         ::testing::ValuesIn(graph::zoo::modelNames().begin(),
                                             graph::zoo::modelNames().end()),
                         [](const auto& instance) {
                             std::string name = instance.param;
                             std::erase(name, '-');
                             return name;
                         });

}  // namespace
}  // namespace bitloom::qsimd
