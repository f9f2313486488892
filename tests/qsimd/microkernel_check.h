// Compares microkernels and decoders with their definitions. Standard library only: the same check runs
// inside GoogleTest on the host and as a bare program under an emulator of ARM processors.
#pragma once

#include <string>

#include "engine/qsimd/kernels/decoder.h"
#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::testing {

/// Empty when `kernel` gives the right sums for every shape, alignment and extreme value tried, reads nothing
/// behind its inputs (unreadable pages follow them) and writes nothing beside its sums; else what is wrong.
[[nodiscard]] std::string checkMicrokernel(const qsimd::Microkernel& kernel);

/// The same for a decoder: every index, every length up to some blocks, both kinds of panel.
[[nodiscard]] std::string checkDecoder(const qsimd::Decoder& decoder);

}  // namespace bitloom::testing
