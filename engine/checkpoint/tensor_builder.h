// From what a pickle says about a tensor and the raw bytes of its storage to a contiguous tensor. Everything
// the pickle claims is checked here before memory is taken.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/checkpoint/input_file.h"
#include "engine/checkpoint/pickle.h"

namespace bitloom::checkpoint {

/// Where the bytes of a storage are: in the file, or unpacked in memory.
struct RawStorage {
    std::uint64_t offset = 0;  ///< in the file, when not unpacked
    std::uint64_t size = 0;    ///< bytes
    std::shared_ptr<const std::vector<std::byte>> unpacked;
    std::optional<std::uint32_t> crc32;  ///< of all its bytes, where the container has one
};

/// Finds the storage of a view; the error says that the file lacks it.
using FindStorage = std::function<Result<RawStorage>(const StorageView&)>;

/// elements * byteSize(dtype) of `shape`; nothing when a size is negative or the product leaves 63 bits.
[[nodiscard]] std::optional<std::uint64_t> checkedByteCount(const graph::Shape& shape, graph::DType dtype);

/// Any non-zero byte of a Bool tensor becomes 1.
void normalizeBools(graph::Tensor& tensor);

/// `key` is for messages.
[[nodiscard]] Result<graph::Tensor> buildTensor(const InputFile& file, const StorageView& storage,
                                                const RawStorage& raw, const TensorView& view,
                                                std::string_view key, MemoryBudget& budget);

}  // namespace bitloom::checkpoint
