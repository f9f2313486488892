#include "engine/checkpoint/tensor_builder.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <zlib.h>

namespace bitloom::checkpoint {
namespace {

using graph::Shape;
using graph::Tensor;

bool isContiguous(const TensorView& view) {
    std::int64_t expected = 1;
    for (std::size_t i = view.shape.size(); i > 0; --i) {
        if (view.shape[i - 1] == 1) continue;
        if (view.strides[i - 1] != expected) return false;
        expected *= view.shape[i - 1];
    }
    return true;
}

/// Elements from the first to the last that a non-empty view touches; nothing when a stride is negative or
/// the sum overflows.
std::optional<std::uint64_t> spannedElements(const TensorView& view) {
    std::int64_t last = 0;
    for (std::size_t i = 0; i < view.shape.size(); ++i) {
        std::int64_t reach = 0;
        if (view.strides[i] < 0 || __builtin_mul_overflow(view.shape[i] - 1, view.strides[i], &reach) ||
            __builtin_add_overflow(last, reach, &last)) {
            return std::nullopt;
        }
    }
    return static_cast<std::uint64_t>(last) + 1;
}

Status readRaw(const InputFile& file, const RawStorage& raw, std::uint64_t first, std::span<std::byte> out) {
    if (!raw.unpacked) return file.read(raw.offset + first, out);
    std::memcpy(out.data(), raw.unpacked->data() + first, out.size());
    return {};
}

/// Copies a strided view into row-major order: an odometer over the outer dimensions, a plain loop over the
/// last.
template <class Element>
void gather(const std::byte* source, const TensorView& view, std::byte* target) {
    const std::size_t rank = view.shape.size();
    const std::int64_t rowLength = rank == 0 ? 1 : view.shape.back();
    const std::int64_t rowStride = rank == 0 ? 1 : view.strides.back();
    std::vector<std::int64_t> position(rank, 0);
    std::int64_t row = 0;
    for (;;) {
        for (std::int64_t i = 0; i < rowLength; ++i, target += sizeof(Element)) {
            std::memcpy(target, source + static_cast<std::size_t>(row + i * rowStride) * sizeof(Element),
                        sizeof(Element));
        }
        std::size_t axis = rank < 2 ? 0 : rank - 1;
        for (; axis > 0; --axis) {
            row += view.strides[axis - 1];
            if (++position[axis - 1] < view.shape[axis - 1]) break;
            row -= view.shape[axis - 1] * view.strides[axis - 1];
            position[axis - 1] = 0;
        }
        if (axis == 0) return;
    }
}

void gather(std::size_t elementSize, const std::byte* source, const TensorView& view, std::byte* target) {
    switch (elementSize) {
        case 1:
            return gather<std::uint8_t>(source, view, target);
        case 2:
            return gather<std::uint16_t>(source, view, target);
        case 4:
            return gather<std::uint32_t>(source, view, target);
        default:
            return gather<std::uint64_t>(source, view, target);
    }
}

/// A damaged weight would only show as a worse network, so whole storages are compared with the container's
/// sum.
Status checkSum(const RawStorage& raw, std::span<const std::byte> bytes, std::string_view key) {
    if (!raw.crc32 || bytes.size() != raw.size) return {};
    const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
    if (::crc32_z(0, data, bytes.size()) == *raw.crc32) return {};
    return fail("tensor {}: its content does not match the checksum in the file: {}", key, kCopyAgain);
}

}  // namespace

std::optional<std::uint64_t> checkedByteCount(const Shape& shape, graph::DType dtype) {
    // Zero sizes are set aside first: [0, 2^62, 2^62] is empty, not an overflow.
    bool empty = false;
    std::int64_t count = static_cast<std::int64_t>(graph::byteSize(dtype));
    for (const std::int64_t size : shape) {
        if (size < 0) return std::nullopt;
        empty = empty || size == 0;
    }
    if (empty) return 0;
    for (const std::int64_t size : shape) {
        if (__builtin_mul_overflow(count, size, &count)) return std::nullopt;
    }
    return static_cast<std::uint64_t>(count);
}

void normalizeBools(Tensor& tensor) {
    if (tensor.dtype != graph::DType::Bool) return;
    for (std::byte& value : tensor.bytes)
        value = value == std::byte{0} ? std::byte{0} : std::byte{1};
}

Result<Tensor> buildTensor(const InputFile& file, const StorageView& storage, const RawStorage& raw,
                           const TensorView& view, std::string_view key, MemoryBudget& budget) {
    const std::uint64_t elementSize = graph::byteSize(storage.dtype);
    if (storage.rootElements > raw.size / elementSize) {
        return fail("tensor {}: its storage {} claims {} elements but has {} bytes: {}", key, storage.key,
                    storage.rootElements, raw.size, kCopyAgain);
    }
    const std::optional<std::uint64_t> byteCount = checkedByteCount(view.shape, storage.dtype);
    if (!byteCount)
        return fail("tensor {}: shape {} is impossible: {}", key, graph::toText(view.shape), kCopyAgain);
    Tensor tensor{storage.dtype, view.shape, {}};
    if (*byteCount == 0) return tensor;

    const std::optional<std::uint64_t> spanned = spannedElements(view);
    const auto offset = static_cast<std::uint64_t>(view.offset);
    if (view.offset < 0 || !spanned || offset > storage.elements || *spanned > storage.elements - offset) {
        return fail("tensor {}: shape {} with strides {} and offset {} leaves its storage of {} elements: {}",
                    key, graph::toText(view.shape), graph::toText(view.strides), view.offset,
                    storage.elements, kCopyAgain);
    }
    const bool contiguous = isContiguous(view);
    const std::uint64_t first = (storage.first + offset) * elementSize;
    BITLOOM_RETURN_IF_ERROR(budget.charge(*byteCount, fmt::format("tensor {}", key)));
    tensor.bytes.resize(static_cast<std::size_t>(*byteCount));
    if (contiguous) {
        BITLOOM_RETURN_IF_ERROR(readRaw(file, raw, first, tensor.bytes));
        BITLOOM_RETURN_IF_ERROR(checkSum(raw, tensor.bytes, key));
    } else {
        // Charged too: many sparse views of a large storage would each read all of it.
        BITLOOM_RETURN_IF_ERROR(budget.charge(*spanned * elementSize, fmt::format("tensor {}", key)));
        std::vector<std::byte> source(static_cast<std::size_t>(*spanned * elementSize));
        BITLOOM_RETURN_IF_ERROR(readRaw(file, raw, first, source));
        gather(elementSize, source.data(), view, tensor.bytes.data());
    }
    normalizeBools(tensor);
    return tensor;
}

}  // namespace bitloom::checkpoint
