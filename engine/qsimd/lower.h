// From a network to a model: convolution, batch norm, activation and addition become one step, activations
// get types, scales and places in memory. Pure, any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/qsimd/deployed_network.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

/// What a person allows a layer.
enum class Contract {
    Exact,  ///< float activations
    Int8,   ///< activations of 8 bits, calibrated; weights as 8 bits of one scale
};

/// Real numbers that an activation is clipped to before it becomes 8 bits; low <= 0 <= high, low < high.
struct Range {
    float low = 0;
    float high = 1;
};

/// What calibration found out about a node's values.
struct Activation {
    Range range;
    /// Mean of every channel; may be empty. With it a layer's bias makes up for what int8 rounding of its
    /// codebook shifts on average (bias correction, Nagel et al. 2019, section 4.2).
    std::vector<float> means;
};

struct LoweringOptions {
    /// Of layers under Contract::Int8, K2; of the others, this: NaiveFp32, TunedFp32, PaperCodebook or K0.
    /// Layers without a codebook take TunedFp32 in place of the last two.
    Family exactFamily = Family::K0;
    Contract contract = Contract::Exact;                         ///< of every layer not named in `contracts`
    std::map<std::string, Contract, std::less<>> contracts;      ///< by node name
    std::map<std::string, Activation, std::less<>> activations;  ///< by node name, from calibrate()
};

/// Errors name the node: an operation or a combination that has no kernel, weights that are missing, have the
/// wrong shape or are not finite, an activation without a range, a contract for a layer that does not exist.
[[nodiscard]] Result<Model> lower(const DeployedNetwork& source, const LoweringOptions& options);

/// Gives every buffer a place in the arena so that those alive at the same time do not overlap (first fit,
/// largest first), and sets arenaBytes. Lifetimes are set.
void placeBuffers(Model& model);

}  // namespace bitloom::qsimd
