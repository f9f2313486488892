#include "tests/support/emulated_device/adb_packet.h"

#include <array>
#include <cerrno>

#include <unistd.h>

namespace bitloom::testing {
namespace {

constexpr std::size_t kHeaderBytes = 24;

std::uint32_t checksum(const std::string& payload) {
    std::uint32_t sum = 0;
    for (const char byte : payload)
        sum += static_cast<unsigned char>(byte);
    return sum;
}

}  // namespace

std::optional<AdbPacket> readPacket(int socket) {
    std::array<char, kHeaderBytes> header{};
    if (!readExactly(socket, header.data(), header.size())) return std::nullopt;
    AdbPacket packet;
    packet.command = fromLittleEndian(&header[0]);
    packet.first = fromLittleEndian(&header[4]);
    packet.second = fromLittleEndian(&header[8]);
    const std::uint32_t size = fromLittleEndian(&header[12]);
    if (fromLittleEndian(&header[20]) != ~packet.command || size > 4 * kLargestPayload) return std::nullopt;
    packet.payload.resize(size);
    if (!readExactly(socket, packet.payload.data(), size)) return std::nullopt;
    return packet;
}

bool writePacket(int socket, const AdbPacket& packet) {
    std::string bytes;
    for (const std::uint32_t value :
         {packet.command, packet.first, packet.second, static_cast<std::uint32_t>(packet.payload.size()),
          checksum(packet.payload), ~packet.command}) {
        bytes += littleEndian(value);
    }
    bytes += packet.payload;
    return writeExactly(socket, bytes.data(), bytes.size());
}

bool readExactly(int descriptor, char* bytes, std::size_t count) {
    while (count > 0) {
        const ssize_t got = ::read(descriptor, bytes, count);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        bytes += got;
        count -= static_cast<std::size_t>(got);
    }
    return true;
}

bool writeExactly(int descriptor, const char* bytes, std::size_t count) {
    while (count > 0) {
        const ssize_t written = ::write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        count -= static_cast<std::size_t>(written);
    }
    return true;
}

std::string littleEndian(std::uint32_t value) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8)
        bytes += static_cast<char>((value >> shift) & 0xff);
    return bytes;
}

std::uint32_t fromLittleEndian(const char* bytes) {
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i)
        value = (value << 8) | static_cast<unsigned char>(bytes[i]);
    return value;
}

}  // namespace bitloom::testing
