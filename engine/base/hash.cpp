#include "engine/base/hash.h"

#include <fmt/format.h>

namespace bitloom {

std::uint64_t hashBytes(std::span<const std::byte> bytes, std::uint64_t state) {
    constexpr std::uint64_t kPrime = 0x100000001b3u;
    for (const std::byte byte : bytes)
        state = (state ^ std::to_integer<std::uint64_t>(byte)) * kPrime;
    return state;
}

std::string hashText(std::uint64_t hash) {
    return fmt::format("{:016x}", hash);
}

}  // namespace bitloom
