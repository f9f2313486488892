// The nested codebooks of dgms-mixed (README.md section 1): a mixture with fewer components from one with
// more. No libtorch; any thread.
#pragma once

#include "engine/quant/dgms/dgms_init.h"

namespace bitloom::quant::mixed {

/// Whether a mixture of so many bits keeps DGMS's fixed zero: one of two or four values costs too much.
[[nodiscard]] constexpr bool hasZero(int bits) {
    return bits > 2;
}

/// `mixture` of at most 2^bits components, by merging neighbours with the same weight, mean and variance as
/// the two had together, the pair first that adds the least squared error. With hasZero() the fixed zero is
/// one of them and stays at zero; else it goes, and entry 0 is left unused (pi 0). bits 1 to 8.
[[nodiscard]] dgms::InitialMixture mergedTo(const dgms::InitialMixture& mixture, int bits);

}  // namespace bitloom::quant::mixed
