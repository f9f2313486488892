// libjpeg behind Result. libjpeg leaves its calls with longjmp through onError(): the functions that call
// setjmp hold only objects that were made before it, so that no destructor is skipped.
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>

// After jpeglib.h, which it needs.
#include <jerror.h>

#include "engine/data/image_decoder.h"

namespace bitloom::data::detail {
namespace {

/// A progressive file may hold thousands of empty scans, each as costly as a picture.
constexpr int kMostScans = 200;
constexpr long kMostMemory = 512L << 20;

struct ErrorManager {
    jpeg_error_mgr base;  ///< first: libjpeg hands back a pointer to it
    std::jmp_buf jump;
    std::array<char, JMSG_LENGTH_MAX> message;
};

ErrorManager& managerOf(j_common_ptr info) {
    return *reinterpret_cast<ErrorManager*>(info->err);
}

[[noreturn]] void onError(j_common_ptr info) {
    ErrorManager& manager = managerOf(info);
    manager.base.format_message(info, manager.message.data());
    std::longjmp(manager.jump, 1);
}

/// libjpeg fills what is missing with grey and only warns; a picture with a hole is an error here. Level -1
/// is a warning.
void onMessage(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    const bool harmless = code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM;
    if (level < 0 && !harmless) onError(info);
}

void onProgress(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
    std::snprintf(managerOf(info).message.data(), JMSG_LENGTH_MAX, "more than %d scans", kMostScans);
    std::longjmp(managerOf(info).jump, 1);
}

class Decoder {
  public:
    Decoder() {
        m_info.err = jpeg_std_error(&m_errors.base);
        m_errors.base.error_exit = onError;
        m_errors.base.emit_message = onMessage;
        m_progress.progress_monitor = onProgress;
    }
    ~Decoder() { jpeg_destroy_decompress(&m_info); }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    [[nodiscard]] const jpeg_decompress_struct& info() const { return m_info; }
    [[nodiscard]] const char* message() const { return m_errors.message.data(); }

    bool readHeader(std::span<const std::uint8_t> bytes) {
        if (setjmp(m_errors.jump) != 0) return false;
        jpeg_create_decompress(&m_info);
        m_info.mem->max_memory_to_use = kMostMemory;
        m_info.progress = &m_progress;
        jpeg_mem_src(&m_info, bytes.data(), bytes.size());
        return jpeg_read_header(&m_info, TRUE) == JPEG_HEADER_OK;
    }

    bool start(int enoughPixels) {
        if (setjmp(m_errors.jump) != 0) return false;
        const bool printed = m_info.jpeg_color_space == JCS_CMYK || m_info.jpeg_color_space == JCS_YCCK;
        m_info.out_color_space = printed ? JCS_CMYK : JCS_RGB;
        const JDIMENSION shorter = std::min(m_info.image_width, m_info.image_height);
        m_info.scale_num = 1;
        m_info.scale_denom = 1;
        while (m_info.scale_denom < 8 &&
               shorter / (2 * m_info.scale_denom) >= static_cast<JDIMENSION>(enoughPixels)) {
            m_info.scale_denom *= 2;
        }
        return jpeg_start_decompress(&m_info) != FALSE;
    }

    /// `row` holds output_width * output_components bytes.
    bool readRow(std::uint8_t* row) {
        if (setjmp(m_errors.jump) != 0) return false;
        return jpeg_read_scanlines(&m_info, &row, 1) == 1;
    }

    bool finish() {
        if (setjmp(m_errors.jump) != 0) return false;
        return jpeg_finish_decompress(&m_info) != FALSE;
    }

  private:
    jpeg_decompress_struct m_info{};
    ErrorManager m_errors{};
    jpeg_progress_mgr m_progress{};
};

/// Ink to light. Adobe writes CMYK inverted.
void convertRow(std::span<const std::uint8_t> cmyk, bool inverted, std::uint8_t* rgb) {
    for (std::size_t at = 0; at + 3 < cmyk.size(); at += 4) {
        for (std::size_t channel = 0; channel < 3; ++channel) {
            const unsigned colour = inverted ? cmyk[at + channel] : 255u - cmyk[at + channel];
            const unsigned key = inverted ? cmyk[at + 3] : 255u - cmyk[at + 3];
            *rgb++ = static_cast<std::uint8_t>(colour * key / 255);
        }
    }
}

}  // namespace

Result<RgbImage> decodeJpeg(const std::string& name, std::span<const std::uint8_t> bytes, int enoughPixels) {
    Decoder decoder;
    const auto damaged = [&] {
        return fail("{}: damaged JPEG: {}; replace or remove it", name, decoder.message());
    };
    if (!decoder.readHeader(bytes)) return damaged();
    const jpeg_decompress_struct& info = decoder.info();
    BITLOOM_RETURN_IF_ERROR(checkImageSize(name, info.image_width, info.image_height));
    if (!decoder.start(enoughPixels)) return damaged();

    RgbImage image{static_cast<int>(info.output_width), static_cast<int>(info.output_height), {}};
    const std::size_t rowBytes = std::size_t{3} * info.output_width;
    image.pixels.resize(rowBytes * info.output_height);
    std::vector<std::uint8_t> ink(info.output_components == 4 ? std::size_t{4} * info.output_width : 0);
    for (std::size_t y = 0; y < info.output_height; ++y) {
        std::uint8_t* row = image.pixels.data() + y * rowBytes;
        if (!decoder.readRow(ink.empty() ? row : ink.data())) return damaged();
        if (!ink.empty()) convertRow(ink, info.saw_Adobe_marker != FALSE, row);
    }
    if (!decoder.finish()) return damaged();
    return image;
}

}  // namespace bitloom::data::detail
