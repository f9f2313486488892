// Layers that start with a given mixture instead of k-means: the codebook is that mixture's, as it is or as
// wide as the weights; which methods and options that goes with.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/base/random.h"
#include "engine/quant/dgms/components.h"
#include "engine/quant/dgms/dgms_init.h"
#include "engine/quant/method_names.h"
#include "engine/quant/registry.h"
#include "engine/report/mixture.h"

namespace bitloom::quant {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(MixtureScale, IsTheRatioOfTheDeviations) {
    const std::vector<float> values{-3, -1, 1, 3};
    EXPECT_DOUBLE_EQ(dgms::deviationOf(values), std::sqrt(20.0 / 3));
    const MixtureStart start{{0, 1}, {0.1, 0.2}, {0.5, 0.5}, 2 * std::sqrt(20.0 / 3)};
    const auto scale = dgms::transferScale(start, values);
    ASSERT_TRUE(scale.ok()) << scale.error().message;
    EXPECT_DOUBLE_EQ(*scale, 0.5);
}

TEST(MixtureScale, NeedsWeightsThatDiffer) {
    const MixtureStart start{{0, 1}, {0.1, 0.2}, {0.5, 0.5}, 1};
    const std::vector<float> equal(9, 0.25F);
    const auto constant = dgms::transferScale(start, equal);
    ASSERT_FALSE(constant.ok());
    EXPECT_EQ(constant.error().kind, ErrorKind::Usage);
    EXPECT_THAT(constant.error().message,
                AllOf(HasSubstr("its weights are all equal"), HasSubstr("quantizer.transfer_scale = false")));
    const MixtureStart ofEqual{{0, 1}, {0.1, 0.2}, {0.5, 0.5}, 0};
    const std::vector<float> values{-1, 1};
    EXPECT_THAT(dgms::transferScale(ofEqual, values).error().message, HasSubstr("in the run"));
}

TEST(MixtureScale, MultipliesMeansAndDeviationsNotShares) {
    const MixtureStart start{{0, -1, 2}, {0.1, 0.2, 0.001}, {0.5, 0.25, 0.25}, 1};
    const dgms::InitialMixture mixture = dgms::transferredMixture(start, 0.05);
    EXPECT_THAT(mixture.mu, ElementsAre(0, -0.05, 0.1));
    EXPECT_THAT(mixture.sigma, ElementsAre(0.1 * 0.05, 0.2 * 0.05, dgms::kMinSigma));
    EXPECT_EQ(mixture.pi, start.pi);
}

class MixtureStartTest : public ::testing::TestWithParam<const char*> {
  protected:
    MixtureStartTest() {
        auto last = m_graph.add("input", graph::Input{{4, 8, 8}});
        for (const char* name : {"first", "second"}) {
            last =
                m_graph.add(name, graph::Conv2d{.inChannels = 4, .outChannels = 4, .kernel = {3, 3}}, {last});
            std::vector<float> values(4 * 4 * 9);
            Random random({3});
            for (float& value : values)
                value = static_cast<float>(0.2 * random.normal());
            m_state[std::string(name) + ".weight"] = graph::Tensor::fromFloats({4, 4, 3, 3}, values);
        }
        m_options.layer = {GetParam(), 4, {}};
        m_options.exclude = std::vector<std::string>{};
        m_start = {{0, -0.5, 0.125, 0.75}, {0.1, 0.2, 0.05, 0.3}, {0.4, 0.3, 0.2, 0.1}, deviation() / 2};
        m_options.starts["second"] = m_start;
    }
    [[nodiscard]] double deviation() const {
        return dgms::deviationOf(m_state.at("second.weight").toFloats());
    }
    [[nodiscard]] std::vector<float> hardWeights(const std::string& node) const {
        const auto quantizers = makeQuantizers(m_graph, m_state, m_options, 1);
        EXPECT_TRUE(quantizers.ok()) << (quantizers ? "" : quantizers.error().message);
        const std::vector<float> weights = m_state.at(node + ".weight").toFloats();
        return quantizers->at(node)->hard(torch::tensor(weights).reshape({4, 4, 3, 3})).dequantize();
    }
    /// What the scalar definition makes of the weights.
    [[nodiscard]] std::vector<float> expected(double scale) const {
        report::Mixture mixture;
        for (std::size_t k = 0; k < m_start.mu.size(); ++k) {
            mixture.components.push_back({m_start.pi[k], scale * m_start.mu[k], scale * m_start.sigma[k], 0});
        }
        std::vector<float> values = m_state.at("second.weight").toFloats();
        for (float& value : values)
            value = static_cast<float>(report::hardValue(mixture, value));
        return values;
    }

    graph::Graph m_graph{"two"};
    graph::StateDict m_state;
    QuantizerOptions m_options;
    MixtureStart m_start;
};

INSTANTIATE_TEST_SUITE_P(Methods, MixtureStartTest, ::testing::Values("dgms", "dgms-mixed"),
                         [](const auto& method) {
                             std::string name = method.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(MixtureStartTest, DeployedWeightsAreThoseOfTheMixture) {
    EXPECT_EQ(hardWeights("second"), expected(1));
    EXPECT_NE(hardWeights("first"), expected(1)) << "the same weights from k-means";
    m_options.layer.transferScale = true;
    EXPECT_EQ(hardWeights("second"), expected(2));
    m_options.starts.clear();
    EXPECT_EQ(hardWeights("second"), hardWeights("first"));
}

TEST_P(MixtureStartTest, ScalesThatCannotBeMatchedNameTheLayer) {
    m_state["second.weight"] = graph::Tensor::fromFloats({4, 4, 3, 3}, std::vector<float>(144, 0.5F));
    EXPECT_EQ(hardWeights("second"), expected(1));
    m_options.layer.transferScale = true;
    const auto quantizers = makeQuantizers(m_graph, m_state, m_options, 1);
    ASSERT_FALSE(quantizers.ok());
    EXPECT_THAT(quantizers.error().message,
                AllOf(HasSubstr("cannot quantize second: its weights are all equal"),
                      HasSubstr("transfer_scale = false")));
}

TEST_P(MixtureStartTest, TransferGoesWithMixturesOfLayersAlone) {
    EXPECT_TRUE(startsFromMixture(GetParam()));
    m_options.layer.transfer = "run.h5";
    EXPECT_TRUE(planLayers(m_graph, m_options).ok());
    m_options.granularity = Granularity::Filter;
    const auto filters = planLayers(m_graph, m_options);
    ASSERT_FALSE(filters.ok());
    EXPECT_EQ(filters.error().kind, ErrorKind::Usage);
    EXPECT_THAT(filters.error().message,
                AllOf(HasSubstr("quantizer.transfer:"), HasSubstr("set granularity = \"layer\"")));
    m_options.granularity = Granularity::Layer;
    for (const char* method : {"rdhs", "sgt", "uniform", "sdq"}) {
        EXPECT_FALSE(startsFromMixture(method));
        m_options.layers["first"] = {method, 4, {}, "run.h5"};
        const auto planned = planLayers(m_graph, m_options);
        ASSERT_FALSE(planned.ok()) << method;
        EXPECT_EQ(planned.error().kind, ErrorKind::Usage);
        EXPECT_THAT(planned.error().message,
                    AllOf(HasSubstr("quantizer.layers.\"first\".transfer: " + std::string(method)),
                          HasSubstr("transfer = \"\"")));
    }
    m_options.layers["first"] = {"none", 4, {}, "run.h5"};
    EXPECT_TRUE(planLayers(m_graph, m_options).ok()) << "a layer in full precision starts from nothing";
}

}  // namespace
}  // namespace bitloom::quant
