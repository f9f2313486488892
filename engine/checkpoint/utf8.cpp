#include "engine/checkpoint/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace bitloom::checkpoint {
namespace {

/// Bytes of the well-formed character at the start of `text` (RFC 3629: shortest form, no surrogates, at most
/// U+10FFFF), 0 when there is none.
std::size_t characterLength(std::string_view text) {
    constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc0 || lead >= 0xf8 || text.size() < length) return 0;
    std::uint32_t code = lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0u) != 0x80u) return 0;
        code = (code << 6) | (next & 0x3fu);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < kSmallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

}  // namespace

bool isUtf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = characterLength(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string printable(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::size_t length = characterLength(text);
        const auto first = static_cast<unsigned char>(text[0]);
        // U+0080 to U+009F, two bytes that start with 0xc2: U+009B alone begins a terminal's escape sequence.
        const bool upperControl = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        const bool control = (first < 0x20 && first != '\n') || first == 0x7f || upperControl;
        if (length == 0 || control) {
            result += '?';
            text.remove_prefix(std::max<std::size_t>(length, 1));
        } else {
            result += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return result;
}

}  // namespace bitloom::checkpoint
