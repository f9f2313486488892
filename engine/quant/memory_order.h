// Whether two tensors lie in memory alike, element for element.
#pragma once

#include <cstdint>

namespace bitloom::quant {

/// For two dense libtorch tensors of one shape. Strides of dimensions of size 1 mean nothing and libtorch
/// sets them as it likes: the gradient of a 1x1 kernel in channels-last order differs from the kernel in
/// them.
template <class Tensor>
[[nodiscard]] bool sameMemoryOrder(const Tensor& a, const Tensor& b) {
    for (std::int64_t i = 0; i < a.dim(); ++i) {
        if (a.size(i) > 1 && a.stride(i) != b.stride(i)) return false;
    }
    return true;
}

}  // namespace bitloom::quant
