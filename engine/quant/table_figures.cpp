#include "engine/quant/table_figures.h"

#include <variant>

#include "engine/graph/counts.h"

namespace bitloom::quant {
namespace {

constexpr double kInnerBits = 4;  // of weights and activations in the network that the tables scale
constexpr double kEndBits = 8;

}  // namespace

Result<TableFigures> tableFigures(const graph::Graph& graph, double weightBits, double activationBits) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Counts counts, graph::count(graph));
    double first = 0;  // multiply-adds of the first convolution
    double last = 0;   // and of the last linear layer
    for (std::size_t i = 0; i < counts.nodes.size(); ++i) {
        const auto macs = static_cast<double>(counts.nodes[i].macs);
        const graph::Op& op = graph.nodes()[i].op;
        if (first == 0 && std::holds_alternative<graph::Conv2d>(op)) first = macs;
        if (std::holds_alternative<graph::Linear>(op)) last = macs;
    }
    const double inner = static_cast<double>(counts.macs) - first - last;
    const double atFour = inner * kInnerBits * kInnerBits + (first + last) * kEndBits * kEndBits;
    TableFigures figures;
    figures.weightCompression = 32 / weightBits;
    figures.bytes = static_cast<double>(counts.weights) * weightBits / 8;
    figures.bitOps = atFour * weightBits * activationBits / (kInnerBits * kInnerBits);
    return figures;
}

}  // namespace bitloom::quant
