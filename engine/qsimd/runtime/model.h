// A lowered network as data: buffers, steps and packed weights. It names no processor: which microkernel a
// step runs with is decided where it runs, so one file serves every phone. Values only, any thread.
//
// This folder and kernels/ stand alone (standard library, POSIX): they are part of Bitloom and, unchanged, of
// every exported bundle.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bitloom::qsimd {

/// Values of a buffer: float, or numbers 0 to 255 that mean scale x (number - zeroPoint).
enum class ValueType : std::uint8_t { Float32, Uint8 };

/// An activation of one image, channels-last, with `halo` rows and columns of padding (which mean 0) around
/// it. Buffers whose lifetimes do not meet may share bytes of the arena.
struct Buffer {
    std::string name;  ///< of the graph node whose output it is
    ValueType type = ValueType::Float32;
    std::int32_t height = 1;
    std::int32_t width = 1;
    std::int32_t channels = 1;
    std::int32_t halo = 0;
    float scale = 1;             ///< > 0; of Uint8 buffers
    std::int32_t zeroPoint = 0;  ///< 0 to 255; of Uint8 buffers
    std::uint64_t offset = 0;    ///< bytes into the arena, a multiple of kBufferAlignment
    std::int32_t firstStep = 0;  ///< written first by this step
    std::int32_t lastStep = 0;   ///< read last by this step; the number of steps for the network's output
};

using BufferIndex = std::int32_t;  ///< position in Model::buffers; -1 for none

/// How a step's weights are stored. An index has 2, 4 or 8 bits; indices of a row of bytes start in the low
/// bits.
enum class WeightFormat : std::uint8_t {
    Float32,    ///< one float a weight
    Codebook,   ///< an index a weight into `codebook`, floats
    Codebook8,  ///< an index a weight into `codebook8`, int8 of one scale; input is Uint8
    Int8,       ///< an int8 within +-kMaxWeight a weight; input is Uint8
};

/// Which code multiplies: the choice of the person, not of the machine.
enum class Family : std::uint8_t {
    NaiveFp32,      ///< plain loops over decoded weights, the yardstick of the Q-SIMD paper
    TunedFp32,      ///< microkernels over float weights
    PaperCodebook,  ///< the paper's own flow: a byte of indices looks up a pair or a quadruple of weights
    K0,             ///< microkernels over float weights decoded from the codebook, block by block
    K2,             ///< int8 activations and int8 codebooks
};
inline constexpr Family kFamilies[] = {Family::NaiveFp32, Family::TunedFp32, Family::PaperCodebook,
                                       Family::K0, Family::K2};

/// Convolution or fully connected layer, with what follows it: out = clamp(scale x sum + bias + residualScale
/// x residual). Weights are ordered [group][output channel][row][column][input channel].
struct Convolution {
    std::string layer;  ///< of the graph node
    BufferIndex input = -1;
    BufferIndex output = -1;
    BufferIndex residual = -1;  ///< added before the clamp; of the output's height, width and channels
    Family family = Family::TunedFp32;
    WeightFormat format = WeightFormat::Float32;
    std::int32_t indexBits = 0;  ///< 2, 4 or 8 where format has indices, else 0
    std::int32_t kernelHeight = 1;
    std::int32_t kernelWidth = 1;
    std::int32_t strideHeight = 1;
    std::int32_t strideWidth = 1;
    std::int32_t paddingHeight = 0;  ///< at most the input's halo
    std::int32_t paddingWidth = 0;
    std::int32_t dilationHeight = 1;
    std::int32_t dilationWidth = 1;
    std::int32_t groups = 1;
    std::vector<float> codebook;         ///< one, or one an output channel (filter-wise)
    std::vector<std::int8_t> codebook8;  ///< within +-kMaxWeight
    std::vector<std::uint8_t> weights;   ///< as format says; floats little-endian
    std::vector<float> scale;            ///< [output channels]
    std::vector<float> bias;             ///< [output channels]
    float residualScale = 0;             ///< of a Uint8 residual: its number times this is added
    float low = -std::numeric_limits<float>::infinity();  ///< clamp, in units of the output's stored numbers
    float high = std::numeric_limits<float>::infinity();
};

