// From latent weights and quantizers to the network as deployed.
#pragma once

#include "engine/quant/registry.h"
#include "engine/quant/torch.h"
#include "engine/train/trainer.h"

namespace bitloom::train {

/// Hard weights of every quantized layer, everything else of `state` (all parameters of `graph`) as it is.
[[nodiscard]] quant::QuantizedModel hardModel(const graph::Graph& graph, graph::StateDict state,
                                              const quant::QuantizerMap& quantizers,
                                              torch::Device device = torch::kCPU);

/// `options` with each layer's number of components as the state has it: a start from few distinct weights
/// may have reduced it, and a fresh start from trained weights would not. Their transfer is done with.
[[nodiscard]] quant::QuantizerOptions optionsOf(quant::QuantizerOptions options,
                                                const graph::StateDict& state);

/// How the state's network rounds its activations; empty where it does not, or not yet.
[[nodiscard]] Result<quant::ActivationMap> activationsOf(const graph::Graph& graph,
                                                         const quant::ActivationOptions& options,
                                                         const graph::StateDict& state);

/// A trainer's network before quantization.
struct LatentModel {
    graph::StateDict parameters;  ///< all of the graph's: latent weights, batch norm as `calibrated` says
    quant::QuantizerMap quantizers;
    /// The batch-norm statistics fit the hard weights: they were re-estimated at this very step, or nothing
    /// is quantized.
    bool calibrated = false;
};

/// What a checkpoint of a trainer holds. `options` and `seed` as the trainer had them.
[[nodiscard]] Result<LatentModel> latentModel(const graph::Graph& graph,
                                              const quant::QuantizerOptions& options, std::uint64_t seed,
                                              const TrainerState& state);

/// What a recorded run would show of a layer that `latent` quantizes.
[[nodiscard]] Result<report::LayerSnapshot> snapshotOf(const LatentModel& latent, const std::string& node);

struct DeployedModel {
    quant::QuantizedModel model;
    bool calibrated = false;  ///< as LatentModel's
};

/// The hard network that a checkpoint of a trainer holds, without its data. `options` and `seed` as the
/// trainer had them.
[[nodiscard]] Result<DeployedModel> deployedModel(const graph::Graph& graph,
                                                  const quant::QuantizerOptions& options, std::uint64_t seed,
                                                  const TrainerState& state);

}  // namespace bitloom::train
