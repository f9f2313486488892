#include "engine/train/layer_recorder.h"

#include <span>
#include <utility>

#include "engine/train/state_layout.h"

namespace bitloom::train {
namespace {

/// Values in memory order: a histogram does not care.
torch::Tensor hostValues(const torch::Tensor& weight) {
    return weight.detach().to(torch::kCPU).contiguous();
}

std::span<const float> valuesOf(const torch::Tensor& host) {
    return {host.data_ptr<float>(), static_cast<std::size_t>(host.numel())};
}

/// Sums neighbouring bins until `bins` are left; a histogram whose bins do not divide so stays as it is.
void coarsen(report::Histogram& histogram, int bins) {
    const std::size_t wanted = static_cast<std::size_t>(bins);
    if (histogram.counts.size() <= wanted || histogram.counts.size() % wanted != 0) return;
    const std::size_t merged = histogram.counts.size() / wanted;
    std::vector<std::uint32_t> counts(wanted);
    for (std::size_t i = 0; i < histogram.counts.size(); ++i)
        counts[i / merged] += histogram.counts[i];
    histogram.counts = std::move(counts);
}

}  // namespace

LayerRecorder::LayerRecorder(const Executor& executor, const quant::QuantizerMap& quantizers, int bins)
    : m_executor(executor), m_quantizers(quantizers), m_bins(bins) {
    for (const TrainedParameter& parameter : executor.parameters()) {
        if (parameter.kind != ParameterKind::Weight || quantizers.contains(parameter.node)) continue;
        m_ranges[parameter.node] = stats::histogramRange(valuesOf(hostValues(parameter.tensor)));
    }
}

report::LayerSnapshot LayerRecorder::snapshot(const TrainedParameter& weight) const {
    const auto quantizer = m_quantizers.find(weight.node);
    if (quantizer == m_quantizers.end()) {
        report::LayerSnapshot snapshot;
        snapshot.weights =
            stats::buildHistogram(valuesOf(hostValues(weight.tensor)), m_ranges.at(weight.node), m_bins);
        const torch::Tensor& gradient = weight.tensor.grad();
        if (gradient.defined()) snapshot.gradients.weight = gradient.norm().item<double>();
        return snapshot;
    }
    report::LayerSnapshot snapshot = quantizer->second->snapshot(weight.tensor);
    coarsen(snapshot.weights, m_bins);
    coarsen(snapshot.softWeights, m_bins);
    return snapshot;
}

double LayerRecorder::record(report::ProgressSink& sink, std::int64_t step) const {
    double squares = 0;
    std::int64_t quantized = 0;
    for (const TrainedParameter& parameter : m_executor.parameters()) {
        if (parameter.kind != ParameterKind::Weight) continue;
        report::LayerSnapshot layer = snapshot(parameter);
        layer.layer = parameter.node;
        layer.step = step;
        if (!layer.mixtures.empty()) {
            squares += layer.mse * static_cast<double>(parameter.tensor.numel());
            quantized += parameter.tensor.numel();
        }
        sink.layer(std::make_shared<const report::LayerSnapshot>(std::move(layer)));
    }
    return quantized > 0 ? squares / static_cast<double>(quantized) : report::kNoValue;
}

graph::StateDict LayerRecorder::state() const {
    graph::StateDict state;
    for (const auto& [node, range] : m_ranges)
        state.emplace(node, fromDoubles({range.low, range.high}));
    return state;
}

void LayerRecorder::restore(const graph::StateDict& state) {
    for (auto& [node, range] : m_ranges) {
        const auto found = state.find(node);
        if (found == state.end()) continue;
        const std::vector<double> values = toDoubles(found->second);
        if (values.size() == 2) range = {values[0], values[1]};
    }
}

}  // namespace bitloom::train
