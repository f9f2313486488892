#include "engine/quant/search/search_quantizer.h"

#include <algorithm>
#include <cmath>

#include "engine/base/random.h"
#include "engine/quant/fixed_set.h"
#include "engine/quant/saved_state.h"
#include "engine/quant/search/search_init.h"
#include "engine/quant/search/value_set.h"
#include "engine/stats/histogram.h"

namespace bitloom::quant::search {
namespace {

/// A spread so small that half precision has no room for its logits becomes the least that has.
void fitIntoHalf(std::vector<float>& logits) {
    constexpr float kLargestHalf = 65504;
    float largest = 0;
    for (const float logit : logits)
        largest = std::max(largest, std::abs(logit));
    if (largest <= kLargestHalf) return;
    for (float& logit : logits)
        logit *= kLargestHalf / largest;
}

/// All relaxed weights lie within the values.
stats::Range histogramRange(const std::vector<double>& values) {
    const double margin = (values.back() - values.front()) / 16;
    return {values.front() - margin, values.back() + margin};
}

}  // namespace

Result<std::unique_ptr<Quantizer>> SearchQuantizer::makeRdhs(const MethodRequest& request) {
    return make(request, Rule::Rdhs);
}

Result<std::unique_ptr<Quantizer>> SearchQuantizer::makeSgt(const MethodRequest& request) {
    return make(request, Rule::Sgt);
}

Result<std::unique_ptr<Quantizer>> SearchQuantizer::make(const MethodRequest& request, Rule rule) {
    const SearchOptions& options = request.options.search;
    std::vector<double> values = valuesOf(request.layer);
    if (options.start == SearchStart::Posterior) values = ofLargestOne(std::move(values));
    const bool factored = options.factored && isSignedSet(values);
    const std::int64_t planes = factored ? std::ssize(values) / 2 : std::ssize(values) - 1;
    std::vector<float> start(static_cast<std::size_t>(planes) * request.weight.size());
    double scale = 1;
    if (options.start == SearchStart::Posterior) {
        BITLOOM_ASSIGN_OR_RETURN(scale, fitScale(request.weight, values));
        factored ? factoredPosterior(request.weight, values, scale, options.spread, start)
                 : posteriorLogits(request.weight, values, scale, options.spread, start);
    } else {
        const std::size_t weights = request.weight.size();
        const std::span<float> signs = std::span(start).first(factored ? weights : 0);
        randomLogits(request.seed, std::ssize(request.weight), std::span(start).subspan(signs.size()));
        if (factored) randomLogits(Random({request.seed, 1}).next(), std::ssize(request.weight), signs);
    }
    const torch::Dtype stored = options.halfLogits ? torch::kHalf : torch::kFloat32;
    torch::Tensor logits = emptyLogits(request.shape, planes, stored);
    if (options.halfLogits) fitIntoHalf(start);
    logits.copy_(torch::from_blob(start.data(), logits.sizes(), torch::kFloat32));
    return std::unique_ptr<Quantizer>(
        new SearchQuantizer(request, rule, values, scale, logits.set_requires_grad(true)));
}

SearchQuantizer::SearchQuantizer(const MethodRequest& request, Rule rule, std::vector<double> values,
                                 double scale, torch::Tensor logits)
    : m_rule(rule),
      m_options(request.options.search),
      m_seed(request.seed),
      m_values(std::move(values)),
      m_scale(scale),
      m_logits(std::move(logits)) {}

std::string_view SearchQuantizer::method() const {
    return m_rule == Rule::Rdhs ? "rdhs" : "sgt";
}

void SearchQuantizer::beginEpoch(std::int64_t epoch) {
    const double decayed = std::pow(m_options.temperatureRate, static_cast<double>(epoch));
    m_temperature = m_rule == Rule::Rdhs ? std::max(decayed, m_options.temperatureFloor) : 1;
}

std::vector<double> SearchQuantizer::scaledValues() const {
    std::vector<double> scaled;
    for (const double value : m_values)
        scaled.push_back(m_scale * value);
    return scaled;
}

torch::Tensor SearchQuantizer::soft(const torch::Tensor& weight) {
    Choice choice{m_rule, m_values, m_temperature, m_options.gradientSign};
    choice.scale = m_scale;
    if (torch::GradMode::is_enabled()) {
        ++m_passes;
        choice.noise = m_rule == Rule::Rdhs ? m_options.gumbelNoise : 0;
        choice.seed = Random({m_seed, static_cast<std::uint64_t>(m_passes)}).next();
    }
    return chooseWeights(weight, m_logits, choice, m_stream, m_last);
}

QuantizedTensor SearchQuantizer::hard(const torch::Tensor& /*weight*/) const {
    const torch::NoGradGuard guard;
    const torch::Tensor indices = chosenIndices(m_logits.detach(), std::ssize(m_values)).contiguous();
    QuantizedTensor result;
    result.shape = indices.sizes().vec();
    result.components = static_cast<int>(m_values.size());
    for (const double value : scaledValues())
        result.codebook.push_back(static_cast<float>(value));
    const auto* first = indices.data_ptr<std::uint8_t>();
    result.indices.assign(first, first + indices.numel());
    return result;
}

std::vector<QuantizerParameter> SearchQuantizer::parameters() {
    return {{"alpha", m_logits, m_stream}};
}

report::LayerSnapshot SearchQuantizer::snapshot(const torch::Tensor& weight) const {
    const torch::NoGradGuard guard;
    const std::vector<double> values = scaledValues();
    const torch::Tensor relaxed = expectedWeights(m_logits.detach(), values, m_temperature);
    report::LayerSnapshot snapshot = snapshotOfSet(relaxed, hard(weight), histogramRange(values));
    snapshot.mixtures.front().temperature = m_temperature;
    snapshot.gradients.weight = m_last->gradientNorm;
    return snapshot;
}

graph::StateDict SearchQuantizer::state() const {
    return {{"alpha", toGraphTensor(m_logits.to(torch::kFloat32))},
            {"values", toGraphTensor(m_values)},
            {"scale", toGraphTensor(std::vector<double>{m_scale})},
            {"passes", graph::Tensor::fromInt64({1}, {m_passes})}};
}

Status SearchQuantizer::restore(const graph::StateDict& state) {
    // Everything is read and checked before anything changes.
    const auto entries = static_cast<std::int64_t>(m_values.size());
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* alpha,
                             findEntry(state, method(), "alpha", graph::DType::F32, m_logits.sizes().vec()));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* values,
                             findEntry(state, method(), "values", graph::DType::F64, {entries}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* scale,
                             findEntry(state, method(), "scale", graph::DType::F64, {1}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* passes,
                             findEntry(state, method(), "passes", graph::DType::I64, {1}));
    if (elementsOf<double>(*values) != m_values) {
        return fail("{} quantizer: saved \"values\" are not quantizer.values of this job", method());
    }
    const double savedScale = elementsOf<double>(*scale).front();
    if (!(savedScale > 0)) return fail("{} quantizer: saved \"scale\" is {}", method(), savedScale);
    std::vector<float> logits = alpha->toFloats();
    const torch::NoGradGuard guard;
    m_logits.copy_(torch::from_blob(logits.data(), m_logits.sizes(), torch::kFloat32));
    m_scale = savedScale;
    m_passes = elementsOf<std::int64_t>(*passes).front();
    return {};
}

}  // namespace bitloom::quant::search