enum class PoolKind : std::uint8_t { Max, Average };

/// Padding never wins a maximum; in an average it counts as zero. Result = scale x value + bias, rounded for
/// a Uint8 output.
struct Pool {
    PoolKind kind = PoolKind::Max;
    BufferIndex input = -1;
    BufferIndex output = -1;
    std::int32_t kernelHeight = 1;
    std::int32_t kernelWidth = 1;
    std::int32_t strideHeight = 1;
    std::int32_t strideWidth = 1;
    std::int32_t paddingHeight = 0;
    std::int32_t paddingWidth = 0;
};

enum class Function : std::uint8_t { Copy, Relu, Relu6, HardSwish, HardSigmoid };

/// One value at a time, in real numbers: also what changes a buffer's type or scale (Copy).
struct Elementwise {
    Function function = Function::Copy;
    BufferIndex input = -1;
    BufferIndex output = -1;
};

enum class Combination : std::uint8_t { Add, Multiply };

/// Two buffers of one shape; the second may be one pixel, used for all.
struct Combine {
    Combination combination = Combination::Add;
    BufferIndex first = -1;
    BufferIndex second = -1;
    BufferIndex output = -1;
};

/// Copies every strideHeight-th row and strideWidth-th column of the input to `output`, shifted by
/// rowsBefore, columnsBefore and channelsBefore; what is not written means 0. Slices, pads, and parts of a
/// concatenation.
struct Place {
    BufferIndex input = -1;
    BufferIndex output = -1;
    std::int32_t strideHeight = 1;
    std::int32_t strideWidth = 1;
    std::int32_t rowsBefore = 0;
    std::int32_t columnsBefore = 0;
    std::int32_t channelsBefore = 0;
    bool clears = true;  ///< writes zeros first: false from the second part of a concatenation on
};

/// Over all channels of each pixel. Float32 both.
struct Softmax {
    BufferIndex input = -1;
    BufferIndex output = -1;
};

using Step = std::variant<Convolution, Pool, Elementwise, Combine, Place, Softmax>;

inline constexpr std::uint64_t kBufferAlignment = 64;

/// Buffer 0 is the image, Float32; the last step writes the output.
struct Model {
    std::string name;  ///< of the network, "resnet20"
    std::vector<Buffer> buffers;
    std::vector<Step> steps;
    BufferIndex output = -1;
    std::uint64_t arenaBytes = 0;
};

/// "k2", "tuned_fp32", ...: as in results.
[[nodiscard]] const char* familyName(Family family);
[[nodiscard]] std::optional<Family> familyOf(std::string_view name);  ///< nothing for an unknown name

/// Bytes that a buffer takes in the arena, its padding and slack included.
[[nodiscard]] std::uint64_t bufferBytes(const Buffer& buffer);

/// Values between one pixel and the next, one row and the next, and before the first pixel.
[[nodiscard]] inline std::int64_t rowStride(const Buffer& buffer) {
    return static_cast<std::int64_t>(buffer.width + 2 * buffer.halo) * buffer.channels;
}
[[nodiscard]] inline std::int64_t firstPixel(const Buffer& buffer) {
    return buffer.halo * rowStride(buffer) + static_cast<std::int64_t>(buffer.halo) * buffer.channels;
}

/// Multiply-adds of a convolution for one image, padding included.
[[nodiscard]] std::int64_t macCount(const Convolution& step, const Buffer& output, const Buffer& input);

/// Bytes of weights, codebooks, scales and biases as stored.
[[nodiscard]] std::uint64_t weightBytes(const Convolution& step);

/// Empty when every index, shape, size and range of `model` is consistent, so that running it stays inside
/// its buffers; else what is wrong and where.
[[nodiscard]] std::string validate(const Model& model);

}  // namespace bitloom::qsimd
