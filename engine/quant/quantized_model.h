// A network as deployed: what every exporter takes; its byte size is the size reported.
#pragma once

#include <map>
#include <set>
#include <string>

#include "engine/graph/graph.h"
#include "engine/quant/activation/quantized_activation.h"
#include "engine/quant/quantized_tensor.h"

namespace bitloom::quant {

struct QuantizedModel {
    graph::Graph graph{""};
    std::map<std::string, QuantizedTensor, std::less<>> layers;  ///< by node name
    /// Those of `layers` that no mean over quantized layers counts: the ends of the network where they have
    /// bits of their own (QuantizerOptions::firstLastBits).
    std::set<std::string, std::less<>> outsideAverage{};
    graph::StateDict rest;        ///< everything not quantized, by full parameter name
    ActivationMap activations{};  ///< of the nodes whose output is rounded; empty: all in float

    /// All parameters in float32, quantized ones replaced by their codebook values: loads into an executor.
    [[nodiscard]] graph::StateDict dequantize() const;
};

/// Figures over a quantized model, quant/README.md. Bits, sparsity and compression rate are of the layers
/// inside the average; everything else counts all layers as they are.
struct ModelMetrics {
    double bits = 32;                    ///< mean log2(components) over quantized weights; 32 when none
    double sparsity = 0;                 ///< exact zeros over quantized weights
    std::int64_t nonzeroParameters = 0;  ///< FP32 conv and linear weights + non-zero quantized ones
    double compressionRate =
        0;              ///< 32 / (floor(log2 K) nz), weight-averaged over quantized layers; NaN when none
    double bitOps = 0;  ///< per image: sum over layers of MAC x weight bits x bits of the activation it reads
    std::int64_t fp32Bytes = 0;  ///< all parameters and statistics as float32
};
[[nodiscard]] ModelMetrics measure(const QuantizedModel& model);

}  // namespace bitloom::quant
