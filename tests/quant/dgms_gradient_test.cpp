// Phi and its gradients for all five kinds of parameters against float64 autograd, over components, sigma
// modes, granularities, both forwards, temperatures, pruned and dense.
#include <string>

#include <gmock/gmock.h>

#include "tests/quant/dgms_reference.h"

namespace bitloom {
namespace {

using quant::SigmaInit;
using quant::WeightGradient;
using quant::dgms::MixtureTensors;
using quant::dgms::SoftOptions;

struct Case {
    int components = 16;
    SigmaInit sigma = SigmaInit::Standard;
    bool filterWise = false;
    bool parity = false;
    double tau = 0.01;
    bool prune = true;
};

std::string nameOf(const ::testing::TestParamInfo<Case>& info) {
    const Case& c = info.param;
    return std::to_string(c.components) + (c.sigma == SigmaInit::Standard ? "Standard" : "Empirical") +
           (c.filterWise ? "Filter" : "Layer") + (c.parity ? "Parity" : "Log") + (c.prune ? "" : "Dense") +
           "Tau" + std::to_string(static_cast<int>(c.tau * 1000));
}

struct Gradients {
    torch::Tensor soft;
    std::vector<torch::Tensor> parts;  // w, mu, sigma, pi, tau
};

Gradients differentiate(const torch::Tensor& soft, const torch::Tensor& weight, const MixtureTensors& m,
                        const torch::Tensor& upstream) {
    return {soft.detach(),
            torch::autograd::grad({soft}, {weight, m.mu, m.logSigma, m.logPi, m.tau}, {upstream})};
}

double relativeError(const torch::Tensor& value, const torch::Tensor& reference) {
    const double scale = reference.norm().item<double>();
    const double error = (value.to(torch::kFloat64) - reference).norm().item<double>();
    return scale > 0 ? error / scale : error;
}

MixtureTensors toDouble(const MixtureTensors& m) {
    const auto leaf = [](const torch::Tensor& tensor) {
        return tensor.detach().to(torch::kFloat64).clone().set_requires_grad(true);
    };
    return {leaf(m.mu), leaf(m.logSigma), leaf(m.logPi), leaf(m.tau)};
}

class DgmsGradient : public ::testing::TestWithParam<Case> {
  protected:
    void compare(torch::Dtype dtype, double tolerance) {
        const Case& c = GetParam();
        // Enough weights for each filter to have as many distinct values as components.
        const torch::Tensor values =
            c.filterWise ? testing::layerWeights(6, 700, 5) : testing::layerWeights(32, 144, 5);
        const torch::Tensor weight = values.to(dtype).set_requires_grad(true);
        const MixtureTensors mixture =
            testing::startingMixture(values, c.components, c.sigma, c.filterWise, c.tau, dtype, 11);
        const at::Generator generator = at::detail::createCPUGenerator(7);
        const torch::Tensor upstream = torch::randn(values.sizes(), generator, torch::kFloat32);

        const SoftOptions options{
            .parity = c.parity, .weightGradient = WeightGradient::Exact, .prune = c.prune};
        const Gradients ours = differentiate(quant::dgms::softWeights(weight, mixture, options), weight,
                                             mixture, upstream.to(dtype));
        const torch::Tensor exactWeight = values.to(torch::kFloat64).set_requires_grad(true);
        const MixtureTensors exact = toDouble(mixture);
        const Gradients expected = differentiate(testing::referenceSoft(exactWeight, exact, c.parity),
                                                 exactWeight, exact, upstream.to(torch::kFloat64));

        EXPECT_EQ(ours.soft.scalar_type(), dtype);
        EXPECT_EQ(ours.soft.sizes(), values.sizes());
        EXPECT_LE(relativeError(ours.soft, expected.soft), tolerance) << "Phi";
        const char* names[] = {"w", "mu", "sigma", "pi", "tau"};
        for (std::size_t i = 0; i < ours.parts.size(); ++i) {
            EXPECT_GT(expected.parts[i].norm().item<double>(), 0)
                << names[i] << ": the test would compare nothing";
            EXPECT_LE(relativeError(ours.parts[i], expected.parts[i]), tolerance) << names[i];
        }
    }
};

TEST_P(DgmsGradient, MatchesAutogradInFloat32) {
    compare(torch::kFloat32, 1e-5);
}
TEST_P(DgmsGradient, MatchesAutogradInFloat64) {
    compare(torch::kFloat64, 1e-10);
}

std::vector<Case> allCases() {
    std::vector<Case> cases;
    for (const int components : {2, 3, 4, 8, 16, 64, 256}) {
        for (const SigmaInit sigma : {SigmaInit::Standard, SigmaInit::Empirical}) {
            for (const bool filterWise : {false, true}) {
                for (const bool parity : {false, true})
                    cases.push_back({components, sigma, filterWise, parity});
            }
        }
    }
    for (const double tau : {0.001, 0.03, 0.1, 1.0}) {
        cases.push_back({16, SigmaInit::Standard, false, false, tau});
        cases.push_back({4, SigmaInit::Empirical, false, true, tau});
    }
    for (const bool parity : {false, true}) {
        cases.push_back({16, SigmaInit::Standard, false, parity, 0.01, false});
        cases.push_back({5, SigmaInit::Empirical, true, parity, 0.01, false});
    }
    return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, DgmsGradient, ::testing::ValuesIn(allCases()), nameOf);

}  // namespace
}  // namespace bitloom
