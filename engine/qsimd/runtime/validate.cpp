// A model may come from a damaged or hostile file: after validate() every address that running it computes
// lies inside its buffers and its weights.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/qsimd/kernels/microkernel.h"
#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {
namespace {

constexpr std::int32_t kMaxExtent = 1 << 16;                 // height, width, channels, kernel
constexpr std::uint64_t kMaxArena = std::uint64_t{1} << 36;  // 64 GiB

bool within(std::int32_t value, std::int32_t low, std::int32_t high) {
    return value >= low && value <= high;
}

bool allFinite(const std::vector<float>& values) {
    return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

/// Output extent of a window; 0 when it does not fit.
std::int32_t windows(std::int32_t extent, std::int32_t kernel, std::int32_t stride, std::int32_t padding,
                     std::int32_t dilation) {
    const std::int64_t span = static_cast<std::int64_t>(kernel - 1) * dilation + 1;
    const std::int64_t room = static_cast<std::int64_t>(extent) + std::int64_t{2} * padding - span;
    return room < 0 ? 0 : static_cast<std::int32_t>(room / stride + 1);
}

class Checker {
  public:
    explicit Checker(const Model& model) : m_model(model) {}

    std::string check() {
        if (m_model.buffers.empty() || m_model.steps.empty()) return "has no buffers or no steps";
        if (m_model.arenaBytes > kMaxArena) return "asks for more than 64 GiB of memory";
        for (std::size_t i = 0; i < m_model.buffers.size(); ++i) {
            if (!isSound(m_model.buffers[i]))
                return "buffer " + std::to_string(i) + " has an impossible shape";
        }
        if (!exists(m_model.output) || m_model.buffers.front().type != ValueType::Float32)
            return "has no output";
        for (std::size_t i = 0; i < m_model.steps.size(); ++i) {
            const auto step = static_cast<std::int32_t>(i);
            const std::string problem =
                std::visit([&](const auto& s) { return checkStep(s, step); }, m_model.steps[i]);
            if (!problem.empty()) return "step " + std::to_string(i) + " " + problem;
        }
        return {};
    }

  private:
    [[nodiscard]] bool exists(BufferIndex index) const {
        return index >= 0 && static_cast<std::size_t>(index) < m_model.buffers.size();
    }
    [[nodiscard]] const Buffer& buffer(BufferIndex index) const {
        return m_model.buffers[static_cast<std::size_t>(index)];
    }

    [[nodiscard]] bool isSound(const Buffer& b) const {
        if (!within(b.height, 1, kMaxExtent) || !within(b.width, 1, kMaxExtent) ||
            !within(b.channels, 1, kMaxExtent) || !within(b.halo, 0, 64) || !within(b.zeroPoint, 0, 255))
            return false;
        if (b.type != ValueType::Float32 && b.type != ValueType::Uint8) return false;
        if (!(b.scale > 0) || !std::isfinite(b.scale) || b.offset % kBufferAlignment != 0) return false;
        const std::uint64_t bytes = bufferBytes(b);
        return bytes <= m_model.arenaBytes && b.offset <= m_model.arenaBytes - bytes;
    }

    /// Both alive during `step`, and apart.
    [[nodiscard]] bool usable(BufferIndex input, BufferIndex output, std::int32_t step) const {
        if (!exists(input) || !exists(output) || input == output) return false;
        const Buffer& a = buffer(input);
        const Buffer& b = buffer(output);
        if (a.firstStep > step || a.lastStep < step || b.firstStep > step || b.lastStep < step) return false;
        return a.offset + bufferBytes(a) <= b.offset || b.offset + bufferBytes(b) <= a.offset;
    }

    template <class Window>
    [[nodiscard]] bool fits(const Window& step, std::int32_t dilationHeight,
                            std::int32_t dilationWidth) const {
        if (!within(step.kernelHeight, 1, kMaxExtent) || !within(step.kernelWidth, 1, kMaxExtent) ||
            !within(step.strideHeight, 1, kMaxExtent) || !within(step.strideWidth, 1, kMaxExtent) ||
            !within(step.paddingHeight, 0, 64) || !within(step.paddingWidth, 0, 64) ||
            !within(dilationHeight, 1, kMaxExtent) || !within(dilationWidth, 1, kMaxExtent))
            return false;
        const Buffer& from = buffer(step.input);
        const Buffer& to = buffer(step.output);
        return to.height == windows(from.height, step.kernelHeight, step.strideHeight, step.paddingHeight,
                                    dilationHeight) &&
               to.width ==
                   windows(from.width, step.kernelWidth, step.strideWidth, step.paddingWidth, dilationWidth);
    }

    std::string checkStep(const Convolution& step, std::int32_t index) const {
        const std::string name = "(" + step.layer + ") ";
        if (!usable(step.input, step.output, index)) return name + "reads and writes impossible buffers";
        const Buffer& from = buffer(step.input);
        const Buffer& to = buffer(step.output);
        if (!fits(step, step.dilationHeight, step.dilationWidth) || step.paddingHeight > from.halo ||
            step.paddingWidth > from.halo)
            return name + "has a window that does not fit";
        if (!within(step.groups, 1, from.channels) || from.channels % step.groups != 0 ||
            to.channels % step.groups != 0)
            return name + "has groups that do not divide its channels";
        if (step.residual != -1) {
            if (!usable(step.residual, step.output, index)) return name + "adds an impossible buffer";
            const Buffer& other = buffer(step.residual);
            if (other.height != to.height || other.width != to.width || other.channels != to.channels)
                return name + "adds a buffer of another shape";
        }
        const auto outputs = static_cast<std::size_t>(to.channels);
        if (step.scale.size() != outputs || step.bias.size() != outputs || !allFinite(step.scale) ||
            !allFinite(step.bias) || !std::isfinite(step.residualScale) || !(step.low <= step.high))
            return name + "has scales or a clamp that are missing or not finite";
        if (to.type == ValueType::Uint8 && (step.low < 0 || step.high > 255))
            return name + "writes beyond a byte";
        const std::string problem = checkWeights(step, from, to);
        return problem.empty() ? problem : name + problem;
    }

    static std::string checkWeights(const Convolution& step, const Buffer& from, const Buffer& to) {
        const std::uint64_t count = static_cast<std::uint64_t>(to.channels) *
                                    static_cast<std::uint64_t>(step.kernelHeight) *
                                    static_cast<std::uint64_t>(step.kernelWidth) *
                                    static_cast<std::uint64_t>(from.channels / step.groups);
        if (step.family > Family::K2) return "is of an unknown family";
        const bool bytes = step.family == Family::K2;
        if (bytes != (from.type == ValueType::Uint8)) return "has an input of the wrong type";
        const std::size_t books = step.codebook.size() + step.codebook8.size();
        const bool indices = step.format == WeightFormat::Codebook || step.format == WeightFormat::Codebook8;
        if (!indices && step.indexBits != 0) return "has bits of indices without indices";
        switch (step.format) {
            case WeightFormat::Float32:
                if (bytes || step.family == Family::K0 || step.family == Family::PaperCodebook)
                    return "needs a codebook";
                return step.weights.size() == 4 * count ? "" : "has a wrong number of weights";
            case WeightFormat::Int8:
                if (!bytes) return "has int8 weights for float activations";
                if (!std::ranges::all_of(step.weights, [](std::uint8_t weight) {
                        return within(static_cast<std::int8_t>(weight), -kMaxWeight, kMaxWeight);
                    }))
                    return "has weights beyond +-64";
                return step.weights.size() == count ? "" : "has a wrong number of weights";
            case WeightFormat::Codebook:
            case WeightFormat::Codebook8:
                break;
            default:
                return "has an unknown format of weights";
        }
        if (bytes != (step.format == WeightFormat::Codebook8)) return "has a codebook of the wrong type";
        if (step.indexBits != 2 && step.indexBits != 4 && step.indexBits != 8)
            return "has indices of odd bits";
        const std::size_t entries = std::size_t{1} << step.indexBits;
        const bool one = books == entries;
        const bool filterWise = books == entries * static_cast<std::size_t>(to.channels);
        if ((!one && !filterWise) || (!step.codebook.empty() && !step.codebook8.empty()) ||
            !allFinite(step.codebook))
            return "has a codebook of the wrong size";
        if (!std::ranges::all_of(step.codebook8,
                                 [](std::int8_t value) { return within(value, -kMaxWeight, kMaxWeight); }))
            return "has a codebook beyond +-64";
        const std::uint64_t perByte = 8 / static_cast<std::uint64_t>(step.indexBits);
        return step.weights.size() == (count + perByte - 1) / perByte ? "" : "has a wrong number of weights";
    }

    std::string checkStep(const Pool& step, std::int32_t index) const {
        if (!usable(step.input, step.output, index)) return "(pool) reads and writes impossible buffers";
        const Buffer& from = buffer(step.input);
        const Buffer& to = buffer(step.output);
        if (step.kind != PoolKind::Max && step.kind != PoolKind::Average)
            return "(pool) is of an unknown kind";
        if (!fits(step, 1, 1) || from.channels != to.channels || step.paddingHeight >= step.kernelHeight ||
            step.paddingWidth >= step.kernelWidth)
            return "(pool) has a window that does not fit";
        return {};
    }

    std::string checkStep(const Elementwise& step, std::int32_t index) const {
        if (!usable(step.input, step.output, index))
            return "(elementwise) reads and writes impossible buffers";
        if (step.function > Function::HardSigmoid) return "(elementwise) is of an unknown kind";
        return sameShape(step.input, step.output) ? "" : "(elementwise) changes the shape";
    }

    std::string checkStep(const Combine& step, std::int32_t index) const {
        if (!usable(step.first, step.output, index) || !usable(step.second, step.output, index))
            return "(combine) reads and writes impossible buffers";
        const Buffer& second = buffer(step.second);
        const bool onePixel =
            second.height == 1 && second.width == 1 && second.channels == buffer(step.first).channels;
        if (step.combination > Combination::Multiply) return "(combine) is of an unknown kind";
        return sameShape(step.first, step.output) && (onePixel || sameShape(step.first, step.second))
                   ? ""
                   : "(combine) has inputs that do not fit";
    }

    std::string checkStep(const Place& step, std::int32_t index) const {
        if (!usable(step.input, step.output, index)) return "(place) reads and writes impossible buffers";
        const Buffer& from = buffer(step.input);
        const Buffer& to = buffer(step.output);
        if (!within(step.strideHeight, 1, kMaxExtent) || !within(step.strideWidth, 1, kMaxExtent) ||
            !within(step.rowsBefore, 0, to.height) || !within(step.columnsBefore, 0, to.width) ||
            !within(step.channelsBefore, 0, to.channels))
            return "(place) is out of range";
        const std::int32_t rows = (from.height - 1) / step.strideHeight + 1;
        const std::int32_t columns = (from.width - 1) / step.strideWidth + 1;
        return rows <= to.height - step.rowsBefore && columns <= to.width - step.columnsBefore &&
                       from.channels <= to.channels - step.channelsBefore
                   ? ""
                   : "(place) does not fit";
    }

    std::string checkStep(const Softmax& step, std::int32_t index) const {
        if (!usable(step.input, step.output, index)) return "(softmax) reads and writes impossible buffers";
        const bool floats =
            buffer(step.input).type == ValueType::Float32 && buffer(step.output).type == ValueType::Float32;
        return floats && sameShape(step.input, step.output) ? "" : "(softmax) needs floats of one shape";
    }

    [[nodiscard]] bool sameShape(BufferIndex a, BufferIndex b) const {
        const Buffer& first = buffer(a);
        const Buffer& second = buffer(b);
        return first.height == second.height && first.width == second.width &&
               first.channels == second.channels;
    }

    const Model& m_model;
};

}  // namespace

std::string validate(const Model& model) {
    return Checker(model).check();
}

}  // namespace bitloom::qsimd
