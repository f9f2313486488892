// Host tensors: element conversion, finiteness and hashing. Conversions go through the value's bits, so they
// do not depend on the compiler's half-precision support. Any thread.
#include "engine/graph/tensor.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "engine/base/hash.h"

namespace bitloom::graph {
namespace {

static_assert(std::endian::native == std::endian::little,
              "Tensor::bytes are little-endian and read in place");

/// Distinct types for the 16-bit formats, so that one template converts every element type.
struct Half {
    std::uint16_t bits;
};
struct Brain {
    std::uint16_t bits;
};

float toFloat(Half value) {
    const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
    const std::uint32_t exponent = (value.bits >> 10) & 0x1fu;
    const std::uint32_t mantissa = value.bits & 0x3ffu;
    if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
        const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
        return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 0x1fu ? 0xffu : exponent + 112;  // 127 - 15
    return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}
float toFloat(Brain value) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}
float toFloat(bool value) {
    return value ? 1.0f : 0.0f;
}
template <class T>
float toFloat(T value) {
    return static_cast<float>(value);
}

/// Calls `use(T{})` with the element type of `dtype`.
template <class Use>
auto withElementType(DType dtype, Use&& use) {
    switch (dtype) {
        case DType::F32:
            return use(float{});
        case DType::F64:
            return use(double{});
        case DType::F16:
            return use(Half{});
        case DType::BF16:
            return use(Brain{});
        case DType::I64:
            return use(std::int64_t{});
        case DType::I32:
            return use(std::int32_t{});
        case DType::I16:
            return use(std::int16_t{});
        case DType::I8:
            return use(std::int8_t{});
        case DType::U8:
            return use(std::uint8_t{});
        case DType::Bool:
            break;
    }
    return use(bool{});
}

template <class T>
T elementAt(const std::vector<std::byte>& bytes, std::size_t index) {
    if constexpr (std::is_same_v<T,
                                 bool>) {  // any non-zero byte is true; reading it as bool would be undefined
        return bytes[index] != std::byte{0};
    } else {
        T value;
        std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
        return value;
    }
}

template <class T>
Tensor fromValues(DType dtype, Shape shape, const std::vector<T>& values) {
    assert(elementCount(shape) == static_cast<std::int64_t>(values.size()));
    Tensor tensor{.dtype = dtype, .shape = std::move(shape), .bytes = {}};
    const auto bytes = std::as_bytes(std::span(values));
    tensor.bytes.assign(bytes.begin(), bytes.end());
    return tensor;
}

template <class T>
std::uint64_t hashValue(const T& value, std::uint64_t state) {
    return hashBytes(std::as_bytes(std::span(&value, 1)), state);
}

}  // namespace

std::int64_t elementCount(const Shape& shape) {
    std::int64_t count = 1;
    bool overflow = false;
    for (const std::int64_t extent : shape) {
        assert(extent >= 0);
        if (extent == 0) return 0;
        overflow = __builtin_mul_overflow(count, extent, &count) || overflow;
    }
    return overflow ? std::numeric_limits<std::int64_t>::max() : count;
}

std::string toText(const Shape& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i)
        text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

std::size_t byteSize(DType dtype) {
    return withElementType(dtype, [](auto element) { return sizeof(element); });
}

const char* toText(DType dtype) {
    switch (dtype) {
        case DType::F32:
            return "float32";
        case DType::F64:
            return "float64";
        case DType::F16:
            return "float16";
        case DType::BF16:
            return "bfloat16";
        case DType::I64:
            return "int64";
        case DType::I32:
            return "int32";
        case DType::I16:
            return "int16";
        case DType::I8:
            return "int8";
        case DType::U8:
            return "uint8";
        case DType::Bool:
            break;
    }
    return "bool";
}

bool isFloating(DType dtype) {
    return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::F16 || dtype == DType::BF16;
}

Tensor Tensor::fromFloats(Shape shape, const std::vector<float>& values) {
    return fromValues(DType::F32, std::move(shape), values);
}

Tensor Tensor::fromInt64(Shape shape, const std::vector<std::int64_t>& values) {
    return fromValues(DType::I64, std::move(shape), values);
}

std::vector<float> Tensor::toFloats() const {
    return withElementType(dtype, [&](auto element) {
        std::vector<float> values(bytes.size() / sizeof(element));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = toFloat(elementAt<decltype(element)>(bytes, i));
        return values;
    });
}

std::int64_t Tensor::firstNonFinite() const {
    if (!isFloating(dtype)) return -1;
    return withElementType(dtype, [&](auto element) -> std::int64_t {
        using T = decltype(element);
        for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
            const T value = elementAt<T>(bytes, i);
            bool finite = true;
            if constexpr (std::is_floating_point_v<T>) {  // a float64 beyond float32's range is finite
                finite = std::isfinite(value);
            } else {
                finite = std::isfinite(toFloat(value));
            }
            if (!finite) return static_cast<std::int64_t>(i);
        }
        return -1;
    });
}

std::uint64_t hashState(const StateDict& state) {
    std::uint64_t hash = kHashSeed;
    for (const auto& [name, tensor] : state) {
        hash = hashValue(name.size(), hash);  // lengths keep neighbouring fields apart
        hash = hashBytes(std::as_bytes(std::span(name)), hash);
        hash = hashValue(static_cast<std::uint32_t>(tensor.dtype), hash);
        hash = hashValue(tensor.shape.size(), hash);
        hash = hashBytes(std::as_bytes(std::span(tensor.shape)), hash);
        hash = hashBytes(tensor.bytes, hash);
    }
    return hash;
}

}  // namespace bitloom::graph
