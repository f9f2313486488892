// Where a mixture starts (dgms/README.md section 1): 1-D k-means, the centre nearest zero replaced by the
// fixed zero, sigma from the members or 0.01, pi from cluster shares. No libtorch; any thread.
#pragma once

#include <span>
#include <vector>

#include "engine/quant/options.h"

namespace bitloom::quant::dgms {

struct InitialMixture {
    std::vector<double> mu;     ///< [K], mu[0] = 0, the others ascending
    std::vector<double> sigma;  ///< [K], floored
    std::vector<double> pi;     ///< [K], > 0
};

/// At most `components` components; fewer when `values` (finite, not empty) have fewer distinct values. Never
/// fewer than two: pad() adds unused ones.
[[nodiscard]] InitialMixture initialMixture(std::span<const float> values, int components, SigmaInit sigma);

/// log pi of a component that no weight ever takes: exp of it is 0, and unlike -infinity it survives weight
/// decay.
inline constexpr double kUnusedLogPi = -1e30;

/// Appends unused components (mu 0, sigma 1, pi 0) until there are `components`.
void pad(InitialMixture& mixture, int components);

}  // namespace bitloom::quant::dgms
