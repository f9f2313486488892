// Figures of quant/README.md over a quantized model.
#include <bit>
#include <cmath>
#include <limits>

#include "engine/graph/counts.h"
#include "engine/quant/activation/activation_plan.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::quant {
namespace {

/// FP32 elements of conv and linear weights that are not quantized.
std::int64_t fullPrecisionWeights(const QuantizedModel& model) {
    std::int64_t count = 0;
    for (const graph::Node& node : model.graph.nodes()) {
        const bool weighted =
            std::holds_alternative<graph::Conv2d>(node.op) || std::holds_alternative<graph::Linear>(node.op);
        if (!weighted || model.layers.contains(node.name)) continue;
        const auto weight = model.rest.find(node.name + ".weight");
        if (weight != model.rest.end()) count += weight->second.count();
    }
    return count;
}

/// Of what `layer`, a convolution or linear one, reads.
double activationBits(const QuantizedModel& model, graph::NodeId layer) {
    const std::string& source = model.graph.node(activationOf(model.graph, layer)).name;
    const auto found = model.activations.find(source);
    return found == model.activations.end() ? kFloatBits : found->second.bits;
}

/// Sum over layers of MAC x weight bits x activation bits. A codebook of K values counts as ceil(log2 K)
/// bits, what an index takes; what is not quantized counts as 32.
double bitOperations(const QuantizedModel& model) {
    const auto counts = graph::count(model.graph);
    if (!counts) return 0;
    double sum = 0;
    for (std::size_t i = 0; i < counts->nodes.size(); ++i) {
        if (counts->nodes[i].weights == 0) continue;
        const auto layer = model.layers.find(model.graph.nodes()[i].name);
        const double bits = layer == model.layers.end() ? 32 : layer->second.indexBits();
        sum += static_cast<double>(counts->nodes[i].macs) * bits *
               activationBits(model, {static_cast<std::int32_t>(i)});
    }
    return sum;
}

}  // namespace

ModelMetrics measure(const QuantizedModel& model) {
    ModelMetrics metrics;
    metrics.nonzeroParameters = fullPrecisionWeights(model);
    metrics.bitOps = bitOperations(model);
    for (const auto& [name, tensor] : model.rest)
        metrics.fp32Bytes += 4 * tensor.count();
    std::int64_t weights = 0;
    std::int64_t zeros = 0;
    double bits = 0;
    double codedBits = 0;  // floor(log2 K) of every non-zero weight
    for (const auto& [node, tensor] : model.layers) {
        const auto count = static_cast<std::int64_t>(tensor.indices.size());
        const std::int64_t layerZeros = tensor.zeros();
        metrics.fp32Bytes += 4 * count;
        metrics.nonzeroParameters += count - layerZeros;
        if (model.outsideAverage.contains(node)) continue;
        weights += count;
        zeros += layerZeros;
        bits += static_cast<double>(count) * std::log2(tensor.components);
        codedBits += static_cast<double>(count - layerZeros) *
                     (std::bit_width(static_cast<unsigned>(tensor.components)) - 1);
    }
    metrics.compressionRate = std::numeric_limits<double>::quiet_NaN();
    if (weights == 0) return metrics;
    metrics.bits = bits / static_cast<double>(weights);
    metrics.sparsity = static_cast<double>(zeros) / static_cast<double>(weights);
    // A network whose every weight is 0 has no rate.
    if (codedBits > 0) metrics.compressionRate = 32 * static_cast<double>(weights) / codedBits;
    return metrics;
}

}  // namespace bitloom::quant
