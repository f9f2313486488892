// What openDataset() chooses from. Private to this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "engine/base/result.h"
#include "engine/data/dataset.h"

namespace bitloom::data {

/// CIFAR-10 in its binary layout (README.md), read into memory whole. Every file's length and every label is
/// checked here.
[[nodiscard]] Result<std::unique_ptr<Dataset>> openCifar10(const std::filesystem::path& folder, Split split);

/// PNG and JPEG files, one folder a class, cropped to the central square and resized to `size` pixels a side.
/// Opening lists the folders; an image is decoded when it is first read.
[[nodiscard]] Result<std::unique_ptr<Dataset>> openImageFolder(const std::filesystem::path& folder,
                                                               Split split, int size);

/// The generated shapes (README.md). `count` >= 1 images.
[[nodiscard]] std::unique_ptr<Dataset> makeGeneratedDataset(std::uint64_t seed, Split split,
                                                            std::int64_t count);

}  // namespace bitloom::data
