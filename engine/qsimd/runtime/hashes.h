// What a network computes, as one number a step: two machines computed the same when these are equal. Any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/qsimd/runtime/network.h"

namespace bitloom::qsimd {

struct StepHashes {
    std::string name;                   ///< of the layer, or of the node that the step computes
    bool bytes = false;                 ///< its output is Uint8
    std::uint64_t output = 0;           ///< FNV-1a of the output's numbers, or of the bits of its floats
    std::optional<std::uint64_t> sums;  ///< of the int32 sums of a K2 step
};

/// One a step, for `image` as Network::run takes it.
[[nodiscard]] std::vector<StepHashes> hashesOf(Network& network, const float* image);

/// Sixteen hexadecimal digits.
[[nodiscard]] std::string hashText(std::uint64_t hash);

}  // namespace bitloom::qsimd
