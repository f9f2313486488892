// How far deployed weights are from the latent ones, as SDQ weighs it. No libtorch; any thread.
#pragma once

#include <cstddef>
#include <span>

namespace bitloom::quant {

/// |Q(w) - w|^2 / |w|^2, deployed(i) being what weights[i] becomes; 0 where all weights are 0.
template <class Deployed>
[[nodiscard]] double relativeError(std::span<const float> weights, const Deployed& deployed) {
    double squares = 0;
    double errors = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const double error = static_cast<double>(weights[i]) - deployed(i);
        errors += error * error;
        squares += static_cast<double>(weights[i]) * weights[i];
    }
    return squares > 0 ? errors / squares : 0;
}

}  // namespace bitloom::quant
