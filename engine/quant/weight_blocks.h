// Passes over all weights of a layer, for autograd functions that run on the CPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <ATen/Parallel.h>

#include "engine/quant/memory_order.h"
#include "engine/quant/torch.h"

namespace bitloom::quant {

/// Weights whose sums are taken on their own and added in order, so that results do not depend on the
/// threads.
inline constexpr std::int64_t kWeightBlock = 8192;

[[nodiscard]] inline std::int64_t weightBlocks(std::int64_t total) {
    return (total + kWeightBlock - 1) / kWeightBlock;
}

/// Calls body(block, begin, end) for every block of `total` weights, from several threads.
template <class Body>
void forEachWeightBlock(std::int64_t total, const Body& body) {
    constexpr std::int64_t kGrain = 2;  // blocks that make a second thread worth waking
    at::parallel_for(0, weightBlocks(total), kGrain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t block = first; block < last; ++block)
            body(block, block * kWeightBlock, std::min((block + 1) * kWeightBlock, total));
    });
}

/// `tensor` detached, on the CPU and without gaps; itself where it is that already.
[[nodiscard]] inline torch::Tensor denseOnCpu(const torch::Tensor& tensor) {
    const torch::Tensor local = tensor.detach().cpu();
    return local.is_non_overlapping_and_dense() ? local : local.contiguous();
}

/// `tensor` detached, row-major float32 on the CPU; itself where it is that already.
[[nodiscard]] inline torch::Tensor rowMajorFloats(const torch::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
}

/// The values of what rowMajorFloats() returns, which outlives them.
[[nodiscard]] inline std::span<const float> valuesOf(const torch::Tensor& rowMajor) {
    return {rowMajor.data_ptr<float>(), static_cast<std::size_t>(rowMajor.numel())};
}

/// `tensor` detached, of type `dtype` and in the memory order of `like`, which is dense and on the CPU; a
/// copy only where it is not that already.
[[nodiscard]] inline torch::Tensor arrangedLike(const torch::Tensor& tensor, const torch::Tensor& like,
                                                torch::Dtype dtype) {
    const torch::Tensor local = tensor.detach();
    const bool alike = local.is_cpu() && local.scalar_type() == dtype &&
                       local.is_non_overlapping_and_dense() && sameMemoryOrder(local, like);
    return alike
               ? local
               : torch::empty_strided(like.sizes(), like.strides(), like.options().dtype(dtype)).copy_(local);
}

/// The same in the type of `like`.
[[nodiscard]] inline torch::Tensor arrangedLike(const torch::Tensor& tensor, const torch::Tensor& like) {
    return arrangedLike(tensor, like, like.scalar_type());
}

}  // namespace bitloom::quant
