// The quantizer as the trainer and the window see it.
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "engine/quant/dgms/components.h"
#include "engine/quant/registry.h"
#include "engine/report/mixture.h"
#include "tests/quant/dgms_reference.h"
#include "tests/quant/quantizer_checks.h"

namespace bitloom::quant {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr std::int64_t kFilters = 8;

torch::Tensor layer() {
    return testing::layerWeights(kFilters, 16 * 9, 3).reshape({kFilters, 16, 3, 3});
}

std::unique_ptr<Quantizer> makeQuantizer(const torch::Tensor& weight, QuantizerOptions options = {}) {
    graph::Graph graph("one");
    const auto input = graph.add("input", graph::Input{{weight.size(1), 8, 8}});
    graph.add("conv",
              graph::Conv2d{.inChannels = weight.size(1),
                            .outChannels = weight.size(0),
                            .kernel = {weight.size(2), weight.size(3)}},
              {input});
    const torch::Tensor flat = weight.contiguous();
    const float* first = flat.data_ptr<float>();
    graph::StateDict state;
    state["conv.weight"] =
        graph::Tensor::fromFloats(weight.sizes().vec(), std::vector<float>(first, first + flat.numel()));
    options.exclude = std::vector<std::string>{};
    auto quantizers = makeQuantizers(graph, state, options, 1);
    if (!quantizers) throw std::runtime_error(quantizers.error().message);
    return std::move(quantizers->at("conv"));
}

QuantizerOptions withComponents(int components) {
    QuantizerOptions options;
    options.layer.components = components;
    return options;
}

torch::Tensor parameter(Quantizer& quantizer, const std::string& group) {
    for (const QuantizerParameter& entry : quantizer.parameters()) {
        if (entry.group == group) return entry.tensor;
    }
    throw std::runtime_error("no group " + group);
}

std::vector<std::string> groupsOf(Quantizer& quantizer) {
    std::vector<std::string> groups;
    for (const QuantizerParameter& entry : quantizer.parameters()) {
        EXPECT_TRUE(entry.tensor.is_leaf());
        EXPECT_TRUE(entry.tensor.requires_grad());
        groups.push_back(entry.group);
    }
    return groups;
}

TEST(DgmsQuantizer, TemperatureIsTrainedOnlyOnRequestOrInParity) {
    QuantizerOptions options;
    EXPECT_THAT(groupsOf(*makeQuantizer(layer(), options)), UnorderedElementsAre("mu", "sigma", "pi"));
    options.trainTemperature = true;
    EXPECT_THAT(groupsOf(*makeQuantizer(layer(), options)), UnorderedElementsAre("mu", "sigma", "pi", "tau"));
    options = {};
    options.parity = true;
    EXPECT_THAT(groupsOf(*makeQuantizer(layer(), options)), UnorderedElementsAre("mu", "sigma", "pi", "tau"));
}

TEST(DgmsQuantizer, HardForwardIsTheDeployedWeightInEveryMode) {
    QuantizerOptions options;
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        for (const SigmaInit sigma : {SigmaInit::Standard, SigmaInit::Empirical}) {
            for (const bool parity : {false, true}) {
                options.granularity = granularity;
                options.initSigma = sigma;
                options.parity = parity;
                const auto quantizer = makeQuantizer(layer(), options);
                const torch::Tensor weight = layer().set_requires_grad(true);
                const torch::Tensor forward = quantizer->hardForward(weight);
                const torch::Tensor deployed =
                    torch::tensor(quantizer->hard(weight).dequantize()).reshape(weight.sizes());
                EXPECT_TRUE(torch::equal(forward, deployed)) << parity;
                EXPECT_TRUE(forward.requires_grad());
            }
        }
    }
}

TEST(DgmsQuantizer, HardForwardPassesOnWhatIsNotFinite) {
    const auto quantizer = makeQuantizer(layer(), {});
    torch::Tensor weight = layer().clone();
    weight.view(-1)[5] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(quantizer->hardForward(weight).view(-1)[5].isnan().item<bool>());
}

TEST(DgmsQuantizer, AMixtureThatIsNotFiniteShowsInTheWeights) {
    const auto quantizer = makeQuantizer(layer(), {});
    const torch::NoGradGuard guard;
    for (QuantizerParameter& entry : quantizer->parameters()) {
        if (entry.group == "sigma") entry.tensor[0] = std::numeric_limits<float>::quiet_NaN();
    }
    EXPECT_FALSE(quantizer->soft(layer()).isfinite().all().item<bool>());
    EXPECT_EQ(quantizer->hard(layer()).indices.size(), static_cast<std::size_t>(layer().numel()));
}

