// The Gaussian mixture of one layer or filter as the kernels use it: clamped, normalised, in double. No
// libtorch. Notation of dgms/README.md section 2: u_k(w) = log pi_k - log sigma_k - d_k^2 / 2 with d_k = (w -
// mu_k) / sigma_k.
#pragma once

#include <limits>
#include <vector>

namespace bitloom::quant::dgms {

inline constexpr double kMinSigma = 1e-4;
inline constexpr double kMinTemperature = 1e-3;
inline constexpr double kMaxTemperature = 1;

struct Components {
    std::vector<double> mu;            ///< [K], units of the weight; mu[0] is the fixed 0
    std::vector<double> sigma;         ///< [K], >= kMinSigma
    std::vector<double> inverseSigma;  ///< [K]
    std::vector<double> pi;            ///< [K], sums to 1
    std::vector<double> offset;        ///< [K], log pi_k - log sigma_k
    double temperature = 0.01;         ///< tau, in [kMinTemperature, kMaxTemperature]
    /// The published code divides by (sum_k pi_k N_k) + 1e-11 (dgms/README.md section 2). That constant acts
    /// as one more component inside the denominator of r, whose u does not depend on w: this value. -infinity
    /// when absent.
    double phantom = -std::numeric_limits<double>::infinity();

    [[nodiscard]] int size() const { return static_cast<int>(mu.size()); }
    [[nodiscard]] double score(int k, double weight) const;  ///< u_k(w)
    [[nodiscard]] int hardIndex(double weight) const;        ///< argmax_k u_k(w), lowest index on ties
};

/// Components from the trained parameters of one mixture: `mu` without the fixed zero [K - 1], `logSigma` and
/// `logPi` [K]. Clamps sigma and tau; `parity` adds the phantom component.
[[nodiscard]] Components makeComponents(const double* mu, const double* logSigma, const double* logPi,
                                        int components, double temperature, bool parity);

}  // namespace bitloom::quant::dgms
