// Labelled images, addressed by index. Datasets are immutable once opened; read() may be called from several
// threads.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace bitloom::data {

enum class Split { Train, Test };

struct ImageShape {
    int channels = 3;
    int height = 32;
    int width = 32;
    [[nodiscard]] std::size_t bytes() const {
        return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
               static_cast<std::size_t>(width);
    }
};

class Dataset {
  public:
    virtual ~Dataset() = default;
    [[nodiscard]] virtual std::int64_t size() const = 0;
    [[nodiscard]] virtual ImageShape shape() const = 0;
    [[nodiscard]] virtual const std::vector<std::string>& classNames() const = 0;
    /// Writes image `index`, planes R G B, values 0..255, into `pixels` (shape().bytes()), and returns its
    /// label in [0, classes). Errors name the file.
    [[nodiscard]] virtual Result<int> read(std::int64_t index, std::span<std::uint8_t> pixels) const = 0;
};

/// `source` is "cifar10:FOLDER", "folder:FOLDER" (FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*, or
/// FOLDER/CLASS/* with a seeded 90/10 split) or "generated" ("generated:SEED,TRAIN,TEST", counts of images).
/// `imageSize` resizes an image folder (0: 32). An unknown scheme is a usage error.
[[nodiscard]] Result<std::unique_ptr<Dataset>> openDataset(std::string_view source, Split split,
                                                           int imageSize = 0);

/// Per-channel mean and standard deviation of pixel values in [0, 1]: x = (p / 255 - mean) / deviation.
struct Normalization {
    std::array<float, 3> mean = {0, 0, 0};
    std::array<float, 3> deviation = {1, 1, 1};
};

/// "imagenet" (0.485 0.456 0.406 / 0.229 0.224 0.225), "cifar10" (.4914 .4822 .4465 / .2023 .1994 .2010),
/// "half" (0.5 / 0.5), "none".
[[nodiscard]] Result<Normalization> normalizationByName(std::string_view name);

}  // namespace bitloom::data
