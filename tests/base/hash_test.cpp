#include "engine/base/hash.h"

#include <string_view>

#include <gtest/gtest.h>

namespace bitloom {
namespace {

std::uint64_t hashOf(std::string_view text, std::uint64_t state = kHashSeed) {
    return hashBytes(std::as_bytes(std::span(text)), state);
}

// Test vectors of FNV-1a, 64 bits: http://www.isthe.com/chongo/src/fnv/test_fnv.c
TEST(Hash, KnownAnswers) {
    EXPECT_EQ(hashOf(""), 0xcbf29ce484222325u);
    EXPECT_EQ(hashOf("a"), 0xaf63dc4c8601ec8cu);
    EXPECT_EQ(hashOf("foobar"), 0x85944171f73967e8u);
}

TEST(Hash, ContinuesOverParts) {
    EXPECT_EQ(hashOf("bar", hashOf("foo")), hashOf("foobar"));
}

TEST(Hash, TextHasSixteenDigits) {
    EXPECT_EQ(hashText(0xabu), "00000000000000ab");
    EXPECT_EQ(hashText(kHashSeed), "cbf29ce484222325");
}

}  // namespace
}  // namespace bitloom
