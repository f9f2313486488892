// What one layer looked like at one step. Immutable once made; crosses threads as shared_ptr<const
// LayerSnapshot>. Live training and playback of a run file deliver this same struct.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "engine/report/histogram.h"
#include "engine/report/mixture.h"

namespace bitloom::report {

inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

/// L2 norms of the gradients of the last step; NaN where nothing was trained.
struct GradientNorms {
    double weight = kNoValue;  ///< latent weights; without them (RDHS, SGT) the hard ones
    double mu = kNoValue;
    double sigma = kNoValue;
    double pi = kNoValue;
    double tau = kNoValue;
};

/// How a layer learns the bits that it takes (SDQ): a training step finds it at LayerSnapshot::bits with
/// `probability`, else one bit below.
struct BitChoice {
    double probability = kNoValue;  ///< [0, 1]; 1 where nothing is below; NaN: the bits are fixed
    double gradient = kNoValue;     ///< dL/dtheta of the last step, theta the logit of `probability`
    bool open = false;              ///< there is a width below to go to

    [[nodiscard]] bool isLearned() const { return !std::isnan(probability); }
};

struct LayerSnapshot {
    std::string layer;  ///< node name, the PyTorch module path: "layer1.0.conv1"
    std::int64_t step = 0;
    double bits = 32;  ///< log2(components), averaged over mixtures
    std::vector<Mixture>
        mixtures;  ///< one, or one per output channel (filter-wise); empty when full precision
    /// Full-precision (latent) weights; without them (RDHS, SGT) what the choice relaxes to, sum_k y_k q_k.
    Histogram weights;
    Histogram softWeights;  ///< training weights: Phi, or the chosen values; same bins as `weights`
    double sparsity = 0;    ///< share of exact zeros in the hard weights, [0, 1]
    double mse = 0;         ///< mean (w - Psi)^2, w as in `weights`, weight units squared
    double softHardGap =
        0;  ///< sqrt(mean (Phi - Psi)^2) / std(w): how far training and deployed weights part
    GradientNorms gradients;
    BitChoice choice;
};

using LayerSnapshotPtr = std::shared_ptr<const LayerSnapshot>;

}  // namespace bitloom::report
