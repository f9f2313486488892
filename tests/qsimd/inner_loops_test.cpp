// Holds the machine code of the kernels: no sums on the stack, few instructions a multiply-add.
#include "tests/qsimd/inner_loops.h"

#include <gtest/gtest.h>

namespace bitloom::testing {
namespace {

/// Of what runs once a multiply-add; an epilogue runs once a sum and may keep constants on the stack.
void expectRegistersOnly(const std::vector<InnerLoop>& loops) {
    for (const InnerLoop& loop : loops) {
        if (loop.function.find("epilogue") != std::string::npos) continue;
        EXPECT_EQ(loop.vectorSpills, 0) << loop.function << ", " << loop.code.size() << " instructions";
    }
}

double fewestPerMac(const std::vector<InnerLoop>& loops) {
    double fewest = 1e9;
    for (const InnerLoop& loop : loops)
        if (loop.multiplyAdds > 0) fewest = std::min(fewest, loop.instructionsPerMac());
    return fewest;
}

TEST(InnerLoops, OfTheHostKeepTheirSumsInRegisters) {
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitized or unoptimised code";
#endif
    const auto loops = innerLoops(BITLOOM_OBJDUMP, BITLOOM_QSIMD_LIBRARY);
    ASSERT_GT(loops.size(), 20u) << "no loops found in " << BITLOOM_QSIMD_LIBRARY;
    expectRegistersOnly(loops);
}

#if defined(BITLOOM_AARCH64_OBJDUMP)
std::vector<InnerLoop> ofArm(const std::string& name) {
    return innerLoops(BITLOOM_AARCH64_OBJDUMP, std::string(BITLOOM_QSIMD_TESTS) + "/aarch64_" + name + ".o");
}

TEST(InnerLoops, OfArmKeepTheirSumsInRegisters) {
    for (const char* name : {"neon", "neon_dot", "neon_i8mm"}) {
        const auto loops = ofArm(name);
        ASSERT_GE(loops.size(), 4u) << name;
        expectRegistersOnly(loops);
    }
}

// FP32: 4 lanes an instruction, so 0.25 at best. SDOT does 16, SMMLA 32.
TEST(InnerLoops, OfArmSpendFewInstructionsAMultiplyAdd) {
    EXPECT_LE(fewestPerMac(ofArm("neon")), 0.33);
    EXPECT_LE(fewestPerMac(ofArm("neon_dot")), 0.12);
    EXPECT_LE(fewestPerMac(ofArm("neon_i8mm")), 0.075);
}
#endif

}  // namespace
}  // namespace bitloom::testing
