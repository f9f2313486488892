// Packets of adb's transport protocol, as AOSP's packages/modules/adb/protocol.txt defines them: 24 bytes of
// header, little-endian, then the payload.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitloom::testing {

inline constexpr std::uint32_t kConnect = 0x4e584e43;  // CNXN
inline constexpr std::uint32_t kAuth = 0x48545541;
inline constexpr std::uint32_t kOpen = 0x4e45504f;
inline constexpr std::uint32_t kOkay = 0x59414b4f;
inline constexpr std::uint32_t kClose = 0x45534c43;  // CLSE
inline constexpr std::uint32_t kWrite = 0x45545257;  // WRTE

inline constexpr std::uint32_t kVersion = 0x01000001;
inline constexpr std::uint32_t kLargestPayload = 256 << 10;
inline constexpr std::uint32_t kAuthToken = 1;
inline constexpr std::uint32_t kAuthPublicKey = 3;

struct AdbPacket {
    std::uint32_t command = 0;
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    std::string payload;
};

/// Nothing at the end of the connection, and when the header is none.
std::optional<AdbPacket> readPacket(int socket);
/// False when the connection has ended.
bool writePacket(int socket, const AdbPacket& packet);

/// False at end of file.
bool readExactly(int descriptor, char* bytes, std::size_t count);
bool writeExactly(int descriptor, const char* bytes, std::size_t count);

/// A number's four bytes in little-endian order, and back.
std::string littleEndian(std::uint32_t value);
std::uint32_t fromLittleEndian(const char* bytes);

}  // namespace bitloom::testing
