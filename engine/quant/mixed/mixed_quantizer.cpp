#include "engine/quant/mixed/mixed_quantizer.h"

#include <bit>
#include <cmath>

#include "engine/quant/mixed/mixture_merge.h"
#include "engine/quant/relative_error.h"
#include "engine/quant/saved_state.h"
#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::mixed {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kMergeEvery = 25;
constexpr const char* kLowerPart = "lower/";

double errorOf(const torch::Tensor& weight, const QuantizedTensor& hard) {
    const torch::Tensor local = rowMajorFloats(weight);
    const std::span<const float> values = valuesOf(local);
    const std::vector<float> deployed = hard.dequantize();
    return relativeError(values, [&](std::size_t i) { return deployed[i]; });
}

struct WidthChoice : torch::CustomClassHolder {
    sdq::Bitwidth* width = nullptr;
    double slope = 0;
    sdq::Sensitivity* sensitivity = nullptr;
    torch::Tensor weight;
    torch::Tensor difference;  // Q_b(w) - Q_{b-1}(w)
};

/// Passes on the weights at the sampled width, and on the way back the gradient of the width:
/// <G, Q_b(w) - Q_{b-1}(w)> times the slope.
class WidthFunction : public torch::autograd::Function<WidthFunction> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& chosen,
                                 const c10::intrusive_ptr<WidthChoice>& choice) {
        context->saved_data["choice"] = c10::IValue::make_capsule(choice);
        return chosen.view_as(chosen);
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const auto holder = context->saved_data["choice"].toCapsule();
        const auto& choice = static_cast<const WidthChoice&>(*holder);
        const torch::Tensor product = (outputs[0].to(torch::kFloat64) * choice.difference).sum();
        choice.width->addGradient(product.item<double>() * choice.slope);
        choice.sensitivity->add(choice.weight, outputs[0]);
        return {outputs[0], torch::Tensor()};
    }
};

/// With 2^bits entries, those that no weight takes at the end.
QuantizedTensor compacted(QuantizedTensor tensor, const dgms::InitialMixture& mixture, int bits) {
    std::vector<float> codebook;
    std::vector<std::uint8_t> places(tensor.codebook.size());
    for (std::size_t k = 0; k < places.size(); ++k) {
        places[k] = static_cast<std::uint8_t>(codebook.size());
        if (mixture.pi[k] > 0) codebook.push_back(tensor.codebook[k]);
    }
    codebook.resize(std::size_t{1} << bits);
    tensor.components = static_cast<int>(codebook.size());
    tensor.codebook = std::move(codebook);
    for (std::uint8_t& index : tensor.indices)
        index = places[index];
    return tensor;
}

int componentsAt(int bits) {
    return (1 << bits) + (hasZero(bits) ? 0 : 1);  // the place of the zero stands unused beside the others
}

}  // namespace

Status checkComponents(const QuantizerOptions& options, const LayerOptions& layer, const std::string& where) {
    if (options.granularity != Granularity::Layer)
        return usageError("quantizer: granularity = \"filter\"; {} has one mixture a layer", layer.method);
    if (std::has_single_bit(static_cast<unsigned>(layer.components))) return {};
    return usageError("{}: components = {}; {} halves them with each bit, give bits = 1 to 8", where,
                      layer.components, layer.method);
}

Result<std::unique_ptr<Quantizer>> MixedQuantizer::make(const MethodRequest& request) {
    if (request.start) {
        BITLOOM_ASSIGN_OR_RETURN(dgms::InitialMixture mixture, dgms::transferredMixture(request));
        return std::unique_ptr<Quantizer>(new MixedQuantizer(request, std::move(mixture)));
    }
    const int bits = std::bit_width(static_cast<unsigned>(request.layer.components)) - 1;
    const auto start = hasZero(bits) ? &dgms::initialMixture : &dgms::mixtureWithoutZero;
    return std::unique_ptr<Quantizer>(
        new MixedQuantizer(request, start(request.weight, 1 << bits, request.options.initSigma)));
}

