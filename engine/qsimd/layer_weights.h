// One layer's parameters in the form that a step stores. Private to lowering. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/qsimd/deployed_network.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

/// y = scale x convolution + bias, per output channel.
struct Affine {
    std::vector<double> scale;
    std::vector<double> bias;
};

/// The layer's bias and the batch norm `norm` (its node's name; empty for none) after it. Errors name the
/// parameter that is missing, has the wrong size or is not finite.
[[nodiscard]] Result<Affine> affineOf(const DeployedNetwork& source, const std::string& layer,
                                      const std::string& norm, std::int32_t channels);

/// What storing a layer's weights as int8 does to its sums, per output channel.
struct StoredWeights {
    std::vector<float> inputMeans;  ///< given: of every input channel, or empty
    std::vector<float> scale;       ///< real weight per number; 1 for floats
    std::vector<double> shift;      ///< mean of the sums less that of the exact ones; 0 without inputMeans
};

/// Fills format, indexBits, codebooks and weights of `step` for its family, and `stored`. Errors as affineOf.
[[nodiscard]] Status storeWeights(const DeployedNetwork& source, Convolution& step, const Buffer& input,
                                  const Buffer& output, StoredWeights& stored);

}  // namespace bitloom::qsimd
