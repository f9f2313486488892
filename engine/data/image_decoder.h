// PNG and JPEG files to square RGB images. What libpng and libjpeg report through longjmp ends here. Any
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace bitloom::data {

/// Rows from the top, R G B interleaved.
struct RgbImage {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> pixels;  ///< 3 * width * height
};

/// Decodes a PNG or JPEG file, told apart by their first bytes. Grey, palette, 16-bit and CMYK images become
/// 8-bit RGB; an alpha channel is dropped. A JPEG may come back halved up to three times as long as both
/// sides keep at least `enoughPixels`. Refuses files over 64 MiB and images over 16,384 pixels a side or 67
/// million pixels. Errors name the file.
[[nodiscard]] Result<RgbImage> decodeImage(const std::filesystem::path& path, int enoughPixels);

/// Resizes the central square of `image` to `size` x `size` and writes it as planes R G B. Bilinear; when it
/// shrinks, the filter widens to cover every source pixel.
void resizeToSquare(const RgbImage& image, int size, std::span<std::uint8_t> planes);

namespace detail {
// image_png.cpp and image_jpeg.cpp. `name` is the file for messages.
[[nodiscard]] Result<RgbImage> decodePng(const std::string& name, std::span<const std::uint8_t> bytes);
[[nodiscard]] Result<RgbImage> decodeJpeg(const std::string& name, std::span<const std::uint8_t> bytes,
                                          int enoughPixels);
[[nodiscard]] Status checkImageSize(const std::string& name, std::uint64_t width, std::uint64_t height);
}  // namespace detail

}  // namespace bitloom::data
