// What the papers' tables say of a network from its mean bits alone (README.md, Figures), beside which
// ModelMetrics are the sums over layers. Pure, any thread.
#pragma once

#include "engine/base/result.h"
#include "engine/graph/graph.h"

namespace bitloom::quant {

struct TableFigures {
    double weightCompression = 0;  ///< WCR, 32 / weight bits
    double bytes = 0;              ///< all conv and linear weights at the mean weight bits
    /// Per image: of the network at 4 bits, its first convolution and last linear layer at 8, times
    /// weight bits x activation bits / 16.
    double bitOps = 0;
};

/// SDQ's tables (Huang et al., ICML 2022): ResNet-18 has 34.7 G at 4/4, and each of its rows is that number
/// scaled. `weightBits` and `activationBits` means over the network, > 0; 32: float.
[[nodiscard]] Result<TableFigures> tableFigures(const graph::Graph& graph, double weightBits,
                                                double activationBits);

}  // namespace bitloom::quant
