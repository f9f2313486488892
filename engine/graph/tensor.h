// A plain tensor in host memory and named collections of them: how weights travel between files, graph and
// executor without libtorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace bitloom::graph {

using Shape = std::vector<std::int64_t>;

[[nodiscard]] std::int64_t elementCount(const Shape& shape);  ///< 1 for a scalar's empty shape
[[nodiscard]] std::string toText(const Shape& shape);         ///< "[16, 3, 3, 3]"

enum class DType { F32, F64, F16, BF16, I64, I32, I16, I8, U8, Bool };

[[nodiscard]] std::size_t byteSize(DType dtype);
[[nodiscard]] const char* toText(DType dtype);  ///< "float32"
[[nodiscard]] bool isFloating(DType dtype);

/// Contiguous, row-major, little-endian.
struct Tensor {
    DType dtype = DType::F32;
    Shape shape;
    std::vector<std::byte> bytes;  ///< elementCount(shape) * byteSize(dtype)

    [[nodiscard]] static Tensor fromFloats(Shape shape, const std::vector<float>& values);
    [[nodiscard]] static Tensor fromInt64(Shape shape, const std::vector<std::int64_t>& values);
    /// Every dtype converts; f64 and i64 round to nearest.
    [[nodiscard]] std::vector<float> toFloats() const;
    [[nodiscard]] std::int64_t count() const { return elementCount(shape); }
    /// Index of the first NaN or infinity, -1 when all are finite. Integers are always finite.
    [[nodiscard]] std::int64_t firstNonFinite() const;
};

/// Named tensors, sorted by name: equal content means equal iteration order and equal hash.
using StateDict = std::map<std::string, Tensor, std::less<>>;

/// Hash over names, dtypes, shapes and bytes.
[[nodiscard]] std::uint64_t hashState(const StateDict& state);

}  // namespace bitloom::graph
