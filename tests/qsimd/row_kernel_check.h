// Compares kernels that take rows of pixels (naive, depthwise, the paper's) with their definitions. Standard
// library only, as microkernel_check.h.
#pragma once

#include <string>

#include "engine/qsimd/kernels/loops.h"

namespace bitloom::testing {

/// Empty when `kernel` gives the sums of its definition, to the bit, for every shape tried, reads nothing
/// behind its inputs and writes nothing beside its sums; else what is wrong.
[[nodiscard]] std::string checkRowKernel(const qsimd::RowKernel& kernel);

}  // namespace bitloom::testing
