#include "tests/data/image_files.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include <jpeglib.h>
#include <png.h>

namespace bitloom::testing {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File create(const fs::path& path) {
    File file(std::fopen(path.c_str(), "wb"));
    if (!file) throw std::runtime_error("cannot create " + path.string());
    return file;
}

struct PngLayout {
    int colourType;
    int depth;
    int bitsPerPixel;
};

PngLayout layoutOf(PngKind kind) {
    switch (kind) {
        case PngKind::Grey8:
            return {PNG_COLOR_TYPE_GRAY, 8, 8};
        case PngKind::GreyAlpha8:
            return {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 16};
        case PngKind::Rgb8:
            return {PNG_COLOR_TYPE_RGB, 8, 24};
        case PngKind::Rgba8:
            return {PNG_COLOR_TYPE_RGB_ALPHA, 8, 32};
        case PngKind::Rgb16:
            return {PNG_COLOR_TYPE_RGB, 16, 48};
        case PngKind::Grey1:
            return {PNG_COLOR_TYPE_GRAY, 1, 1};
    }
    throw std::logic_error("no such kind");
}

void writeRows(const fs::path& path, int width, int height, const PngLayout& layout, int interlace,
               std::span<const std::uint8_t> palette, std::span<const std::uint8_t> samples) {
    const File file = create(path);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file.get());
    png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), layout.depth,
                 layout.colourType, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    std::vector<png_color> colours;
    for (std::size_t i = 0; i + 2 < palette.size(); i += 3) {
        colours.push_back({palette[i], palette[i + 1], palette[i + 2]});
    }
    if (!colours.empty()) png_set_PLTE(png, info, colours.data(), static_cast<int>(colours.size()));
    const auto rowBytes = static_cast<std::size_t>((width * layout.bitsPerPixel + 7) / 8);
    std::vector<png_bytep> rows;
    for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
        rows.push_back(const_cast<png_bytep>(samples.subspan(y * rowBytes, rowBytes).data()));
    }
    png_set_rows(png, info, rows.data());
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
    png_destroy_write_struct(&png, &info);
}

void compress(const fs::path& path, int width, int height, JpegKind kind,
              std::span<const jpeg_scan_info> scans, std::span<const std::uint8_t> samples) {
    const File file = create(path);
    jpeg_compress_struct info{};
    jpeg_error_mgr errors{};
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file.get());
    info.image_width = static_cast<JDIMENSION>(width);
    info.image_height = static_cast<JDIMENSION>(height);
    info.input_components = kind == JpegKind::Grey ? 1 : kind == JpegKind::Rgb ? 3 : 4;
    info.in_color_space = kind == JpegKind::Grey ? JCS_GRAYSCALE : kind == JpegKind::Rgb ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 100, TRUE);
    info.comp_info[0].h_samp_factor = 1;
    info.comp_info[0].v_samp_factor = 1;
    if (!scans.empty()) {
        info.scan_info = scans.data();
        info.num_scans = static_cast<int>(scans.size());
    }
    jpeg_start_compress(&info, TRUE);
    const auto rowBytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(info.input_components);
    for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
        auto* row = const_cast<JSAMPROW>(samples.subspan(y * rowBytes, rowBytes).data());
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
}

}  // namespace

void writePng(const fs::path& path, int width, int height, PngKind kind,
              std::span<const std::uint8_t> samples) {
    writeRows(path, width, height, layoutOf(kind), PNG_INTERLACE_NONE, {}, samples);
}

void writePalettePng(const fs::path& path, int width, int height, std::span<const std::uint8_t> palette,
                     std::span<const std::uint8_t> indices) {
    writeRows(path, width, height, {PNG_COLOR_TYPE_PALETTE, 8, 8}, PNG_INTERLACE_ADAM7, palette, indices);
}

void writeJpeg(const fs::path& path, int width, int height, JpegKind kind,
               std::span<const std::uint8_t> samples) {
    compress(path, width, height, kind, {}, samples);
}

void writeManyScansJpeg(const fs::path& path, int scans) {
    const std::array<jpeg_scan_info, 3> script = {
        {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}}};
    compress(path, 8, 8, JpegKind::Rgb, script, plainRgb(8, 8, 10, 20, 30));
    std::string bytes = readFile(path);
    const std::size_t begin = bytes.rfind("\xff\xda");
    const std::size_t end = bytes.rfind("\xff\xd9");
    const std::string scan = bytes.substr(begin, end - begin);
    for (int i = 3; i < scans; ++i)
        bytes.insert(end, scan);
    writeFile(path, bytes);
}

void writePlainPng(const fs::path& path, int side, std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    writePng(path, side, side, PngKind::Rgb8, plainRgb(side, side, red, green, blue));
}

std::vector<std::uint8_t> plainRgb(int width, int height, std::uint8_t red, std::uint8_t green,
                                   std::uint8_t blue) {
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < width * height; ++i)
        pixels.insert(pixels.end(), {red, green, blue});
    return pixels;
}

std::string readFile(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

void writeFile(const fs::path& path, std::string_view content) {
    std::ofstream stream(path, std::ios::binary);
    stream << content;
    if (!stream.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace bitloom::testing
