// One layer's parameters in the form that a step stores. Private to lowering. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/qsimd/network_source.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

/// y = scale x convolution + bias, per output channel.
struct Affine {
    std::vector<double> scale;
    std::vector<double> bias;
};

/// The layer's bias and the batch norm `norm` (its node's name; empty for none) after it. Errors name the
/// parameter that is missing, has the wrong size or is not finite.
[[nodiscard]] Result<Affine> affineOf(const NetworkSource& source, const std::string& layer,
                                      const std::string& norm, std::int32_t channels);

/// Fills format, indexBits, codebooks and weights of `step` for its family, and multiplies weightScale
/// [output channels] with the scale of int8 weights. Errors as affineOf.
[[nodiscard]] Status storeWeights(const NetworkSource& source, Convolution& step, const Buffer& input,
                                  const Buffer& output, std::vector<float>& weightScale);

}  // namespace bitloom::qsimd
