// Which outputs of a graph are rounded, and to how many bits (README.md section 2). Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/graph.h"
#include "engine/quant/activation/activation_options.h"

namespace bitloom::quant {

struct PlannedActivation {
    std::string node;  ///< whose output is rounded
    int bits = 8;      ///< 2 to 8
};

inline constexpr int kFloatBits = 32;  ///< of an activation that is not rounded

/// The node whose output the convolution or linear layer `layer` computes with: its input, seen through
/// pooling, padding, slices and flattening.
[[nodiscard]] graph::NodeId activationOf(const graph::Graph& graph, graph::NodeId layer);

/// In graph order; none with method None. Usage errors: a width out of range, an override of a node whose
/// output no layer reads, named with what was meant.
[[nodiscard]] Result<std::vector<PlannedActivation>> planActivations(const graph::Graph& graph,
                                                                     const ActivationOptions& options);

/// A part of a graph between two values that everything passes through.
struct GraphBlock {
    graph::NodeId from;                          ///< the value it starts from
    graph::NodeId to;                            ///< the value it computes
    std::vector<PlannedActivation> activations;  ///< of nodes after `from`, up to and with `to`
};

/// Cuts the graph at every value [C, H, W] that a layer reads and that all later ones depend on alone: the
/// end of a residual block, or of a layer of a chain. What comes after the last cut is a block of its own, up
/// to the logits, where it has activations.
[[nodiscard]] std::vector<GraphBlock> blocksOf(const graph::Graph& graph,
                                               const std::vector<PlannedActivation>& planned);

}  // namespace bitloom::quant
