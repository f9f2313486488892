// Which kernels and decoders there are and which of them this machine can run: one table for dispatch,
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

/// Every kernel that takes rows without a tile: naive, depthwise, the paper's. Weakest instruction set first.
[[nodiscard]] const std::vector<RowKernel>& allRowKernels();

/// What lists on screen and in files tell of a kernel.
struct KernelLine {
    const char* name;  ///< "<fp32|int8>_<isa>_<pixels>x<channels>" or "..._<naive|depthwise|paper4|paper2>"
    Isa isa;
};
/// All of both kinds above; not all can run here.
[[nodiscard]] const std::vector<KernelLine>& allKernels();

/// Every set of loops compiled for this architecture, weakest instruction set first.
[[nodiscard]] const std::vector<Loops>& allLoops();

}  // namespace bitloom::qsimd
