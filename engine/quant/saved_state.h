// What quantizers save and restore, as named tensors. Errors name the method, the entry and what was
// expected.
#pragma once

#include <cstring>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"
#include "engine/quant/torch.h"

namespace bitloom::quant {

/// float32 on the CPU, row-major.
[[nodiscard]] graph::Tensor toGraphTensor(const torch::Tensor& tensor);
/// float64, [size].
[[nodiscard]] graph::Tensor toGraphTensor(const std::vector<double>& values);

/// The entry of that name, when its type and shape are these and, unless it holds integers, all of it is
/// finite. Points into `state`.
[[nodiscard]] Result<const graph::Tensor*> findEntry(const graph::StateDict& state, std::string_view method,
                                                     const char* name, graph::DType dtype,
                                                     const graph::Shape& shape);

/// T is the type that the tensor holds.
template <class T>
[[nodiscard]] std::vector<T> elementsOf(const graph::Tensor& tensor) {
    std::vector<T> elements(tensor.bytes.size() / sizeof(T));
    std::memcpy(elements.data(), tensor.bytes.data(), tensor.bytes.size());
    return elements;
}

}  // namespace bitloom::quant
