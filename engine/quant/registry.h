// From options to quantizers: which layers of a graph get one, and of which method.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/quant/options.h"
#include "engine/quant/quantizer.h"
#include "engine/quant/step_hook.h"

namespace bitloom::quant {

using QuantizerMap = std::map<std::string, std::unique_ptr<Quantizer>, std::less<>>;  ///< by node name

/// The layers that `options` quantizes, in graph order, with their settings. An override or exclusion that
/// names no conv or linear node is a usage error that names the nearest one; an unknown method likewise.
struct PlannedLayer {
    std::string node;
    LayerOptions options;
    bool outsideAverage = false;  ///< by QuantizerOptions::firstLastBits
};
[[nodiscard]] Result<std::vector<PlannedLayer>> planLayers(const graph::Graph& graph,
                                                           const QuantizerOptions& options);

/// Initialises a quantizer for each planned layer from the pretrained `state` (DGMS: from k-means, or from
/// options.starts).
/// Deterministic by seed.
[[nodiscard]] Result<QuantizerMap> makeQuantizers(const graph::Graph& graph, const graph::StateDict& state,
                                                  const QuantizerOptions& options, std::uint64_t seed);

/// What the methods of `quantizers` do once a step for the network as a whole; the quantizers outlive it.
/// Usage errors of a budget that cannot be met.
[[nodiscard]] Result<std::vector<std::unique_ptr<StepHook>>> makeStepHooks(const graph::Graph& graph,
                                                                           const QuantizerOptions& options,
                                                                           const QuantizerMap& quantizers);

}  // namespace bitloom::quant
