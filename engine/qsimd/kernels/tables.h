// The tables of the files beside this one; registry.h joins those that the machine can run.
#pragma once

#include <span>

#include "engine/qsimd/kernels/decoder.h"
#include "engine/qsimd/kernels/loops.h"
#include "engine/qsimd/kernels/microkernel.h"

namespace bitloom::qsimd {

[[nodiscard]] std::span<const Microkernel> scalarMicrokernels();
[[nodiscard]] std::span<const Microkernel> avx2Microkernels();
[[nodiscard]] std::span<const Microkernel> avx512Microkernels();
[[nodiscard]] std::span<const Microkernel> avx512VnniMicrokernels();
[[nodiscard]] std::span<const Microkernel> neonMicrokernels();
[[nodiscard]] std::span<const Microkernel> neonDotMicrokernels();
[[nodiscard]] std::span<const Microkernel> neonI8mmMicrokernels();

[[nodiscard]] std::span<const Decoder> scalarDecoders();
[[nodiscard]] std::span<const Decoder> avx2Decoders();
[[nodiscard]] std::span<const Decoder> avx512Decoders();
[[nodiscard]] std::span<const Decoder> neonDecoders();

[[nodiscard]] std::span<const RowKernel> scalarRows();
[[nodiscard]] std::span<const RowKernel> avx2Rows();
[[nodiscard]] std::span<const RowKernel> avx512Rows();
[[nodiscard]] std::span<const RowKernel> neonRows();

[[nodiscard]] const Loops& scalarLoops();
[[nodiscard]] const Loops& avx2Loops();
[[nodiscard]] const Loops& avx512Loops();
[[nodiscard]] const Loops& neonLoops();

}  // namespace bitloom::qsimd
