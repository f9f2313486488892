// The Gaussian mixture of one layer (or one output channel) and what it means for a weight. These are the
// scalar reference definitions of DGMS; the vectorised kernels are tested against them. Double precision,
// pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace bitloom::report {

struct MixtureComponent {
    double pi = 0;           ///< mixing weight, in [0, 1]; the pi of one mixture sum to 1
    double mu = 0;           ///< centroid, in units of the weight; DGMS: component 0 is the fixed zero
    double sigma = 0;        ///< standard deviation, > 0; 0: a value of a fixed set (isFixedSet)
    std::int64_t count = 0;  ///< weights that the hard assignment gives to this component
};

struct Mixture {
    std::vector<MixtureComponent> components;  ///< 2 to 256
    double temperature = 0.01;                 ///< tau of the second softmax, > 0; 0: a fixed set without one
};

/// Whether the values are those of a fixed set (RDHS, SGT), not of Gaussians: every sigma is 0, pi is the
/// share of weights that chose the value. A weight's choice depends on its trained logits; of the functions
/// of a weight below, only hardIndex and hardValue mean something then. False without components.
[[nodiscard]] bool isFixedSet(const Mixture& mixture);

/// pi_k N(w; mu_k, sigma_k), one component's share of the density.
[[nodiscard]] double componentDensity(const MixtureComponent& component, double weight);

/// Sum of componentDensity over the mixture.
[[nodiscard]] double density(const Mixture& mixture, double weight);

/// Posterior r_k(w), computed in the log domain (DGMS Eqn 6 as dgms/README.md section 2 step 1). Sums to 1.
[[nodiscard]] std::vector<double> responsibilities(const Mixture& mixture, double weight);

/// argmax_k of log pi_k - log sigma_k - d_k^2 / 2; the lowest index on ties (DGMS Eqn 4). Of a fixed set the
/// value nearest to `weight`.
[[nodiscard]] std::size_t hardIndex(const Mixture& mixture, double weight);

/// Training weight Phi(w) = sum_k mu_k softmax_k(r / tau) (DGMS Eqn 7 and 8).
[[nodiscard]] double softValue(const Mixture& mixture, double weight);

/// Deployed weight Psi(w) = mu of hardIndex (DGMS Eqn 5).
[[nodiscard]] double hardValue(const Mixture& mixture, double weight);

/// Bytes of a layer of `weights` weights as exported: packed indices and float32 codebooks; plain float32
/// without mixtures. Mixtures of one layer share its weights equally.
[[nodiscard]] std::int64_t packedWeightBytes(std::int64_t weights, const std::vector<Mixture>& mixtures);

}  // namespace bitloom::report
