#include "engine/quant/activation/activation_quantizers.h"

#include <cmath>

#include "engine/quant/activation/range_search.h"
#include "engine/quant/activation/rounding_function.h"
#include "engine/quant/saved_state.h"

namespace bitloom::quant {
namespace {

/// LSQ's factor, 1 / sqrt(N Qp), of N values of one image.
double lsqFactor(const torch::Tensor& x, int highest) {
    const double values =
        static_cast<double>(x.numel()) / static_cast<double>(std::max<std::int64_t>(1, x.size(0)));
    return 1 / std::sqrt(std::max(1.0, values) * highest);
}

}  // namespace

ActivationFunctions roundingFunctions(const ActivationMap& activations) {
    ActivationFunctions functions;
    for (const auto& [node, rounding] : activations) {
        functions.emplace(node, [rounding = rounding](const torch::Tensor& x) {
            const torch::Tensor step = torch::full({1}, rounding.scale, x.scalar_type());
            return roundActivation(x, step, {rounding.highest(), rounding.zeroPoint, 1});
        });
    }
    return functions;
}

Result<ActivationQuantizers> ActivationQuantizers::make(const graph::Graph& graph,
                                                        const ActivationOptions& options) {
    ActivationQuantizers quantizers;
    BITLOOM_ASSIGN_OR_RETURN(quantizers.m_planned, planActivations(graph, options));
    for (const PlannedActivation& planned : quantizers.m_planned) {
        Entry entry;
        entry.rounding.bits = planned.bits;
        entry.step = torch::ones({1}, torch::kFloat32);
        entry.trained = options.method == ActivationMethod::Lsq && planned.node != graph.nodes().front().name;
        entry.step.set_requires_grad(entry.trained);
        quantizers.m_entries.emplace(planned.node, std::move(entry));
    }
    return quantizers;
}

Status ActivationQuantizers::set(const ActivationMap& activations) {
    for (auto& [node, entry] : m_entries) {
        const auto found = activations.find(node);
        if (found == activations.end()) return fail("the activation {} has no step size", node);
        const QuantizedActivation& rounding = found->second;
        const bool sound = rounding.bits == entry.rounding.bits && std::isfinite(rounding.scale) &&
                           rounding.scale > 0 && rounding.zeroPoint >= 0 &&
                           rounding.zeroPoint <= rounding.highest();
        if (!sound) {
            return fail("the activation {}: scale {}, zero {} make no rounding to {} bits", node,
                        rounding.scale, rounding.zeroPoint, entry.rounding.bits);
        }
        entry.rounding = rounding;
        const torch::NoGradGuard guard;
        entry.step.fill_(rounding.scale);
    }
    m_ready = !m_entries.empty();
    return {};
}

ActivationMap ActivationQuantizers::deployed() const {
    ActivationMap activations;
    if (!m_ready) return activations;
    for (const auto& [node, entry] : m_entries) {
        QuantizedActivation& rounding = activations.emplace(node, entry.rounding).first->second;
        rounding.scale = std::max(kLeastScale, entry.step.item<float>());
    }
    return activations;
}

std::vector<ActivationStep> ActivationQuantizers::steps() const {
    std::vector<ActivationStep> steps;
    for (const PlannedActivation& planned : m_planned) {
        const Entry& entry = m_entries.find(planned.node)->second;
        if (entry.trained) steps.push_back({planned.node, entry.step});
    }
    return steps;
}

ActivationFunctions ActivationQuantizers::functions() const {
    ActivationFunctions functions;
    if (!m_ready) return functions;
    for (const auto& [node, entry] : m_entries) {
        functions.emplace(node, [step = entry.step, rounding = entry.rounding](const torch::Tensor& x) {
            {
                const torch::NoGradGuard guard;
                torch::Tensor(step).clamp_min_(kLeastScale);
            }
            return roundActivation(
                x, step, {rounding.highest(), rounding.zeroPoint, lsqFactor(x, rounding.highest())});
        });
    }
    return functions;
}

graph::StateDict ActivationQuantizers::state() const {
    graph::StateDict state;
    for (const auto& [node, rounding] : deployed()) {
        state.emplace(node, toGraphTensor(std::vector<double>{static_cast<double>(rounding.scale),
                                                              static_cast<double>(rounding.zeroPoint)}));
    }
    return state;
}

Status ActivationQuantizers::restore(const graph::StateDict& state) {
    m_ready = false;
    if (state.empty()) return {};
    ActivationMap activations;
    for (const PlannedActivation& planned : m_planned) {
        BITLOOM_ASSIGN_OR_RETURN(
            const graph::Tensor* entry,
            findEntry(state, "activation", planned.node.c_str(), graph::DType::F64, {2}));
        const std::vector<double> values = elementsOf<double>(*entry);
        const double zero = values[1];
        if (!(zero >= 0 && zero <= 255))
            return fail("the saved activation {} has zero point {}", planned.node, zero);
        activations[planned.node] = {planned.bits, static_cast<float>(values[0]), static_cast<int>(zero)};
    }
    return set(activations);
}

}  // namespace bitloom::quant
