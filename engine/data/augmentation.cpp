#include "engine/data/augmentation.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "engine/base/random.h"

namespace bitloom::data {
namespace {

/// Keeps these draws apart from other streams of the same seed.
constexpr std::uint64_t kAugmentationStream = 0x61756700;

}  // namespace

Augmentation drawAugmentation(std::uint64_t seed, std::int64_t epoch, std::int64_t index) {
    Random random(
        {kAugmentationStream, seed, static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(index)});
    const auto shift = [&] { return static_cast<int>(random.below(2 * kCropPadding + 1)) - kCropPadding; };
    Augmentation augmentation;
    augmentation.dx = shift();
    augmentation.dy = shift();
    augmentation.flip = random.below(2) == 1;
    return augmentation;
}

PixelTable::PixelTable(const Normalization& normalization) {
    for (std::size_t channel = 0; channel < m_values.size(); ++channel) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const float unit = static_cast<float>(byte) / 255.0f;
            m_values[channel][byte] = (unit - normalization.mean[channel]) / normalization.deviation[channel];
        }
    }
}

void PixelTable::apply(std::span<const std::uint8_t> pixels, ImageShape shape, Augmentation augmentation,
                       std::span<float> image) const {
    assert(pixels.size() == shape.bytes() && image.size() == shape.bytes());
    assert(shape.channels >= 1 && shape.channels <= static_cast<int>(m_values.size()));
    const std::ptrdiff_t width = shape.width;
    // Target columns [first, last) come from the source, the others from the border.
    const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(-augmentation.dx, 0, width);
    const std::ptrdiff_t last = std::clamp<std::ptrdiff_t>(width - augmentation.dx, 0, width);
    for (int channel = 0; channel < shape.channels; ++channel) {
        const auto& values = m_values[static_cast<std::size_t>(channel)];
        for (int y = 0; y < shape.height; ++y) {
            float* target = image.data() + (std::ptrdiff_t{channel} * shape.height + y) * width;
            const int sourceY = y + augmentation.dy;
            if (sourceY < 0 || sourceY >= shape.height) {
                std::fill_n(target, width, values[0]);
                continue;
            }
            const std::uint8_t* source =
                pixels.data() + (std::ptrdiff_t{channel} * shape.height + sourceY) * width + augmentation.dx;
            std::fill_n(target, first, values[0]);
            for (std::ptrdiff_t x = first; x < last; ++x)
                target[x] = values[source[x]];
            std::fill_n(target + last, width - last, values[0]);
            if (augmentation.flip) std::reverse(target, target + width);
        }
    }
}

}  // namespace bitloom::data
