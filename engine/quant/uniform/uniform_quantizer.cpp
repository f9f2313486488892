#include "engine/quant/uniform/uniform_quantizer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/quant/fixed_set.h"
#include "engine/quant/saved_state.h"
#include "engine/quant/uniform/levels.h"
#include "engine/quant/uniform/uniform_function.h"

namespace bitloom::quant::uniform {
namespace {

/// A clip below this share of the first one would round all weights to its ends.
constexpr float kLeastShare = 1e-3F;

}  // namespace

Status checkLevels(const LayerOptions& layer, const std::string& where) {
    if (!layer.values.empty()) {
        return usageError(
            "{}: values is for methods \"rdhs\" and \"sgt\"; the levels of {} are equally spaced", where,
            layer.method);
    }
    if (layer.components >= 2 && layer.components <= 1 << kMostBits &&
        std::has_single_bit(static_cast<unsigned>(layer.components)))
        return {};
    return usageError("{}: components = {}; {} has 2^bits levels, give bits = 1 to {}", where,
                      layer.components, layer.method, kMostBits);
}

Result<std::unique_ptr<Quantizer>> UniformQuantizer::make(const MethodRequest& request) {
    return std::unique_ptr<Quantizer>(new UniformQuantizer(request));
}

UniformQuantizer::UniformQuantizer(const MethodRequest& request)
    : m_bits(std::bit_width(static_cast<unsigned>(request.layer.components)) - 1),
      // Of the many bins of the network's ends most hold a weight or two: nothing to gather.
      m_binRegulariser(request.outsideAverage ? 0 : request.options.binRegulariser),
      m_histogramRange(stats::histogramRange(request.weight)) {
    const float clip = fitClip(request.weight, m_bits);
    m_leastClip = kLeastShare * clip;
    m_clip = torch::full({1}, clip, torch::kFloat32).set_requires_grad(true);
}

torch::Tensor UniformQuantizer::soft(const torch::Tensor& weight) {
    {
        const torch::NoGradGuard guard;
        m_clip.clamp_min_(m_leastClip);
    }
    // Levels of a layer of zeros lie so close that the pull to their middle would throw its weights out.
    const bool zeros = m_leastClip <= kLeastShare * kSmallestClip;
    return roundWeights(weight, m_clip, {m_bits, zeros ? 0 : m_binRegulariser});
}

QuantizedTensor UniformQuantizer::hard(const torch::Tensor& weight) const {
    return nearestOf(weight, Levels<float>(m_bits, m_clip.item<float>()));
}

std::vector<QuantizerParameter> UniformQuantizer::parameters() {
    return {{"clip", m_clip}};
}

report::LayerSnapshot UniformQuantizer::snapshot(const torch::Tensor& weight) const {
    return snapshotOfSet(weight, hard(weight), m_histogramRange);
}

graph::StateDict UniformQuantizer::state() const {
    return {{"clip", toGraphTensor(m_clip)},
            {"least_clip", toGraphTensor(std::vector<double>{m_leastClip})},
            {"histogram_range", toGraphTensor({m_histogramRange.low, m_histogramRange.high})}};
}

Status UniformQuantizer::restore(const graph::StateDict& state) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* clip,
                             findEntry(state, method(), "clip", graph::DType::F32, {1}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* least,
                             findEntry(state, method(), "least_clip", graph::DType::F64, {1}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* range,
                             findEntry(state, method(), "histogram_range", graph::DType::F64, {2}));
    const float saved = elementsOf<float>(*clip).front();
    const std::vector<double> ends = elementsOf<double>(*range);
    const auto smallest = static_cast<float>(elementsOf<double>(*least).front());
    if (!(saved > 0)) return fail("{} quantizer: saved \"clip\" is {}", method(), saved);
    if (!(smallest > 0)) return fail("{} quantizer: saved \"least_clip\" is {}", method(), smallest);
    if (!(ends[0] < ends[1])) return fail("{} quantizer: saved \"histogram_range\" is empty", method());
    const torch::NoGradGuard guard;
    m_clip.fill_(saved);
    m_leastClip = smallest;
    m_histogramRange = {ends[0], ends[1]};
    return {};
}

}  // namespace bitloom::quant::uniform
