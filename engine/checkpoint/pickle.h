// The restricted pickle machine: runs a pickle's instructions far enough to build plain containers, scalars
// and descriptions of tensors, and calls nothing. A name outside a short list (pickle_globals.cpp) ends the
// reading. Opcodes: https://github.com/python/cpython/blob/main/Lib/pickletools.py, protocols 0 to 5. Any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"

namespace bitloom::checkpoint {

/// Position in Pickle::values. Values refer to each other by position, so a cyclic pickle is only a cyclic
/// table.
using ValueId = std::uint32_t;

struct Value {
    enum class Kind : std::uint8_t {
        None,
        Bool,
        Int,
        BigInt,  ///< outside 64 bits; text holds the little-endian bytes or the decimal digits
        Float,
        Text,
        Bytes,
        List,
        Tuple,
        Set,
        Dict,       ///< items alternate key and value
        Global,     ///< integer: index in the table of known names; text: "torch.FloatStorage"
        NumpyType,  ///< text: "f8"
        Storage,    ///< integer: index in Pickle::storages
        Tensor      ///< integer: index in Pickle::tensors
    };
    Kind kind = Kind::None;
    std::int64_t integer = 0;
    double real = 0;
    std::string text = {};
    std::vector<ValueId> items = {};
};

/// A view of one of the file's raw storages.
struct StorageView {
    std::string key;
    graph::DType dtype = graph::DType::F32;
    std::uint64_t rootElements = 0;  ///< of the whole storage, as the pickle says
    std::uint64_t first = 0;         ///< element of the storage at which this view starts
    std::uint64_t elements = 0;      ///< of this view
};

/// A tensor as the pickle describes it; nothing of it has been checked against its storage.
struct TensorView {
    std::uint32_t storage = 0;  ///< index in Pickle::storages
    std::int64_t offset = 0;    ///< elements
    graph::Shape shape;
    graph::Shape strides;  ///< elements; as long as shape
};

struct Pickle {
    std::vector<Value> values;
    ValueId root = 0;
    std::vector<StorageView> storages;
    std::vector<TensorView> tensors;
    std::size_t length = 0;  ///< bytes up to and including STOP

    [[nodiscard]] const Value& operator[](ValueId id) const { return values[id]; }
};

/// A pickle longer than this is refused: tensors' content lies beside it, not in it.
inline constexpr std::size_t kMaxPickleBytes = std::size_t{64} << 20;

/// Runs the pickle at the start of `bytes`; what follows STOP is not looked at.
[[nodiscard]] Result<Pickle> readPickle(std::span<const std::byte> bytes);

}  // namespace bitloom::checkpoint
