// bfloat16 as it lies in memory. Vectors of it: bfloat16-inl.h.
#pragma once

#include <cstdint>

namespace bitloom {

/// A bfloat16, the upper half of a float32; written rounded to nearest, ties to even. NaN stays NaN.
using BFloat16Bits = std::uint16_t;

}  // namespace bitloom
