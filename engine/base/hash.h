// FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv): identifies weights and jobs, protects against
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bitloom {

inline constexpr std::uint64_t kHashSeed = 0xcbf29ce484222325u;

/// Continues `state` over `bytes`; start from kHashSeed.
[[nodiscard]] std::uint64_t hashBytes(std::span<const std::byte> bytes, std::uint64_t state = kHashSeed);

/// Sixteen lower-case hexadecimal digits.
[[nodiscard]] std::string hashText(std::uint64_t hash);

}  // namespace bitloom
