#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

const char* familyName(Family family) {
    switch (family) {
        case Family::NaiveFp32:
            return "naive_fp32";
        case Family::TunedFp32:
            return "tuned_fp32";
        case Family::PaperCodebook:
            return "paper_codebook";
        case Family::K0:
            return "k0";
        case Family::K2:
            return "k2";
    }
    return "";
}

std::optional<Family> familyOf(std::string_view name) {
    for (const Family family : kFamilies)
        if (name == familyName(family)) return family;
    return std::nullopt;
}

std::uint64_t bufferBytes(const Buffer& buffer) {
    const std::uint64_t rows =
        static_cast<std::uint64_t>(buffer.height) + 2 * static_cast<std::uint64_t>(buffer.halo);
    const std::uint64_t values = rows * static_cast<std::uint64_t>(rowStride(buffer));
    const std::uint64_t bytes = values * (buffer.type == ValueType::Float32 ? 4 : 1);
    // A last step of a dot product may read some bytes of nothing, which meet weights that are 0.
    return (bytes + 2 * kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

std::int64_t macCount(const Convolution& step, const Buffer& output, const Buffer& input) {
    return static_cast<std::int64_t>(output.height) * output.width * output.channels * step.kernelHeight *
           step.kernelWidth * (input.channels / step.groups);
}

std::uint64_t weightBytes(const Convolution& step) {
    return step.weights.size() + step.codebook8.size() +
           sizeof(float) * (step.codebook.size() + step.scale.size() + step.bias.size());
}

}  // namespace bitloom::qsimd
