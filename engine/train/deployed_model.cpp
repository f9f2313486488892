#include "engine/train/deployed_model.h"

#include "engine/quant/activation/activation_quantizers.h"
#include "engine/train/guarded.h"
#include "engine/train/state_layout.h"
#include "engine/train/tensor_conversion.h"

namespace bitloom::train {
namespace {

Result<LatentModel> readLatent(const graph::Graph& graph, const quant::QuantizerOptions& options,
                               std::uint64_t seed, const TrainerState& state) {
    LatentModel latent;
    latent.parameters = partOf(state.tensors, kModelPart);
    for (const graph::ParameterSpec& spec : graph.parameters()) {
        if (!latent.parameters.contains(spec.name))
            return fail("the checkpoint lacks {}; it belongs to another job", spec.name);
    }
    BITLOOM_ASSIGN_OR_RETURN(
        latent.quantizers,
        quant::makeQuantizers(graph, latent.parameters, optionsOf(options, state.tensors), seed));
    for (const auto& [node, quantizer] : latent.quantizers) {
        BITLOOM_RETURN_IF_ERROR(quantizer->restore(partOf(state.tensors, quantizerPart(node))));
    }
    latent.calibrated = latent.quantizers.empty();
    if (!latent.calibrated && readEvaluation(state.tensors).step == state.step) {
        addPart(latent.parameters, "", partOf(state.tensors, kScoredPart));
        latent.calibrated = true;
    }
    return latent;
}

std::string readingOf(const TrainerState& state) {
    return fmt::format("reading the checkpoint of step {}", state.step);
}

}  // namespace

quant::QuantizedModel hardModel(const graph::Graph& graph, graph::StateDict state,
                                const quant::QuantizerMap& quantizers, torch::Device device) {
    quant::QuantizedModel model;
    model.graph = graph;
    for (const auto& [node, quantizer] : quantizers) {
        const auto weight = state.extract(node + ".weight");
        model.layers.emplace(node, quantizer->hard(toTorch(weight.mapped()).to(device)));
        if (quantizer->isOutsideAverage()) model.outsideAverage.insert(node);
    }
    model.rest = std::move(state);
    return model;
}

quant::QuantizerOptions optionsOf(quant::QuantizerOptions options, const graph::StateDict& state) {
    for (const auto& [node, components] : partOf(state, kComponentsPart)) {
        const std::vector<double> values = toDoubles(components);
        if (values.size() != 1) continue;
        // try_emplace keeps an override's method; a layer without one takes the common method.
        quant::LayerOptions& layer = options.layers.try_emplace(node, options.layer).first->second;
        if (!(values.front() >= 2 && values.front() <= 256)) continue;  // the layer's own check names it
        layer.components = static_cast<int>(values.front());
        if (layer.transfer.empty()) continue;
        // The state holds the mixture itself, so the run that it once came from is not asked for again; this
        // one only has its size.
        const auto size = static_cast<std::size_t>(layer.components);
        options.starts[node] = {std::vector<double>(size, 0), std::vector<double>(size, 1),
                                std::vector<double>(size, 1 / values.front()), 1};
        layer.transfer.clear();
        layer.transferScale = false;
    }
    return options;
}

Result<quant::ActivationMap> activationsOf(const graph::Graph& graph, const quant::ActivationOptions& options,
                                           const graph::StateDict& state) {
    BITLOOM_ASSIGN_OR_RETURN(auto quantizers, quant::ActivationQuantizers::make(graph, options));
    BITLOOM_RETURN_IF_ERROR(quantizers.restore(partOf(state, kActivationPart)));
    return quantizers.deployed();
}

Result<LatentModel> latentModel(const graph::Graph& graph, const quant::QuantizerOptions& options,
                                std::uint64_t seed, const TrainerState& state) {
    return guarded(readingOf(state), [&] { return readLatent(graph, options, seed, state); });
}

Result<report::LayerSnapshot> snapshotOf(const LatentModel& latent, const std::string& node) {
    return guarded("reading the codebook of " + node, [&]() -> Result<report::LayerSnapshot> {
        return latent.quantizers.at(node)->snapshot(toTorch(latent.parameters.at(node + ".weight")));
    });
}

Result<DeployedModel> deployedModel(const graph::Graph& graph, const quant::QuantizerOptions& options,
                                    std::uint64_t seed, const TrainerState& state) {
    return guarded(readingOf(state), [&]() -> Result<DeployedModel> {
        BITLOOM_ASSIGN_OR_RETURN(LatentModel latent, readLatent(graph, options, seed, state));
        DeployedModel deployed{hardModel(graph, std::move(latent.parameters), latent.quantizers),
                               latent.calibrated};
        BITLOOM_ASSIGN_OR_RETURN(deployed.model.activations,
                                 activationsOf(graph, options.activation, state.tensors));
        return deployed;
    });
}

}  // namespace bitloom::train
