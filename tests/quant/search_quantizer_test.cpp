// RDHS and SGT as the trainer and the window see them.
#include "engine/quant/search/search_quantizer.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <gmock/gmock.h>

#include "engine/quant/registry.h"
#include "tests/quant/dgms_reference.h"
#include "tests/quant/quantizer_checks.h"

namespace bitloom::quant {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSearchedFilters = 8;

torch::Tensor searchedLayer() {
    return testing::layerWeights(kSearchedFilters, 16 * 9, 3).reshape({kSearchedFilters, 16, 3, 3});
}

QuantizerOptions optionsFor(const std::string& method, int components = 4) {
    QuantizerOptions options;
    options.layer = {method, components};
    options.exclude = std::vector<std::string>{};
    return options;
}

Result<QuantizerMap> makeSearches(const torch::Tensor& weight, const QuantizerOptions& options) {
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
    return makeQuantizers(graph, state, options, 1);
}

std::unique_ptr<Quantizer> makeSearch(const torch::Tensor& weight, const QuantizerOptions& options) {
    auto quantizers = makeSearches(weight, options);
    if (!quantizers) throw std::runtime_error(quantizers.error().message);
    return std::move(quantizers->at("conv"));
}

std::string searchErrorOf(const torch::Tensor& weight, const QuantizerOptions& options) {
    const auto quantizers = makeSearches(weight, options);
    EXPECT_FALSE(quantizers.ok());
    return quantizers ? std::string() : quantizers.error().message;
}

torch::Tensor alphaOf(Quantizer& quantizer) {
    return quantizer.parameters().at(0).tensor;
}

torch::Tensor deployed(const Quantizer& quantizer) {
    const QuantizedTensor hard = quantizer.hard({});
    return torch::tensor(hard.dequantize()).reshape(hard.shape);
}

struct SearchCase {
    std::string method;
    bool factored = false;
};

class SearchQuantizer : public ::testing::TestWithParam<SearchCase> {
  protected:
    [[nodiscard]] static QuantizerOptions options(int components = 4) {
        QuantizerOptions options = optionsFor(GetParam().method, components);
        options.search.factored = GetParam().factored;
        return options;
    }
};

INSTANTIATE_TEST_SUITE_P(Methods, SearchQuantizer,
                         ::testing::Values(SearchCase{"rdhs"}, SearchCase{"sgt"}, SearchCase{"rdhs", true},
                                           SearchCase{"sgt", true}),
                         [](const auto& test) {
                             return test.param.method + (test.param.factored ? "Factored" : "");
                         });

TEST_P(SearchQuantizer, TrainsOneGroupAndNoLatentWeight) {
    const auto quantizer = makeSearch(searchedLayer(), options());
    EXPECT_EQ(quantizer->method(), GetParam().method);
    EXPECT_FALSE(quantizer->hasLatentWeights());
    const std::vector<QuantizerParameter> parameters = quantizer->parameters();
    ASSERT_EQ(parameters.size(), 1u);
    EXPECT_EQ(parameters[0].group, "alpha");
    EXPECT_TRUE(parameters[0].tensor.is_leaf());
    EXPECT_TRUE(parameters[0].tensor.requires_grad());
    const std::int64_t planes = GetParam().factored ? 2 : 3;
    EXPECT_EQ(parameters[0].tensor.sizes(), (std::vector<std::int64_t>{planes, kSearchedFilters, 16, 3, 3}));
}

TEST_P(SearchQuantizer, EveryForwardIsTheDeployedWeight) {
    for (const int components : {2, 4, 8}) {
        const auto quantizer = makeSearch(searchedLayer(), options(components));
        EXPECT_TRUE(quantizer->soft(searchedLayer()).equal(deployed(*quantizer)));
        EXPECT_TRUE(quantizer->hardForward(searchedLayer()).equal(deployed(*quantizer)));
        const torch::NoGradGuard guard;
        EXPECT_TRUE(quantizer->soft(searchedLayer()).equal(deployed(*quantizer)));
    }
}

TEST_P(SearchQuantizer, TheWeightHoldsTheChoiceAndGetsNoGradient) {
    const auto quantizer = makeSearch(searchedLayer(), options());
    for (const auto format : {torch::MemoryFormat::Contiguous, torch::MemoryFormat::ChannelsLast}) {
        const torch::Tensor weight = searchedLayer().contiguous(format);
        const torch::Tensor chosen = quantizer->soft(weight);
        EXPECT_TRUE(weight.equal(deployed(*quantizer)));
        EXPECT_EQ(chosen.data_ptr(), weight.data_ptr()) << "no second copy of the weights";
        EXPECT_EQ(chosen.strides(), weight.strides());
        chosen.backward(searchedLayer());
        EXPECT_FALSE(weight.grad().defined());
        EXPECT_GT(alphaOf(*quantizer).grad().norm().item<double>(), 0);
    }
}

TEST_P(SearchQuantizer, MemoryOrderDoesNotMatter) {
    const auto quantizer = makeSearch(searchedLayer(), options());
    const auto gradient = [&](const torch::Tensor& weight, const torch::Tensor& upstream) {
        return torch::autograd::grad({quantizer->soft(weight)}, {alphaOf(*quantizer)}, {upstream})[0];
    };
    const torch::Tensor upstream = searchedLayer().roll(1, 0);
    const torch::Tensor expected = gradient(searchedLayer(), upstream);
    const auto last = torch::MemoryFormat::ChannelsLast;
    EXPECT_TRUE(expected.equal(gradient(searchedLayer().contiguous(last), upstream)));
    EXPECT_TRUE(expected.equal(gradient(searchedLayer(), upstream.contiguous(last))));
    EXPECT_TRUE(expected.equal(gradient(searchedLayer().repeat({1, 1, 1, 2}).slice(3, 0, 3), upstream)));
    const torch::Tensor constant = torch::ones({1}).expand(searchedLayer().sizes());
    EXPECT_TRUE(gradient(searchedLayer(), constant)
                    .equal(gradient(searchedLayer(), torch::ones(searchedLayer().sizes()))));
}

TEST_P(SearchQuantizer, ResultsDoNotDependOnTheNumberOfThreads) {
    const torch::Tensor big = testing::layerWeights(64, 1000, 4).reshape({64, 1000, 1, 1});
    const int before = at::get_num_threads();
    QuantizerOptions noisy = options(8);
    noisy.search.gumbelNoise = 0.1;
    std::vector<torch::Tensor> results;
    for (const int threads : {1, 2, 3}) {
        at::set_num_threads(threads);
        const auto quantizer = makeSearch(big, noisy);
        const torch::Tensor chosen = quantizer->soft(big.clone());
        results.push_back(chosen.detach().clone());
        results.push_back(torch::autograd::grad({chosen}, {alphaOf(*quantizer)}, {big})[0]);
    }
    at::set_num_threads(before);
    for (std::size_t i = 2; i < results.size(); ++i)
        EXPECT_TRUE(results[i].equal(results[i % 2])) << i;
}

/// What a stream hands over, put together, is the gradient that is stored without one.
TEST_P(SearchQuantizer, StreamedPiecesAreTheGradient) {
    const torch::Tensor big = testing::layerWeights(30, 100, 4).reshape({30, 100, 1, 1});
    for (const int components : {2, 8}) {
        const auto quantizer = makeSearch(big, options(components));
        const QuantizerParameter parameter = quantizer->parameters().at(0);
        quantizer->soft(big.clone()).backward(big);
        const torch::Tensor stored = parameter.tensor.grad().clone();
        parameter.tensor.mutable_grad().reset();
        torch::Tensor streamed = torch::full_like(stored, std::nan(""));
        auto* target = streamed.data_ptr<float>();
        parameter.stream->update = [&](std::int64_t begin, std::span<const float> gradient) {
            std::ranges::copy(gradient, target + begin);
        };
        quantizer->soft(big.clone()).backward(big);
        EXPECT_TRUE(streamed.equal(stored));
        EXPECT_FALSE(parameter.tensor.grad().defined());
    }
}

TEST_P(SearchQuantizer, PosteriorStartIsTheNearestValueOfAFittedScale) {
    for (const int components : {2, 4, 8}) {
        const auto quantizer = makeSearch(searchedLayer(), options(components));
        const torch::Tensor hard = deployed(*quantizer);
        const double error = (hard - searchedLayer()).square().sum().item<double>();
        const double power = searchedLayer().square().sum().item<double>();
        EXPECT_LT(error / power, components == 2 ? 0.45 : 0.2) << components;
        EXPECT_EQ(quantizer->hard({}).indexBits(), components == 2 ? 1 : (components == 4 ? 2 : 3));
        EXPECT_EQ(quantizer->hard({}).zeros(), 0);
    }
}

TEST_P(SearchQuantizer, RandomStartHasNoScaleAndUsesEveryValue) {
    QuantizerOptions random = options(4);
    random.search.start = SearchStart::Random;
    const auto quantizer = makeSearch(searchedLayer(), random);
    const QuantizedTensor hard = quantizer->hard({});
    EXPECT_THAT(hard.codebook, ::testing::ElementsAre(-1, -0.5, 0.5, 1));
    for (std::uint8_t k = 0; k < 4; ++k)
        EXPECT_GT(std::ranges::count(hard.indices, k), static_cast<std::ptrdiff_t>(hard.indices.size()) / 8);
    EXPECT_LE(alphaOf(*quantizer).abs().max().item<float>(), 1e-5f);
}

TEST_P(SearchQuantizer, SnapshotAddsUp) {
    const auto quantizer = makeSearch(searchedLayer(), options(4));
    quantizer->soft(searchedLayer()).backward(torch::ones(searchedLayer().sizes()));
    const report::LayerSnapshot snapshot = quantizer->snapshot({});
    const QuantizedTensor hard = quantizer->hard({});
    EXPECT_EQ(snapshot.bits, 2);
    EXPECT_EQ(snapshot.sparsity, 0);
    EXPECT_EQ(snapshot.softHardGap, 0);
    EXPECT_NEAR(snapshot.gradients.weight, std::sqrt(searchedLayer().numel()), 1e-3);
    ASSERT_EQ(snapshot.mixtures.size(), 1u);
    std::int64_t members = 0;
    for (std::size_t k = 0; k < 4; ++k) {
        const report::MixtureComponent& component = snapshot.mixtures[0].components.at(k);
        EXPECT_EQ(static_cast<float>(component.mu), hard.codebook[k]);
        EXPECT_EQ(component.sigma, 0);
        EXPECT_EQ(component.count, std::ranges::count(hard.indices, static_cast<std::uint8_t>(k)));
        EXPECT_EQ(component.pi * static_cast<double>(searchedLayer().numel()), component.count);
        members += component.count;
    }
    EXPECT_EQ(members, searchedLayer().numel());
    for (const report::Histogram& histogram : {snapshot.weights, snapshot.softWeights}) {
        EXPECT_EQ(std::accumulate(histogram.counts.begin(), histogram.counts.end(), 0u),
                  static_cast<std::uint32_t>(searchedLayer().numel()));
    }
    EXPECT_EQ(snapshot.weights.low, snapshot.softWeights.low);
    EXPECT_GT(snapshot.mse, 0) << "relaxed weights lie between the values";
    {
        const torch::NoGradGuard guard;
        alphaOf(*quantizer).mul_(1e4);
    }
    EXPECT_NEAR(quantizer->snapshot({}).mse, 0, 1e-6) << "decided";
}

TEST_P(SearchQuantizer, StateContinuesToTheBit) {
    QuantizerOptions noisy = options(4);
    noisy.search.gumbelNoise = 0.3;
    const auto original = makeSearch(searchedLayer(), noisy);
    static_cast<void>(original->soft(searchedLayer()));
    {
        const torch::NoGradGuard guard;
        alphaOf(*original).add_(0.1 * torch::randn(alphaOf(*original).sizes()));
    }
    const auto copy = makeSearch(searchedLayer() * 3, noisy);
    const torch::Tensor before = alphaOf(*copy);
    const Status status = copy->restore(original->state());
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_TRUE(before.is_same(alphaOf(*copy))) << "an optimizer would lose its tensor";
    EXPECT_EQ(graph::hashState(copy->state()), graph::hashState(original->state()));
    EXPECT_TRUE(deployed(*copy).equal(deployed(*original)));
    EXPECT_TRUE(copy->soft(searchedLayer()).equal(original->soft(searchedLayer())))
        << "the noise goes on, too";
}

TEST_P(SearchQuantizer, DamagedStateIsRefusedWhole) {
    const auto quantizer = makeSearch(searchedLayer(), options());
    const graph::StateDict good = quantizer->state();
    const auto expectError = [&](const graph::StateDict& state, const std::string& text) {
        expectRefused(*quantizer, state, text);
    };
    expectEntriesChecked(*quantizer, {"alpha", "values", "scale", "passes"});
    graph::StateDict state = good;
    std::vector<float> values = state["alpha"].toFloats();
    values[5] = std::numeric_limits<float>::quiet_NaN();
    state["alpha"] = graph::Tensor::fromFloats(state["alpha"].shape, values);
    expectError(state, "not finite at element 5");
    state = good;
    state["scale"].bytes.assign(8, std::byte{0});
    expectError(state, "scale");
    QuantizerOptions others = options();
    others.layer.values = {-1, -0.25, 0.25, 1};
    expectError(makeSearch(searchedLayer(), others)->state(), "quantizer.values");
}

TEST_P(SearchQuantizer, LayersWithFewValuesWork) {
    torch::Tensor mixed = torch::full({kSearchedFilters, 2, 3, 3}, 0.25f);
    mixed[2][0].fill_(-0.5);
    for (const torch::Tensor& values : {torch::full({kSearchedFilters, 2, 3, 3}, 0.3f), mixed}) {
        const auto quantizer = makeSearch(values, options(8));
        EXPECT_TRUE(deployed(*quantizer).allclose(values, 1e-5, 1e-6));
        quantizer->soft(values.clone()).backward(values);
        EXPECT_TRUE(alphaOf(*quantizer).grad().isfinite().all().item<bool>());
        EXPECT_GT(alphaOf(*quantizer).grad().norm().item<double>(), 0);
    }
}

TEST_P(SearchQuantizer, HowLargeTheValuesAreSetsNothingButTheScale) {
    const torch::Tensor weight = searchedLayer();
    QuantizerOptions small = options();
    small.layer.values = {-1, -0.25, 0.25, 1};
    QuantizerOptions large = options();
    large.layer.values = {-4096, -1024, 1024, 4096};  // powers of two: not a bit of rounding
    for (const bool half : {false, true}) {
        small.search.halfLogits = large.search.halfLogits = half;
        const auto a = makeSearch(weight, small);
        const auto b = makeSearch(weight, large);
        EXPECT_TRUE(torch::equal(alphaOf(*a), alphaOf(*b)));
        EXPECT_TRUE(torch::equal(deployed(*a), deployed(*b)));
    }
}

TEST_P(SearchQuantizer, ASmallSpreadStaysWithinHalfPrecision) {
    QuantizerOptions spread = options();
    spread.search.halfLogits = true;
    spread.search.spread = 1e-3;
    const torch::Tensor weight = searchedLayer();
    const auto quantizer = makeSearch(weight, spread);
    EXPECT_TRUE(torch::isfinite(alphaOf(*quantizer)).all().item<bool>());
    spread.search.spread = 1;
    const torch::Tensor same = deployed(*quantizer) == deployed(*makeSearch(weight, spread));
    EXPECT_GT(same.to(torch::kFloat).mean().item<double>(), 0.98) << "the nearest values, but for rounding";
}

TEST_P(SearchQuantizer, ZeroWeightsNeedARandomStart) {
    const torch::Tensor zeros = torch::zeros({kSearchedFilters, 2, 3, 3});
    const std::string message = searchErrorOf(zeros, options());
    EXPECT_THAT(message, HasSubstr("cannot quantize conv: no scale fits"));
    EXPECT_THAT(message, HasSubstr("quantizer.start = \"random\""));
    QuantizerOptions random = options();
    random.search.start = SearchStart::Random;
    EXPECT_EQ(makeSearch(zeros, random)->hard({}).components, 4);
}

TEST_P(SearchQuantizer, WrongOptionsAreNamed) {
    const auto messageOf = [&](auto change) {
        QuantizerOptions wrong = options();
        change(wrong);
        return searchErrorOf(searchedLayer(), wrong);
    };
    EXPECT_THAT(messageOf([](auto& o) { o.layer.values = {1, 1, 2}; }), HasSubstr("quantizer: values has 1"));
    EXPECT_THAT(messageOf([](auto& o) { o.layer.components = 5; }), HasSubstr("quantizer: components = 5"));
    EXPECT_THAT(messageOf([](auto& o) {
                    o.layers["conv"] = {o.layer.method, 2, {0, 0}};
                }),
                HasSubstr("quantizer.layers.\"conv\": values has 0 twice"));
    EXPECT_THAT(messageOf([](auto& o) { o.granularity = Granularity::Filter; }), HasSubstr("granularity"));
    EXPECT_THAT(messageOf([](auto& o) { o.search.spread = 0; }), HasSubstr("spread = 0"));
    EXPECT_THAT(messageOf([](auto& o) { o.search.temperatureFloor = 0; }),
                HasSubstr("temperature_floor = 0"));
    EXPECT_THAT(messageOf([](auto& o) { o.search.gumbelNoise = -1; }), HasSubstr("gumbel_noise = -1"));
    QuantizerOptions mixture;
    mixture.layer.values = {-1, 1};
    mixture.exclude = std::vector<std::string>{};
    EXPECT_THAT(searchErrorOf(searchedLayer(), mixture), HasSubstr("values is for methods"));
}

TEST(RdhsQuantizer, TemperatureFallsWithTheEpochDownToTheFloor) {
    QuantizerOptions options = optionsFor("rdhs");
    options.search.temperatureRate = 0.5;
    options.search.temperatureFloor = 0.1;
    const auto quantizer = makeSearch(searchedLayer(), options);
    const auto temperature = [&] { return quantizer->snapshot({}).mixtures[0].temperature; };
    EXPECT_EQ(temperature(), 1);
    quantizer->beginEpoch(2);
    EXPECT_EQ(temperature(), 0.25);
    quantizer->beginEpoch(4);
    EXPECT_EQ(temperature(), 0.1);
}

/// With two values y follows from the size of the gradient, and with it the noisy difference of the logits:
/// it must be the logit plus mu times a logistic variable, and its sign the choice.
TEST(RdhsQuantizer, GumbelNoiseIsLogisticAndTheSameBackward) {
    constexpr double kNoise = 0.5;
    QuantizerOptions options = optionsFor("rdhs", 2);
    options.search.gumbelNoise = kNoise;
    options.search.start = SearchStart::Random;  // no scale, logits of 1e-5
    const torch::Tensor weight = torch::zeros({64, 100, 3, 3});
    const auto quantizer = makeSearch(weight, options);
    const torch::Tensor chosen = quantizer->soft(weight);
    const torch::Tensor y = torch::autograd::grad({chosen}, {alphaOf(*quantizer)},
                                                  {torch::ones({1}).expand(weight.sizes())})[0][0];
    const torch::Tensor noise =
        (1 / y.to(torch::kFloat64).clamp_max(1).sqrt()).acosh() * 2 * chosen.detach() / kNoise;
    EXPECT_NEAR(noise.mean().item<double>(), 0, 0.05);
    EXPECT_NEAR(noise.square().mean().item<double>(), M_PI * M_PI / 3, 0.1);
    EXPECT_FALSE(chosen.detach().equal(deployed(*quantizer)));
    const torch::Tensor first = chosen.detach().clone();
    EXPECT_FALSE(quantizer->soft(weight).detach().equal(first)) << "every pass draws anew";
}

TEST(RdhsQuantizer, EvaluationHasNoNoise) {
    QuantizerOptions options = optionsFor("rdhs", 2);
    options.search.gumbelNoise = 10;
    const auto quantizer = makeSearch(searchedLayer(), options);
    const std::uint64_t before = graph::hashState(quantizer->state());
    const torch::NoGradGuard guard;
    EXPECT_TRUE(quantizer->soft(searchedLayer()).equal(deployed(*quantizer)));
    EXPECT_EQ(graph::hashState(quantizer->state()), before) << "scoring draws no numbers";
}

TEST(SgtQuantizer, GradientSignPassesOnTheSign) {
    QuantizerOptions options = optionsFor("sgt", 2);
    options.search.gradientSign = true;
    const auto quantizer = makeSearch(searchedLayer(), options);
    quantizer->soft(searchedLayer()).backward(searchedLayer());
    EXPECT_TRUE(alphaOf(*quantizer).grad()[0].equal(searchedLayer().sign()));
}

}  // namespace
}  // namespace bitloom::quant
