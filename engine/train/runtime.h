// libtorch's process-wide switches, set the one way that makes results repeatable.
#pragma once

#include "engine/quant/torch.h"

namespace bitloom::train {

/// Thread count (0: all cores), deterministic algorithms, denormals flushed to zero. Call on the thread that
/// computes, before it does: thread count and denormal mode belong to the calling thread. Returns how many
/// threads the engine's own loops then take: the count, or 1 in a build without OpenMP.
int configureTorch(int threads);

/// Whether `device` has instructions for products of bfloat16: AVX-512 BF16 on CPU; taken for granted on
/// CUDA.
[[nodiscard]] bool multipliesBFloat16(const torch::Device& device);

}  // namespace bitloom::train