MixedQuantizer::MixedQuantizer(const MethodRequest& request, dgms::InitialMixture mixture)
    : m_options(request.options),
      m_histogramRange(stats::histogramRange(request.weight)),
      m_width(std::make_shared<sdq::Bitwidth>(
          std::bit_width(static_cast<unsigned>(request.layer.components)) - 1, request.seed)) {
    m_upper = withMixture(std::move(mixture), componentsAt(m_width->bits()));
    const std::vector<float> values(request.weight.begin(), request.weight.end());
    m_sinceMerge = kMergeEvery;  // the mixture below is made from the weights as they are then
    followWidth(torch::tensor(values, torch::kFloat32));
}

std::unique_ptr<dgms::DgmsQuantizer> MixedQuantizer::withMixture(dgms::InitialMixture mixture,
                                                                 int components) const {
    dgms::pad(mixture, components);
    return dgms::DgmsQuantizer::startingFrom(std::move(mixture), m_options, m_histogramRange);
}

/// Merges the mixture down to the width's bits where they went down, and makes the one below anew from time
/// to time.
void MixedQuantizer::followWidth(const torch::Tensor& weight) {
    const int bits = m_width->bits();
    const bool lowered = m_errors.bits > bits;
    if (!lowered && (m_sinceMerge < kMergeEvery || (m_lower && !m_width->isOpen()))) return;
    if (lowered) m_upper->assign(mergedTo(m_upper->mixture(), bits));
    m_errors = {bits, errorOf(weight, m_upper->hard(weight)), 0};
    m_sinceMerge = 0;
    const int below = std::max(bits - 1, 1);
    m_lower = withMixture(mergedTo(m_upper->mixture(), below), componentsAt(below));
    for (const QuantizerParameter& parameter : m_lower->parameters())
        parameter.tensor.set_requires_grad(false);
    m_errors.lower = errorOf(weight, m_lower->hard(weight));
}

torch::Tensor MixedQuantizer::quantize(const torch::Tensor& weight, bool hardForward) {
    const auto of = [&](dgms::DgmsQuantizer& mixture) {
        return hardForward ? mixture.hardForward(weight) : mixture.soft(weight);
    };
    followWidth(weight);
    if (!torch::GradMode::is_enabled()) return of(*m_upper);
    ++m_passes;
    ++m_sinceMerge;
    if (!m_width->isOpen()) return of(*m_upper);
    m_errors.addGradient(m_options.sdq.errorWeight, *m_width);
    const sdq::Bitwidth::Sample sample = m_width->sample(m_passes);
    const torch::Tensor chosen = of(sample.stays ? *m_upper : *m_lower);
    auto choice = c10::make_intrusive<WidthChoice>();
    choice->width = m_width.get();
    choice->slope = sample.slope;
    choice->sensitivity = &m_sensitivity;
    choice->weight = weight.detach();
    {
        const torch::NoGradGuard guard;
        const torch::Tensor difference = chosen - of(sample.stays ? *m_lower : *m_upper);
        choice->difference = sample.stays ? difference : -difference;
    }
    return WidthFunction::apply(chosen, choice);
}

torch::Tensor MixedQuantizer::soft(const torch::Tensor& weight) {
    return quantize(weight, false);
}

torch::Tensor MixedQuantizer::hardForward(const torch::Tensor& weight) {
    return quantize(weight, true);
}

QuantizedTensor MixedQuantizer::hard(const torch::Tensor& weight) const {
    const dgms::InitialMixture mixture = m_upper->mixture();
    const int bits = m_width->bits();
    if (m_errors.bits <= bits) return compacted(m_upper->hard(weight), mixture, bits);
    // The width went down after the last pass.
    const auto lowered = withMixture(mergedTo(mixture, bits), componentsAt(bits));
    return compacted(lowered->hard(weight), lowered->mixture(), bits);
}

