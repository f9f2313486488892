// What registry.cpp hands to a method to make the quantizer of one layer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/graph/tensor.h"
#include "engine/quant/options.h"
#include "engine/quant/quantizer.h"

namespace bitloom::quant {

struct MethodRequest {
    graph::Shape shape;               ///< of the weight, not empty; output channels first
    std::span<const float> weight;    ///< pretrained values, finite
    const QuantizerOptions& options;  ///< checked
    LayerOptions layer;               ///< this layer's
    std::uint64_t seed = 0;           ///< of this layer, for methods that use random numbers
    /// Where `layer.transfer` says so; has layer.components components.
    const MixtureStart* start = nullptr;
    bool outsideAverage = false;  ///< as PlannedLayer
};

/// An error says what the layer's weights or options lack; registry.cpp puts the layer's name before it.
using MethodFactory = Result<std::unique_ptr<Quantizer>> (*)(const MethodRequest&);

}  // namespace bitloom::quant
