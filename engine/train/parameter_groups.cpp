#include "engine/train/parameter_groups.h"

#include <algorithm>

namespace bitloom::train {
namespace {

std::vector<ParameterGroup> emptyGroups(const TrainOptions& options) {
    const GroupRates& rates = options.rates;
    return {{"weight", rates.weight, options.weightDecay, {}},
            {"full", rates.full, options.weightDecay, {}},
            {"batchNorm", rates.batchNorm, options.decayBatchNorm, {}},
            {"mu", rates.mu, options.decayMixture, {}},
            {"sigma", rates.sigma, options.decayMixture, {}},
            {"pi", rates.pi, options.decayMixture, {}},
            {"tau", rates.tau, options.decayMixture, {}},
            {"alpha", rates.alpha, options.decayAlpha, {}},
            {"clip", rates.clip, 0, {}},
            {"activationStep", rates.activationStep, 0, {}}};
}

/// Null: the parameter does not train.
const char* groupOf(const TrainedParameter& parameter, const quant::QuantizerMap& quantizers) {
    if (parameter.kind == ParameterKind::BatchNorm) return "batchNorm";
    const auto quantizer = quantizers.find(parameter.node);
    if (parameter.kind != ParameterKind::Weight || quantizer == quantizers.end()) return "full";
    return quantizer->second->hasLatentWeights() ? "weight" : nullptr;
}

ParameterGroup* findGroup(std::vector<ParameterGroup>& groups, std::string_view name) {
    const auto found = std::ranges::find(groups, name, &ParameterGroup::name);
    return found == groups.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<ParameterGroup>> makeParameterGroups(const Executor& executor,
                                                        const quant::QuantizerMap& quantizers,
                                                        const TrainOptions& options,
                                                        const std::vector<quant::ActivationStep>& steps) {
    std::vector<ParameterGroup> groups = emptyGroups(options);
    for (const TrainedParameter& parameter : executor.parameters()) {
        torch::Tensor tensor = parameter.tensor;
        if (const char* group = groupOf(parameter, quantizers)) {
            findGroup(groups, group)->tensors.push_back({parameter.name, tensor});
        } else {
            tensor.set_requires_grad(false);
        }
    }
    for (const auto& [node, quantizer] : quantizers) {
        for (const quant::QuantizerParameter& parameter : quantizer->parameters()) {
            ParameterGroup* group = findGroup(groups, parameter.group);
            if (!group) {
                return fail("{}: method {} trains '{}', for which there is no learning rate", node,
                            quantizer->method(), parameter.group);
            }
            group->tensors.push_back({node + "." + parameter.group, parameter.tensor, parameter.stream});
        }
    }
    for (const quant::ActivationStep& step : steps)
        findGroup(groups, "activationStep")->tensors.push_back({step.node, step.tensor});
    for (ParameterGroup& group : groups) {
        for (NamedTensor& named : group.tensors)
            named.tensor.set_requires_grad(group.rate > 0);
    }
    std::erase_if(groups,
                  [](const ParameterGroup& group) { return group.rate <= 0 || group.tensors.empty(); });
    if (groups.empty()) return usageError("nothing to train: every learning rate is 0; set train.rate");
    return groups;
}

}  // namespace bitloom::train
