// The kernel of the Q-SIMD paper inside whole networks. It adds in an order of its own, so its sums are near
// the definition, not equal to it; and a layer that does not suit it runs as k0, which must not pass unseen.
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/network.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

struct PaperCase {
    const char* name;
    const char* arch;  ///< of the zoo, or null for the graph of everything
    int components;
    const char* suffix;  ///< of the kernel's name
    int layers;          ///< that it must run
};
std::ostream& operator<<(std::ostream& out, const PaperCase& c) {
    return out << c.name;
}

class PaperKernelTest : public ::testing::TestWithParam<PaperCase> {
  protected:
    void SetUp() override {
        const PaperCase& c = GetParam();
        m_source = testing::sourceOf(c.arch ? testing::zooGraph(c.arch) : testing::graphOfEverything(),
                                     c.components);
        m_image = testing::randomImage(m_source.graph, 5);
        LoweringOptions options;
        options.exactFamily = Family::PaperCodebook;
        auto model = lower(m_source, options);
        ASSERT_TRUE(model.ok()) << model.error().message;
        m_model = std::move(*model);
    }
    std::vector<float> output(const Dispatch& dispatch, int threads) {
        Network network(m_model, dispatch, threads);
        std::vector<float> values(network.values(m_model.output).size());
        network.run(m_image.data(), values.data());
        return values;
    }
    DeployedNetwork m_source;
    std::vector<float> m_image;
    Model m_model;
};

std::vector<Isa> isasOfThisMachine() {
    std::set<Isa> isas;
    for (const Microkernel& kernel : allMicrokernels())
        if (canRun(kernel.isa)) isas.insert(kernel.isa);
    return {isas.begin(), isas.end()};
}

TEST_P(PaperKernelTest, RunsWhereItIsMeantToAndNowhereElse) {
    for (const Isa isa : isasOfThisMachine()) {
        for (const int threads : {1, 2}) {
            const Network network(m_model, {isa, {}}, threads);
            int ran = 0;
            for (std::size_t step = 0; step < m_model.steps.size(); ++step) {
                const StepInfo info = network.info(step);
                const bool paper = info.kernel.find("_paper") != std::string::npos;
                EXPECT_EQ(paper, info.family == "paper_codebook" && !info.kernel.ends_with("depthwise"))
                    << info.name << ": " << info.kernel << " of " << info.family;
                if (!paper) continue;
                EXPECT_TRUE(info.kernel.ends_with(GetParam().suffix)) << info.name << ": " << info.kernel;
                ++ran;
            }
            EXPECT_EQ(ran, GetParam().layers) << isaName(isa);
        }
    }
}

TEST_P(PaperKernelTest, IsNearTheDefinitionWithEveryInstructionSetAndThreadCount) {
    const auto reference = testing::referenceValues(m_source, m_image);
    const std::vector<double>& expected =
        reference.at(m_model.buffers[static_cast<std::size_t>(m_model.output)].name);
    for (const Isa isa : isasOfThisMachine()) {
        const std::vector<float> alone = output({isa, {}}, 1);
        double error = 0;
        double size = 0;
        ASSERT_EQ(alone.size(), expected.size());
        for (std::size_t i = 0; i < alone.size(); ++i) {
            error += std::pow(static_cast<double>(alone[i]) - expected[i], 2);
            size += std::pow(expected[i], 2);
        }
        EXPECT_LT(std::sqrt(error / size), 1e-5) << isaName(isa);
        for (const int threads : {2, 3})
            EXPECT_EQ(output({isa, {}}, threads), alone) << isaName(isa) << ", " << threads << " threads";
    }
}

// Of everything: "grouped", "wide", "gate", "main" and "last"; "depthwise" has a kernel of its own. Codebooks
// of 40 components have indices of 8 bits, for which the paper has no kernel.
INSTANTIATE_TEST_SUITE_P(All, PaperKernelTest,
                         ::testing::Values(PaperCase{"Everything4Bit", nullptr, 16, "_paper4", 5},
                                           PaperCase{"Everything2Bit", nullptr, 4, "_paper2", 5},
                                           PaperCase{"EverythingOf40Components", nullptr, 40, "", 0},
                                           PaperCase{"ResNet20", "resnet20", 16, "_paper4", 18},
                                           PaperCase{"ResNet20B", "resnet20-b", 4, "_paper2", 20}),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace bitloom::qsimd
