#include "engine/quant/dgms/dgms_quantizer.h"

#include <algorithm>
#include <cmath>

#include <ATen/Parallel.h>

#include "engine/quant/dgms/dgms_init.h"
#include "engine/quant/dgms/dgms_kernel.h"
#include "engine/quant/dgms/hard_assignment.h"
#include "engine/quant/dgms/mixture_reader.h"
#include "engine/quant/saved_state.h"
#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::dgms {
namespace {

torch::Tensor leaf(const std::vector<float>& values, std::vector<std::int64_t> shape, bool trained) {
    return torch::tensor(values, torch::kFloat32).reshape(shape).set_requires_grad(trained);
}

MixtureTensors toTensors(const std::vector<InitialMixture>& mixtures, bool filterWise,
                         const QuantizerOptions& options) {
    std::vector<float> mu;
    std::vector<float> logSigma;
    std::vector<float> logPi;
    for (const InitialMixture& mixture : mixtures) {
        for (std::size_t k = 0; k < mixture.mu.size(); ++k) {
            if (k > 0) mu.push_back(static_cast<float>(mixture.mu[k]));
            logSigma.push_back(static_cast<float>(std::log(mixture.sigma[k])));
            logPi.push_back(static_cast<float>(mixture.pi[k] > 0 ? std::log(mixture.pi[k]) : kUnusedLogPi));
        }
    }
    const auto components = static_cast<std::int64_t>(mixtures.front().mu.size());
    const auto shape = [&](std::int64_t columns) {
        if (!filterWise) return std::vector<std::int64_t>{columns};
        return std::vector<std::int64_t>{static_cast<std::int64_t>(mixtures.size()), columns};
    };
    return {leaf(mu, shape(components - 1), true), leaf(logSigma, shape(components), true),
            leaf(logPi, shape(components), true),
            leaf({static_cast<float>(options.temperature)}, {1}, options.trainTemperature || options.parity)};
}

/// One float32 entry of a saved state.
Result<torch::Tensor> readEntry(const graph::StateDict& state, const char* name, const graph::Shape& shape) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* tensor,
                             findEntry(state, "dgms", name, graph::DType::F32, shape));
    return torch::tensor(tensor->toFloats(), torch::kFloat32).reshape(shape);
}

double gradientNorm(const torch::Tensor& parameter) {
    if (!parameter.is_leaf() || !parameter.grad().defined()) return report::kNoValue;
    return parameter.grad().detach().to(torch::kFloat64).norm().item<double>();
}

report::Mixture toReport(const Components& components) {
    report::Mixture mixture;
    mixture.temperature = components.temperature;
    for (std::size_t k = 0; k < components.mu.size(); ++k) {
        mixture.components.push_back({components.pi[k], components.mu[k], components.sigma[k], 0});
    }
    return mixture;
}

/// Fills sparsity, mse and the soft-hard gap of `snapshot`, and the counts of its mixtures.
void addStatistics(report::LayerSnapshot& snapshot, std::span<const float> weights,
                   std::span<const float> soft, const QuantizedTensor& hard) {
    const std::vector<float> values = hard.dequantize();
    const auto count = static_cast<double>(weights.size());
    const std::size_t perGroup = weights.size() / snapshot.mixtures.size();
    double sum = 0;
    double squares = 0;
    double gap = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        ++snapshot.mixtures[i / perGroup].components[hard.indices[i]].count;
        const double weight = weights[i];
        snapshot.mse += (weight - values[i]) * (weight - values[i]);
        gap += (static_cast<double>(soft[i]) - values[i]) * (static_cast<double>(soft[i]) - values[i]);
        sum += weight;
        squares += weight * weight;
    }
    const double deviation = std::sqrt(std::max(squares / count - (sum / count) * (sum / count), 0.0));
    snapshot.mse /= count;
    snapshot.softHardGap = deviation > 0 ? std::sqrt(gap / count) / deviation : 0;
    snapshot.sparsity = static_cast<double>(hard.zeros()) / count;
}

}  // namespace