report::LayerSnapshot MixedQuantizer::snapshot(const torch::Tensor& weight) const {
    const int bits = m_width->bits();
    const bool behind = m_errors.bits > bits;
    const auto lowered =
        behind ? withMixture(mergedTo(m_upper->mixture(), bits), componentsAt(bits)) : nullptr;
    report::LayerSnapshot snapshot = (behind ? *lowered : *m_upper).snapshot(weight);
    std::erase_if(snapshot.mixtures.front().components,
                  [](const report::MixtureComponent& component) { return component.pi <= 0; });
    snapshot.bits = bits;
    snapshot.choice = {m_width->probability(), m_width->lastGradient(), m_width->isOpen()};
    return snapshot;
}

graph::StateDict MixedQuantizer::state() const {
    graph::StateDict state = m_upper->state();
    for (auto& [name, tensor] : m_lower->state())
        state.emplace(kLowerPart + name, tensor);
    state.emplace("width", toGraphTensor(m_width->state()));
    state.emplace("errors", toGraphTensor({static_cast<double>(m_errors.bits), m_errors.upper, m_errors.lower,
                                           static_cast<double>(m_sinceMerge)}));
    state.emplace("sensitivity", toGraphTensor({m_sensitivity.value(), m_sensitivity.passes()}));
    state.emplace("passes", graph::Tensor::fromInt64({1}, {m_passes}));
    return state;
}

Status MixedQuantizer::restore(const graph::StateDict& state) {
    BITLOOM_ASSIGN_OR_RETURN(
        const graph::Tensor* width,
        findEntry(state, method(), "width", graph::DType::F64, {sdq::Bitwidth::kStateSize}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* errors,
                             findEntry(state, method(), "errors", graph::DType::F64, {4}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* passes,
                             findEntry(state, method(), "passes", graph::DType::I64, {1}));
    BITLOOM_ASSIGN_OR_RETURN(const graph::Tensor* sensitivity,
                             findEntry(state, method(), "sensitivity", graph::DType::F64, {2}));
    const auto readMixture = [&](const std::string& part) -> Result<std::unique_ptr<dgms::DgmsQuantizer>> {
        graph::StateDict own;
        for (const auto& [name, tensor] : state) {
            if (name.starts_with(part)) own.emplace(name.substr(part.size()), tensor);
        }
        const auto pi = own.find("log_pi");
        const bool fits = pi != own.end() && pi->second.shape.size() == 1 && pi->second.shape[0] >= 2 &&
                          pi->second.shape[0] <= 256;
        if (!fits) return fail("dgms-mixed quantizer: saved \"{}log_pi\" is not a mixture's", part);
        auto mixture = withMixture({{0}, {1}, {1}}, static_cast<int>(pi->second.shape[0]));
        BITLOOM_RETURN_IF_ERROR(mixture->restore(own));
        return mixture;
    };
    BITLOOM_ASSIGN_OR_RETURN(auto upper, readMixture(""));
    BITLOOM_ASSIGN_OR_RETURN(auto lower, readMixture(kLowerPart));
    const std::vector<double> saved = elementsOf<double>(*errors);
    if (!(saved[0] >= 1 && saved[0] <= 8))
        return fail("dgms-mixed quantizer: saved \"errors\" are not those of 1 to 8 bits");
    BITLOOM_RETURN_IF_ERROR(m_width->restore(elementsOf<double>(*width)));
    const std::vector<double> range = elementsOf<double>(state.at("histogram_range"));
    m_histogramRange = {range[0], range[1]};
    m_upper = std::move(upper);
    m_lower = std::move(lower);
    for (const QuantizerParameter& parameter : m_lower->parameters())
        parameter.tensor.set_requires_grad(false);
    m_errors = {static_cast<int>(saved[0]), saved[1], saved[2]};
    m_sinceMerge = static_cast<std::int64_t>(saved[3]);
    m_sensitivity = {elementsOf<double>(*sensitivity)[0], elementsOf<double>(*sensitivity)[1]};
    m_passes = elementsOf<std::int64_t>(*passes).front();
    return {};
}

}  // namespace bitloom::quant::mixed