TEST(DgmsQuantizer, SoftReachesEveryParameter) {
    QuantizerOptions options;
    options.trainTemperature = true;
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        options.granularity = granularity;
        const auto quantizer = makeQuantizer(layer(), options);
        const torch::Tensor weight = layer().set_requires_grad(true);
        const torch::Tensor soft = quantizer->soft(weight);
        EXPECT_EQ(soft.sizes(), weight.sizes());
        (soft * soft).sum().backward();
        EXPECT_TRUE(weight.grad().defined());
        for (const QuantizerParameter& entry : quantizer->parameters()) {
            EXPECT_EQ(entry.tensor.grad().sizes(), entry.tensor.sizes()) << entry.group;
            EXPECT_GT(entry.tensor.grad().norm().item<double>(), 0) << entry.group;
        }
    }
}

TEST(DgmsQuantizer, StraightThroughPassesTheGradientOn) {
    QuantizerOptions options;
    options.weightGradient = WeightGradient::StraightThrough;
    const torch::Tensor upstream = layer() * 3;
    torch::Tensor weight = layer().set_requires_grad(true);
    makeQuantizer(layer(), options)->soft(weight).backward(upstream);
    EXPECT_TRUE(weight.grad().equal(upstream));
    options.weightGradient = WeightGradient::Exact;
    weight = layer().set_requires_grad(true);
    makeQuantizer(layer(), options)->soft(weight).backward(upstream);
    EXPECT_FALSE(weight.grad().equal(upstream));
}

/// A channels-last weight, a transposed one and an expanded upstream gradient must give what contiguous ones
/// give.
TEST(DgmsQuantizer, MemoryOrderDoesNotMatter) {
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        QuantizerOptions options;
        options.granularity = granularity;
        options.weightGradient = WeightGradient::Exact;
        const auto quantizer = makeQuantizer(layer(), options);
        const auto run = [&](const torch::Tensor& values, const torch::Tensor& upstream) {
            const torch::Tensor weight = values.detach().requires_grad_(true);
            const torch::Tensor soft = quantizer->soft(weight);
            EXPECT_EQ(soft.is_contiguous(torch::MemoryFormat::ChannelsLast),
                      weight.is_contiguous(torch::MemoryFormat::ChannelsLast));
            return std::pair{soft.detach(), torch::autograd::grad({soft}, {weight}, {upstream})[0]};
        };
        const torch::Tensor upstream = layer().roll(1, 0);
        const auto [soft, gradient] = run(layer(), upstream);
        const auto [softLast, gradientLast] =
            run(layer().contiguous(torch::MemoryFormat::ChannelsLast), upstream);
        EXPECT_TRUE(soft.equal(softLast));
        EXPECT_TRUE(gradient.equal(gradientLast));
        const torch::Tensor strided = layer().repeat({1, 1, 1, 2}).slice(3, 0, 3);
        const auto [softStrided, gradientStrided] = run(strided, upstream);
        EXPECT_TRUE(soft.equal(softStrided));
        EXPECT_TRUE(gradient.equal(gradientStrided));
        const torch::Tensor transposed = layer().transpose(0, 1).contiguous().transpose(0, 1);
        EXPECT_TRUE(soft.equal(run(transposed, upstream).first));
        const auto constant = torch::ones({1}).expand(layer().sizes());
        EXPECT_TRUE(run(layer(), constant).second.equal(run(layer(), torch::ones(layer().sizes())).second));
    }
}

TEST(DgmsQuantizer, ResultsDoNotDependOnTheNumberOfThreads) {
    const torch::Tensor big = testing::layerWeights(64, 1000, 4).reshape({64, 1000, 1, 1});
    const int before = at::get_num_threads();
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        QuantizerOptions options;
        options.granularity = granularity;
        options.trainTemperature = true;
        options.weightGradient = WeightGradient::Exact;
        const auto quantizer = makeQuantizer(big, options);
        std::vector<std::vector<torch::Tensor>> results;
        for (const int threads : {1, 2, 3}) {
            at::set_num_threads(threads);
            const torch::Tensor weight = big.clone().set_requires_grad(true);
            const torch::Tensor soft = quantizer->soft(weight);
            std::vector<torch::Tensor> inputs{weight};
            for (const QuantizerParameter& entry : quantizer->parameters())
                inputs.push_back(entry.tensor);
            results.push_back(torch::autograd::grad({soft}, inputs, {big * 2}));
            results.back().push_back(soft.detach());
        }
        for (std::size_t i = 0; i < results[0].size(); ++i) {
            EXPECT_TRUE(results[0][i].equal(results[1][i])) << i;
            EXPECT_TRUE(results[0][i].equal(results[2][i])) << i;
        }
    }
    at::set_num_threads(before);
}

