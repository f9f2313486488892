#include "engine/quant/sdq/sdq_quantizer.h"

#include <bit>

#include "engine/quant/fixed_set.h"
#include "engine/quant/saved_state.h"
#include "engine/quant/uniform/levels.h"
#include "engine/quant/uniform/uniform_function.h"
#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::sdq {
namespace {

constexpr std::int64_t kSearchEvery = 25;

}  // namespace

Result<std::unique_ptr<Quantizer>> SdqQuantizer::make(const MethodRequest& request) {
    return std::unique_ptr<Quantizer>(new SdqQuantizer(request));
}

SdqQuantizer::SdqQuantizer(const MethodRequest& request)
    : m_errorWeight(request.options.sdq.errorWeight),
      m_width(std::make_shared<Bitwidth>(std::bit_width(static_cast<unsigned>(request.layer.components)) - 1,
                                         request.seed)),
      m_histogramRange(stats::histogramRange(request.weight)) {
    const std::vector<float> values(request.weight.begin(), request.weight.end());
    searchClips(torch::tensor(values, torch::kFloat32));
}

void SdqQuantizer::searchClips(const torch::Tensor& weight) {
    const torch::Tensor local = rowMajorFloats(weight);
    const std::span<const float> values = valuesOf(local);
    m_pair.bits = m_width->bits();
    m_sinceSearch = 0;
    const float clip = uniform::fitClip(values, m_pair.bits);
    m_pair.clip = clip;
    m_errors = {m_pair.bits, uniform::relativeError(values, {m_pair.bits, clip}), 0};
    if (!m_width->isOpen()) return;
    const float lower = uniform::fitClip(values, m_pair.bits - 1);
    m_pair.lowerClip = lower;
    m_errors.lower = uniform::relativeError(values, {m_pair.bits - 1, lower});
}

torch::Tensor SdqQuantizer::soft(const torch::Tensor& weight) {
    if (m_pair.bits != m_width->bits() || m_sinceSearch >= kSearchEvery) searchClips(weight);
    if (!torch::GradMode::is_enabled()) return sampledWeights(weight, m_pair, {}, *m_width, m_sensitivity);
    ++m_passes;
    ++m_sinceSearch;
    m_errors.addGradient(m_errorWeight, *m_width);
    return sampledWeights(weight, m_pair, m_width->sample(m_passes), *m_width, m_sensitivity);
}

QuantizedTensor SdqQuantizer::hard(const torch::Tensor& weight) const {
    const int bits = m_width->bits();
    const torch::Tensor local = rowMajorFloats(weight);
    const std::span<const float> values = valuesOf(local);
    const bool searched = m_pair.bits == bits;
    const float clip = searched ? static_cast<float>(m_pair.clip) : uniform::fitClip(values, bits);
    return uniform::nearestOf(weight, uniform::Levels<float>(bits, clip));
}

report::LayerSnapshot SdqQuantizer::snapshot(const torch::Tensor& weight) const {
    report::LayerSnapshot snapshot = snapshotOfSet(weight, hard(weight), m_histogramRange);
    snapshot.choice = {m_width->probability(), m_width->lastGradient(), m_width->isOpen()};
    return snapshot;
}

graph::StateDict SdqQuantizer::state() const {
    return {{"width", toGraphTensor(m_width->state())},
            {"clips", toGraphTensor(std::vector<double>{static_cast<double>(m_pair.bits), m_pair.clip,
                                                        m_pair.lowerClip, static_cast<double>(m_sinceSearch),
                                                        m_errors.upper, m_errors.lower})},
            {"sensitivity", toGraphTensor({m_sensitivity.value(), m_sensitivity.passes()})},
            {"histogram_range", toGraphTensor({m_histogramRange.low, m_histogramRange.high})},
            {"passes", graph::Tensor::fromInt64({1}, {m_passes})}};
}

Status SdqQuantizer::restore(const graph::StateDict& state) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* width,
                             findEntry(state, method(), "width", graph::DType::F64, {Bitwidth::kStateSize}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* clips,
                             findEntry(state, method(), "clips", graph::DType::F64, {6}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* range,
                             findEntry(state, method(), "histogram_range", graph::DType::F64, {2}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* passes,
                             findEntry(state, method(), "passes", graph::DType::I64, {1}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* sensitivity,
                             findEntry(state, method(), "sensitivity", graph::DType::F64, {2}));
    const std::vector<double> saved = elementsOf<double>(*clips);
    const std::vector<double> ends = elementsOf<double>(*range);
    if (!(saved[0] >= 1 && saved[0] <= 8 && saved[1] > 0 && saved[2] > 0))
        return fail("sdq quantizer: saved \"clips\" are not those of 1 to 8 bits");
    if (!(ends[0] < ends[1])) return fail("sdq quantizer: saved \"histogram_range\" is empty");
    BITLOOM_RETURN_IF_ERROR(m_width->restore(elementsOf<double>(*width)));
    m_pair = {static_cast<int>(saved[0]), saved[1], saved[2]};
    m_sinceSearch = static_cast<std::int64_t>(saved[3]);
    m_errors = {m_pair.bits, saved[4], saved[5]};
    m_histogramRange = {ends[0], ends[1]};
    m_sensitivity = {elementsOf<double>(*sensitivity)[0], elementsOf<double>(*sensitivity)[1]};
    m_passes = elementsOf<std::int64_t>(*passes).front();
    return {};
}

}  // namespace bitloom::quant::sdq
