// Writes the small image files that the tests read back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace bitloom::testing {

enum class PngKind { Grey8, GreyAlpha8, Rgb8, Rgba8, Rgb16, Grey1 };

/// `samples`: rows from the top, interleaved; two bytes a sample, big-endian, for Rgb16; packed bits for
/// Grey1.
void writePng(const std::filesystem::path& path, int width, int height, PngKind kind,
              std::span<const std::uint8_t> samples);

/// `palette`: R G B triples; `indices`: one byte a pixel. Interlaced, so that both paths of the reader are
/// used.
void writePalettePng(const std::filesystem::path& path, int width, int height,
                     std::span<const std::uint8_t> palette, std::span<const std::uint8_t> indices);

enum class JpegKind { Grey, Rgb, Cmyk };

/// Quality 100, without chroma subsampling. Cmyk is written as Adobe does: inverted.
void writeJpeg(const std::filesystem::path& path, int width, int height, JpegKind kind,
               std::span<const std::uint8_t> samples);

/// A JPEG of one scan a channel, the last of which is repeated until there are `scans`: a few kilobytes that
/// cost a decoder as much as that many pictures.
void writeManyScansJpeg(const std::filesystem::path& path, int scans);

/// An image of one colour.
void writePlainPng(const std::filesystem::path& path, int side, std::uint8_t red, std::uint8_t green,
                   std::uint8_t blue);
[[nodiscard]] std::vector<std::uint8_t> plainRgb(int width, int height, std::uint8_t red, std::uint8_t green,
                                                 std::uint8_t blue);

[[nodiscard]] std::string readFile(const std::filesystem::path& path);
void writeFile(const std::filesystem::path& path, std::string_view content);

}  // namespace bitloom::testing
