// Holds the machine code of the kernels: no sums on the stack, few instructions a multiply-add.
#include "tests/qsimd/inner_loops.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "engine/qsimd/kernels/registry.h"

namespace bitloom::testing {
namespace {

/// Of what runs once a multiply-add; an epilogue runs once a sum and may keep constants on the stack.
void expectRegistersOnly(const std::vector<InnerLoop>& loops) {
    for (const InnerLoop& loop : loops) {
        if (loop.function.find("epilogue") != std::string::npos) continue;
        EXPECT_EQ(loop.vectorSpills, 0) << loop.function << ", " << loop.code.size() << " instructions";
        EXPECT_EQ(loop.stackAccesses, 0) << loop.function << ", " << loop.code.size() << " instructions";
    }
}

/// Of a function named like that, "fp32<8>(", the loop that does most at a time.
const InnerLoop* mainLoop(const std::vector<InnerLoop>& loops, const std::string& function) {
    const InnerLoop* most = nullptr;
    for (const InnerLoop& loop : loops) {
        if (loop.function.find("::" + function) == std::string::npos) continue;
        const auto work = [](const InnerLoop& of) { return of.multiplyAdds + of.lookUps; };
        if (most == nullptr || work(loop) > work(*most)) most = &loop;
    }
    return most;
}

TEST(InnerLoops, OfTheHostKeepTheirSumsInRegisters) {
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitized or unoptimised code";
#endif
    const auto loops = innerLoops(BITLOOM_OBJDUMP, BITLOOM_QSIMD_LIBRARY);
    expectRegistersOnly(loops);
#if !defined(__aarch64__)
    // Every tile has one, and every decoder of bytes and of floats.
    const auto named = [&loops](const char* function) {
        return std::ranges::count_if(
            loops, [&](const InnerLoop& loop) { return loop.function.find(function) != std::string::npos; });
    };
    const auto vectorised = [](const auto& kernel) { return kernel.isa != qsimd::Isa::Scalar; };
    EXPECT_EQ(named("::tile<"), std::ranges::count_if(qsimd::allMicrokernels(), vectorised));
    EXPECT_GE(named("::decode"), 2 * std::ranges::count_if(qsimd::allDecoders(), vectorised));
    for (const char* function : {"::naive(", "::depthwise<float", "::paper<4>", "::paper<2>"})
        EXPECT_GE(named(function), 2) << function;
    // Two instructions a weight would be more than the multiply-adds of a small tile.
    for (const InnerLoop& loop : loops) {
        if (loop.lookUps == 0) continue;
        EXPECT_LE(static_cast<double>(loop.code.size()) / loop.lookUps, 0.7) << loop.function;
    }
#endif
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

struct Bound {
    const char* file;
    const char* function;
    double instructions;  ///< a multiply-add, or a look-up in decoders
};
std::ostream& operator<<(std::ostream& out, const Bound& bound) {
    return out << bound.file << " " << bound.function;
}

class InnerLoopsOfArm : public ::testing::TestWithParam<Bound> {};

TEST_P(InnerLoopsOfArm, SpendFewInstructionsAMultiplyAdd) {
    const auto& [file, function, instructions] = GetParam();
    const auto loops = ofArm(file);
    const InnerLoop* loop = mainLoop(loops, function);
    ASSERT_NE(loop, nullptr);
    EXPECT_LE(static_cast<double>(loop->code.size()) / (loop->multiplyAdds + loop->lookUps), instructions);
}

// FMLA does 4 multiply-adds, SMULL and SMLAL 8 of which every second needs an addition of pairs, SDOT 16,
// SMMLA 32; what is more loads values. Tiles of one or two pixels serve fully connected layers, which wait
// for memory.
INSTANTIATE_TEST_SUITE_P(
    All, InnerLoopsOfArm,
    ::testing::Values(Bound{"neon", "fp32<8>(", 0.33}, Bound{"neon", "fp32<7>(", 0.34},
                      Bound{"neon", "fp32<4>(", 0.37}, Bound{"neon", "fp32<1>(", 0.57},
                      Bound{"neon", "int8<4>(", 0.28}, Bound{"neon", "int8<1>(", 0.34},
                      Bound{"neon_dot", "int8<8>(", 0.08}, Bound{"neon_dot", "int8<7>(", 0.085},
                      Bound{"neon_dot", "int8<4>(", 0.09}, Bound{"neon_dot", "int8<1>(", 0.16},
                      Bound{"neon_i8mm", "int8<10>(", 0.066}, Bound{"neon_i8mm", "int8<8>(", 0.07},
                      Bound{"neon_i8mm", "int8<4>(", 0.085}, Bound{"neon_i8mm", "int8<2>(", 0.12},
                      Bound{"neon", "paper<4>(", 0.95}, Bound{"neon", "paper<2>(", 0.86},
                      Bound{"neon", "decodeFloats<4>(", 0.16}, Bound{"neon", "decodeFloats<2>(", 0.15},
                      Bound{"neon", "decodeBytes<4>(", 0.4}, Bound{"neon", "decodeBytes<2>(", 0.35}));
#endif

}  // namespace
}  // namespace bitloom::testing
