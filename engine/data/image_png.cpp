// libpng behind Result. libpng jumps out of its calls with longjmp: the functions between setjmp and the
// calls hold only objects that were made before setjmp, so that no destructor is skipped.
#include <csetjmp>
#include <cstring>

#include <png.h>

#include "engine/data/image_decoder.h"

namespace bitloom::data::detail {
namespace {

/// A chunk larger than this, unpacked, is no part of an honest picture.
constexpr png_alloc_size_t kMostChunkBytes = 8u << 20;

struct Source {
    std::span<const std::uint8_t> rest;
    std::string message;
};

void readBytes(png_structp png, png_bytep target, std::size_t count) {
    auto* source = static_cast<Source*>(png_get_io_ptr(png));
    if (count > source->rest.size()) png_error(png, "the file is cut short");
    std::memcpy(target, source->rest.data(), count);
    source->rest = source->rest.subspan(count);
}

[[noreturn]] void onError(png_structp png, png_const_charp message) {
    static_cast<Source*>(png_get_error_ptr(png))->message = message;
    png_longjmp(png, 1);
}

void onWarning(png_structp, png_const_charp) {}

/// Owns libpng's two structs.
class Reader {
  public:
    explicit Reader(Source& source)
        : m_png(png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, onError, onWarning)),
          m_info(m_png ? png_create_info_struct(m_png) : nullptr) {}
    ~Reader() { png_destroy_read_struct(&m_png, &m_info, nullptr); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    [[nodiscard]] bool valid() const { return m_info != nullptr; }
    [[nodiscard]] png_structp png() const { return m_png; }
    [[nodiscard]] png_infop info() const { return m_info; }

  private:
    png_structp m_png;
    png_infop m_info;
};

/// Reads the header and asks for 8-bit RGB rows. False: source.message says why.
bool readHeader(const Reader& reader, Source& source) {
    png_structp png = reader.png();
    png_infop info = reader.info();
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_read_fn(png, &source, readBytes);
    png_set_chunk_malloc_max(png, kMostChunkBytes);
    png_read_info(png, info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    return true;
}

bool readRows(const Reader& reader, std::vector<png_bytep>& rows) {
    if (setjmp(png_jmpbuf(reader.png())) != 0) return false;
    png_read_image(reader.png(), rows.data());
    png_read_end(reader.png(), nullptr);
    return true;
}

bool updateInfo(const Reader& reader) {
    if (setjmp(png_jmpbuf(reader.png())) != 0) return false;
    png_read_update_info(reader.png(), reader.info());
    return true;
}

}  // namespace

Result<RgbImage> decodePng(const std::string& name, std::span<const std::uint8_t> bytes) {
    Source source{bytes, {}};
    const Reader reader(source);
    if (!reader.valid()) return fail("{}: libpng could not start; free some memory", name);
    const auto damaged = [&] {
        return fail("{}: damaged PNG: {}; replace or remove it", name, source.message);
    };
    if (!readHeader(reader, source)) return damaged();
    const png_uint_32 width = png_get_image_width(reader.png(), reader.info());
    const png_uint_32 height = png_get_image_height(reader.png(), reader.info());
    BITLOOM_RETURN_IF_ERROR(checkImageSize(name, width, height));
    if (!updateInfo(reader)) return damaged();

    const std::size_t rowBytes = std::size_t{3} * width;
    if (png_get_rowbytes(reader.png(), reader.info()) != rowBytes) {
        source.message = "its rows are not RGB";
        return damaged();
    }
    RgbImage image{static_cast<int>(width), static_cast<int>(height),
                   std::vector<std::uint8_t>(rowBytes * height)};
    std::vector<png_bytep> rows(height);
    for (std::size_t y = 0; y < rows.size(); ++y)
        rows[y] = image.pixels.data() + y * rowBytes;
    if (!readRows(reader, rows)) return damaged();
    return image;
}

}  // namespace bitloom::data::detail