TEST(DgmsQuantizer, NotANumberComesOut) {
    const auto quantizer = makeQuantizer(layer());
    torch::Tensor weight = layer();
    weight.view(-1)[100] = std::numeric_limits<float>::quiet_NaN();
    const torch::Tensor soft = quantizer->soft(weight);
    EXPECT_TRUE(std::isnan(soft.view(-1)[100].item<float>()));
    EXPECT_TRUE(std::isfinite(soft.view(-1)[101].item<float>()));
}

TEST(DgmsQuantizer, HardIsTheArgmaxOfTheSnapshotsMixtures) {
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        QuantizerOptions options = withComponents(5);
        options.granularity = granularity;
        const auto quantizer = makeQuantizer(layer(), options);
        const QuantizedTensor hard = quantizer->hard(layer());
        const report::LayerSnapshot snapshot = quantizer->snapshot(layer());
        EXPECT_EQ(hard.groups, granularity == Granularity::Layer ? 1 : kFilters);
        EXPECT_EQ(hard.components, 5);
        EXPECT_EQ(snapshot.mixtures.size(), static_cast<std::size_t>(hard.groups));
        const torch::Tensor weight = layer().contiguous();
        const std::size_t perGroup = hard.indices.size() / static_cast<std::size_t>(hard.groups);
        for (std::size_t i = 0; i < hard.indices.size(); ++i) {
            const report::Mixture& mixture = snapshot.mixtures[i / perGroup];
            ASSERT_EQ(hard.indices[i], report::hardIndex(mixture, weight.data_ptr<float>()[i])) << i;
        }
        for (int group = 0; group < hard.groups; ++group) {
            EXPECT_EQ(hard.codebook[static_cast<std::size_t>(group * 5)], 0.0f);
        }
    }
}

TEST(DgmsQuantizer, SnapshotAddsUp) {
    const auto quantizer = makeQuantizer(layer(), withComponents(4));
    const torch::Tensor weight = layer().set_requires_grad(true);
    quantizer->soft(weight).sum().backward();
    const report::LayerSnapshot snapshot = quantizer->snapshot(weight);
    const QuantizedTensor hard = quantizer->hard(weight);
    const auto count = static_cast<double>(weight.numel());
    EXPECT_EQ(snapshot.bits, 2);
    double shares = 0;
    std::int64_t members = 0;
    for (const report::MixtureComponent& component : snapshot.mixtures.at(0).components) {
        shares += component.pi;
        members += component.count;
    }
    EXPECT_NEAR(shares, 1, 1e-12);
    EXPECT_EQ(members, weight.numel());
    EXPECT_DOUBLE_EQ(snapshot.sparsity, static_cast<double>(hard.zeros()) / count);
    const torch::Tensor psi = torch::tensor(hard.dequantize()).reshape(weight.sizes()).to(torch::kFloat64);
    const torch::Tensor w = weight.detach().to(torch::kFloat64);
    EXPECT_NEAR(snapshot.mse, (w - psi).square().mean().item<double>(), 1e-12);
    const torch::Tensor phi = quantizer->soft(weight).detach().to(torch::kFloat64);
    EXPECT_NEAR(snapshot.softHardGap,
                std::sqrt((phi - psi).square().mean().item<double>()) / w.std(false).item<double>(), 1e-9);
    const auto total = [](const report::Histogram& h) {
        return std::accumulate(h.counts.begin(), h.counts.end(), h.below + h.above);
    };
    EXPECT_EQ(total(snapshot.weights), static_cast<std::uint64_t>(weight.numel()));
    EXPECT_EQ(total(snapshot.softWeights), static_cast<std::uint64_t>(weight.numel()));
    EXPECT_EQ(snapshot.weights.low, snapshot.softWeights.low);
    EXPECT_NEAR(snapshot.gradients.weight, std::sqrt(count), 1e-3);
    EXPECT_NEAR(snapshot.gradients.mu, parameter(*quantizer, "mu").grad().norm().item<double>(), 1e-3);
    EXPECT_TRUE(std::isnan(snapshot.gradients.tau));
}

TEST(DgmsQuantizer, HistogramRangeIsThatOfTheFirstWeights) {
    const auto quantizer = makeQuantizer(layer());
    const report::LayerSnapshot first = quantizer->snapshot(layer());
    const report::LayerSnapshot later = quantizer->snapshot(layer() * 10);
    EXPECT_EQ(first.weights.low, later.weights.low);
    EXPECT_EQ(first.weights.high, later.weights.high);
    EXPECT_EQ(first.weights.below + first.weights.above, 0u);
    EXPECT_GT(later.weights.below + later.weights.above, 0u);
}