Result<InitialMixture> transferredMixture(const MethodRequest& request) {
    double scale = 1;
    if (request.layer.transferScale) {
        BITLOOM_ASSIGN_OR_RETURN(scale, transferScale(*request.start, request.weight));
    }
    return transferredMixture(*request.start, scale);
}

Result<std::unique_ptr<Quantizer>> DgmsQuantizer::make(const MethodRequest& request) {
    if (request.start) {
        BITLOOM_ASSIGN_OR_RETURN(const InitialMixture mixture, transferredMixture(request));
        return std::unique_ptr<Quantizer>(
            startingFrom(mixture, request.options, stats::histogramRange(request.weight)));
    }
    const bool filterWise = request.options.granularity == Granularity::Filter;
    const auto groups = static_cast<std::size_t>(filterWise ? request.shape.front() : 1);
    const std::size_t perGroup = request.weight.size() / groups;
    std::vector<InitialMixture> mixtures;
    std::size_t components = 2;
    for (std::size_t group = 0; group < groups; ++group) {
        mixtures.push_back(initialMixture(request.weight.subspan(group * perGroup, perGroup),
                                          request.layer.components, request.options.initSigma));
        components = std::max(components, mixtures.back().mu.size());
    }
    for (InitialMixture& mixture : mixtures)
        pad(mixture, static_cast<int>(components));
    return std::unique_ptr<Quantizer>(new DgmsQuantizer(request.options,
                                                        stats::histogramRange(request.weight),
                                                        toTensors(mixtures, filterWise, request.options)));
}

std::unique_ptr<DgmsQuantizer> DgmsQuantizer::startingFrom(const InitialMixture& mixture,
                                                           const QuantizerOptions& options,
                                                           const stats::Range& histogramRange) {
    return std::unique_ptr<DgmsQuantizer>(
        new DgmsQuantizer(options, histogramRange, toTensors({mixture}, false, options)));
}

DgmsQuantizer::DgmsQuantizer(const QuantizerOptions& options, const stats::Range& histogramRange,
                             MixtureTensors mixture)
    : m_groups(mixture.groups()),
      m_trainTemperature(mixture.tau.requires_grad()),
      m_options{options.parity, options.weightGradient},
      m_histogramRange(histogramRange),
      m_mixture(std::move(mixture)) {}

InitialMixture DgmsQuantizer::mixture() const {
    const Components components = readComponents(m_mixture, m_options.parity).front();
    return {components.mu, components.sigma, components.pi};
}

void DgmsQuantizer::assign(InitialMixture mixture) {
    pad(mixture, static_cast<int>(m_mixture.components()));
    const MixtureTensors tensors = toTensors({std::move(mixture)}, false, QuantizerOptions{});
    const torch::NoGradGuard guard;
    m_mixture.mu.copy_(tensors.mu);
    m_mixture.logSigma.copy_(tensors.logSigma);
    m_mixture.logPi.copy_(tensors.logPi);
}

/// Takes back what an optimizer step moved out of bounds, so that a parameter cannot drift where it has no
/// effect.
void DgmsQuantizer::projectParameters() {
    const torch::NoGradGuard guard;
    m_mixture.logSigma.clamp_min_(std::log(kMinSigma));
    m_mixture.tau.clamp_(kMinTemperature, kMaxTemperature);
}

torch::Tensor DgmsQuantizer::soft(const torch::Tensor& weight) {
    projectParameters();
    return softWeights(weight, m_mixture, m_options);
}

torch::Tensor DgmsQuantizer::hardForward(const torch::Tensor& weight) {
    projectParameters();
    SoftOptions options = m_options;
    options.hardForward = true;
    return softWeights(weight, m_mixture, options);
}

