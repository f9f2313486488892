#include "engine/quant/quantized_model.h"

namespace bitloom::quant {

graph::StateDict QuantizedModel::dequantize() const {
    graph::StateDict state = rest;
    for (const auto& [node, tensor] : layers) {
        state.insert_or_assign(node + ".weight",
                               graph::Tensor::fromFloats(tensor.shape, tensor.dequantize()));
    }
    return state;
}

}  // namespace bitloom::quant