TEST(DgmsQuantizer, LayersWithFewValuesWork) {
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        QuantizerOptions options;
        options.granularity = granularity;
        options.weightGradient = WeightGradient::Exact;
        torch::Tensor mixed = torch::zeros({kFilters, 2, 3, 3});
        mixed[1].fill_(0.25);
        mixed[2][0].fill_(-0.5);
        for (const torch::Tensor& values :
             {torch::zeros({kFilters, 2, 3, 3}), torch::full({kFilters, 2, 3, 3}, 0.3f), mixed}) {
            const auto quantizer = makeQuantizer(values, options);
            const QuantizedTensor hard = quantizer->hard(values);
            EXPECT_GE(hard.components, 2);
            EXPECT_LE(hard.components, 4);
            EXPECT_TRUE(torch::tensor(hard.dequantize()).reshape(values.sizes()).equal(values));
            const torch::Tensor weight = values.clone().set_requires_grad(true);
            const torch::Tensor soft = quantizer->soft(weight);
            EXPECT_TRUE(soft.allclose(values, 1e-5, 1e-6));
            soft.square().sum().backward();
            EXPECT_TRUE(weight.grad().isfinite().all().item<bool>());
            for (const QuantizerParameter& entry : quantizer->parameters()) {
                EXPECT_TRUE(entry.tensor.grad().isfinite().all().item<bool>()) << entry.group;
            }
            EXPECT_TRUE(std::isfinite(quantizer->snapshot(weight).softHardGap));
        }
    }
}

TEST(DgmsQuantizer, ParametersAreHeldWithinBounds) {
    QuantizerOptions options;
    options.trainTemperature = true;
    const auto quantizer = makeQuantizer(layer(), options);
    {
        const torch::NoGradGuard guard;
        parameter(*quantizer, "sigma").fill_(-50);
        parameter(*quantizer, "tau").fill_(-3);
    }
    EXPECT_NEAR(quantizer->snapshot(layer()).mixtures[0].components[1].sigma, dgms::kMinSigma, 1e-12);
    EXPECT_EQ(quantizer->snapshot(layer()).mixtures[0].temperature, dgms::kMinTemperature);
    const torch::Tensor soft = quantizer->soft(layer());
    EXPECT_TRUE(soft.isfinite().all().item<bool>());
    EXPECT_NEAR(parameter(*quantizer, "sigma")[0].item<float>(), std::log(dgms::kMinSigma), 1e-5);
    EXPECT_FLOAT_EQ(parameter(*quantizer, "tau").item<float>(), static_cast<float>(dgms::kMinTemperature));
    const torch::NoGradGuard guard;
    parameter(*quantizer, "tau").fill_(9);
    EXPECT_EQ(quantizer->snapshot(layer()).mixtures[0].temperature, dgms::kMaxTemperature);
}

TEST(DgmsQuantizer, StateContinuesToTheBit) {
    for (const Granularity granularity : {Granularity::Layer, Granularity::Filter}) {
        QuantizerOptions options;
        options.granularity = granularity;
        const auto original = makeQuantizer(layer(), options);
        {
            const torch::NoGradGuard guard;
            for (const QuantizerParameter& entry : original->parameters())
                entry.tensor.mul_(1.01f);
        }
        const auto copy = makeQuantizer(layer(), options);
        const torch::Tensor before = parameter(*copy, "mu");
        const Status status = copy->restore(original->state());
        ASSERT_TRUE(status) << status.error().message;
        EXPECT_EQ(graph::hashState(copy->state()), graph::hashState(original->state()));
        EXPECT_TRUE(copy->soft(layer()).equal(original->soft(layer())));
        EXPECT_TRUE(before.is_same(parameter(*copy, "mu"))) << "an optimizer would lose its tensor";
        EXPECT_EQ(copy->snapshot(layer()).weights.low, original->snapshot(layer()).weights.low);
    }
}

TEST(DgmsQuantizer, DamagedStateIsRefusedWhole) {
    const auto quantizer = makeQuantizer(layer());
    const graph::StateDict good = quantizer->state();
    const auto expectError = [&](const graph::StateDict& state, const std::string& text) {
        expectRefused(*quantizer, state, text);
    };
    expectEntriesChecked(*quantizer, {"mu", "log_sigma", "log_pi", "tau", "histogram_range"});
    graph::StateDict state = good;
    std::vector<float> values = state["mu"].toFloats();
    values[2] = std::numeric_limits<float>::infinity();
    state["mu"] = graph::Tensor::fromFloats(state["mu"].shape, values);
    expectError(state, "not finite at element 2");
    state = good;
    state["histogram_range"].bytes.assign(16, std::byte{0});
    expectError(state, "histogram_range");
}

}  // namespace
}  // namespace bitloom::quant
