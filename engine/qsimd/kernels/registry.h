// Which microkernels and decoders there are and which of them this machine can run: one table for dispatch,
// tests, benches and lists on screen. Asks the processor (cpuid) or the kernel (HWCAP) once. Any thread.
#pragma once

#include <string_view>
#include <vector>

#include "engine/qsimd/kernels/decoder.h"
#include "engine/qsimd/kernels/loops.h"
#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {

/// "scalar", "avx2", "avx512", "avx512vnni", "neon", "neondot", "neoni8mm".
[[nodiscard]] const char* isaName(Isa isa);

[[nodiscard]] bool canRun(Isa isa);

/// Every microkernel compiled for this architecture, weakest instruction set first; not all can run here.
[[nodiscard]] const std::vector<Microkernel>& allMicrokernels();

/// Null when there is none of that name.
[[nodiscard]] const Microkernel* findMicrokernel(std::string_view name);

/// Every decoder compiled for this architecture, weakest instruction set first; not all can run here.
[[nodiscard]] const std::vector<Decoder>& allDecoders();

/// Every set of loops compiled for this architecture, weakest instruction set first.
[[nodiscard]] const std::vector<Loops>& allLoops();

}  // namespace bitloom::qsimd