QuantizedTensor DgmsQuantizer::hard(const torch::Tensor& weight) const {
    const torch::Tensor local = rowMajorFloats(weight);
    const std::span<const float> values = valuesOf(local);
    const std::vector<Components> mixtures = readComponents(m_mixture, m_options.parity);
    QuantizedTensor result;
    result.shape = local.sizes().vec();
    result.groups = static_cast<int>(m_groups);
    result.components = mixtures.front().size();
    result.indices.resize(values.size());
    const auto perGroup = static_cast<std::int64_t>(values.size()) / m_groups;
    for (std::int64_t group = 0; group < m_groups; ++group) {
        const Components& components = mixtures[static_cast<std::size_t>(group)];
        for (const double mu : components.mu)
            result.codebook.push_back(static_cast<float>(mu));
        const float* first = values.data() + group * perGroup;
        std::uint8_t* target = result.indices.data() + group * perGroup;
        const auto [low, high] = std::minmax_element(first, first + perGroup);
        const auto cells = static_cast<int>(std::clamp<std::int64_t>(perGroup / 16, 1, 4096));
        const HardAssigner assigner(components, *low, *high, cells);
        at::parallel_for(0, perGroup, kParallelGrain, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i)
                target[i] = assigner.index(first[i]);
        });
    }
    return result;
}

std::vector<QuantizerParameter> DgmsQuantizer::parameters() {
    std::vector<QuantizerParameter> result{
        {"mu", m_mixture.mu}, {"sigma", m_mixture.logSigma}, {"pi", m_mixture.logPi}};
    if (m_trainTemperature) result.push_back({"tau", m_mixture.tau});
    return result;
}

report::LayerSnapshot DgmsQuantizer::snapshot(const torch::Tensor& weight) const {
    const torch::NoGradGuard guard;
    const torch::Tensor local = rowMajorFloats(weight);
    const torch::Tensor soft = softWeights(local, m_mixture, m_options);
    const std::span<const float> values = valuesOf(local);
    report::LayerSnapshot snapshot;
    for (const Components& components : readComponents(m_mixture, m_options.parity)) {
        snapshot.mixtures.push_back(toReport(components));
    }
    snapshot.bits = std::log2(static_cast<double>(m_mixture.components()));
    snapshot.weights = stats::buildHistogram(values, m_histogramRange);
    snapshot.softWeights = stats::buildHistogram(valuesOf(soft), m_histogramRange);
    addStatistics(snapshot, values, valuesOf(soft), hard(local));
    snapshot.gradients = {gradientNorm(weight), gradientNorm(m_mixture.mu), gradientNorm(m_mixture.logSigma),
                          gradientNorm(m_mixture.logPi), gradientNorm(m_mixture.tau)};
    return snapshot;
}

graph::StateDict DgmsQuantizer::state() const {
    return {{"mu", toGraphTensor(m_mixture.mu)},
            {"log_sigma", toGraphTensor(m_mixture.logSigma)},
            {"log_pi", toGraphTensor(m_mixture.logPi)},
            {"tau", toGraphTensor(m_mixture.tau)},
            {"histogram_range", toGraphTensor({m_histogramRange.low, m_histogramRange.high})}};
}

Status DgmsQuantizer::restore(const graph::StateDict& state) {
    // Everything is read and checked before anything changes.
    BITLOOM_ASSIGN_OR_RETURN(const torch::Tensor mu, readEntry(state, "mu", m_mixture.mu.sizes().vec()));
    BITLOOM_ASSIGN_OR_RETURN(const torch::Tensor logSigma,
                             readEntry(state, "log_sigma", m_mixture.logSigma.sizes().vec()));
    BITLOOM_ASSIGN_OR_RETURN(const torch::Tensor logPi,
                             readEntry(state, "log_pi", m_mixture.logPi.sizes().vec()));
    BITLOOM_ASSIGN_OR_RETURN(const torch::Tensor tau, readEntry(state, "tau", {1}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* range,
                             findEntry(state, method(), "histogram_range", graph::DType::F64, {2}));
    const std::vector<double> ends = elementsOf<double>(*range);
    if (!(ends[0] < ends[1])) return fail("dgms quantizer: saved \"histogram_range\" is empty");
    const torch::NoGradGuard guard;
    m_mixture.mu.copy_(mu);
    m_mixture.logSigma.copy_(logSigma);
    m_mixture.logPi.copy_(logPi);
    m_mixture.tau.copy_(tau);
    m_histogramRange = {ends[0], ends[1]};
    return {};
}

}  // namespace bitloom::quant::dgms
