// What lowering takes: a network and its deployed weights, in plain values. Jobs make it from a run; a zoo
// network with random weights serves where only speed is asked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace bitloom::qsimd {

/// A layer whose weights are a codebook and indices.
struct CodebookWeights {
    int components = 0;                 ///< entries of a codebook, 2 to 256
    std::vector<float> codebook;        ///< [books][components]; one book, or one an output channel
    std::vector<std::uint8_t> indices;  ///< [out][in / groups][height][width], row-major, < components
};

struct DeployedNetwork {
    graph::Graph graph{""};
    std::map<std::string, CodebookWeights, std::less<>> quantized;  ///< by node name
    graph::StateDict rest;                                          ///< all other parameters, by full name
};

/// `graph` with random weights: normal with He's deviation, batch norm near one; `components` Gaussian
/// quantiles, one of them zero, for every convolution but the first. The same for a seed.
[[nodiscard]] Result<DeployedNetwork> randomNetwork(const graph::Graph& graph, int components,
                                                    std::uint64_t seed);

}  // namespace bitloom::qsimd
