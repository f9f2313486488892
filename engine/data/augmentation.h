// From bytes to network input: crop, flip and normalise one image in one pass. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/data/dataset.h"

namespace bitloom::data {

/// Padding of the random crop: a black border of 4 pixels on each side (He et al. 2016, section 4.2).
inline constexpr int kCropPadding = 4;

/// The image's content moves by (-dx, -dy) pixels, black coming in, and is then mirrored left to right.
struct Augmentation {
    int dx = 0;  ///< in [-kCropPadding, kCropPadding]
    int dy = 0;
    bool flip = false;
};

/// The draw for image `index` in `epoch`: depends on nothing else, so neither on threads nor on the order of
/// batches.
[[nodiscard]] Augmentation drawAugmentation(std::uint64_t seed, std::int64_t epoch, std::int64_t index);

/// Normalised value of each byte, by channel.
class PixelTable {
  public:
    explicit PixelTable(const Normalization& normalization);

    /// `pixels`: [C, H, W] bytes; `image`: [C, H, W] floats. C is at most 3.
    void apply(std::span<const std::uint8_t> pixels, ImageShape shape, Augmentation augmentation,
               std::span<float> image) const;

  private:
    std::array<std::array<float, 256>, 3> m_values;
};

}  // namespace bitloom::data
