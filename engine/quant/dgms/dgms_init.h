// Where a mixture starts (dgms/README.md section 1): 1-D k-means, the centre nearest zero replaced by the
// fixed zero, sigma from the members or 0.01, pi from cluster shares; or another layer's mixture (section 7).
// No libtorch; any thread.
#pragma once

#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/options.h"

namespace bitloom::quant::dgms {

struct InitialMixture {
    std::vector<double> mu;     ///< [K], mu[0] = 0, the others ascending
    std::vector<double> sigma;  ///< [K], floored
    std::vector<double> pi;     ///< [K], > 0; 0 of a component that no weight takes
};

/// At most `components` components; fewer when `values` (finite, not empty) have fewer distinct values. Never
/// fewer than two: pad() adds unused ones.
[[nodiscard]] InitialMixture initialMixture(std::span<const float> values, int components, SigmaInit sigma);

/// The same without a zero: its place is unused, and `components` free centroids follow.
[[nodiscard]] InitialMixture mixtureWithoutZero(std::span<const float> values, int components,
                                                SigmaInit sigma);

/// Standard deviation of `values` (not empty), n - 1 in the denominator.
[[nodiscard]] double deviationOf(std::span<const float> values);

/// What makes a mixture of other weights as wide as these (finite, not empty): std(values) / std(w of the
/// source). A usage error where either are all equal.
[[nodiscard]] Result<double> transferScale(const MixtureStart& start, std::span<const float> values);

/// `start` with mu and sigma times `scale` > 0, sigma at least kMinSigma.
[[nodiscard]] InitialMixture transferredMixture(const MixtureStart& start, double scale);

/// log pi of a component that no weight ever takes: exp of it is 0, and unlike -infinity it survives weight
/// decay.
inline constexpr double kUnusedLogPi = -1e30;

/// Appends unused components (mu 0, sigma 1, pi 0) until there are `components`.
void pad(InitialMixture& mixture, int components);

}  // namespace bitloom::quant::dgms
