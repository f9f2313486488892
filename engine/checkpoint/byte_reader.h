// A cursor over bytes of an untrusted file. Reading past the end yields zeros and sets a flag that stays set,
// so that a parser may read a whole record and ask once. Any thread, one at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace bitloom::checkpoint {

static_assert(std::endian::native == std::endian::little, "weight files are read in place as little-endian");

class ByteReader {
  public:
    explicit ByteReader(std::span<const std::byte> bytes) : m_bytes(bytes) {}

    [[nodiscard]] std::size_t position() const { return m_position; }
    [[nodiscard]] std::size_t remaining() const { return m_bytes.size() - m_position; }
    /// True once a read asked for more bytes than were left.
    [[nodiscard]] bool exhausted() const { return m_exhausted; }

    /// A little-endian integer.
    template <std::integral T>
    T read() {
        T value = 0;
        const std::span<const std::byte> bytes = take(sizeof(T));
        if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }

    double readBigEndianDouble() { return std::bit_cast<double>(__builtin_bswap64(read<std::uint64_t>())); }

    /// The next `count` bytes; none of them when fewer are left.
    std::span<const std::byte> take(std::uint64_t count) {
        if (count > remaining()) {
            m_exhausted = true;
            m_position = m_bytes.size();
            return {};
        }
        const auto taken = m_bytes.subspan(m_position, static_cast<std::size_t>(count));
        m_position += taken.size();
        return taken;
    }

    std::string_view takeText(std::uint64_t count) { return asText(take(count)); }

    /// The text up to the next newline, which is consumed and not returned.
    std::string_view takeLine() {
        const std::string_view rest = asText(m_bytes.subspan(m_position));
        const std::size_t length = rest.find('\n');
        if (length == std::string_view::npos) {
            take(std::uint64_t{remaining()} + 1);
            return {};
        }
        take(length + 1);
        return rest.substr(0, length);
    }

  private:
    static std::string_view asText(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    std::span<const std::byte> m_bytes;
    std::size_t m_position = 0;
    bool m_exhausted = false;
};

}  // namespace bitloom::checkpoint
