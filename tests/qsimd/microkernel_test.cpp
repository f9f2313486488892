#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "engine/qsimd/kernels/registry.h"
#include "engine/qsimd/runtime/dispatch.h"
#include "tests/qsimd/microkernel_check.h"
#include "tests/qsimd/row_kernel_check.h"

namespace bitloom::qsimd {

/// GoogleTest's name of a parameter.
static std::ostream& operator<<(std::ostream& out, const Microkernel& kernel) {
    return out << kernel.name;
}

namespace {

class MicrokernelTest : public ::testing::TestWithParam<Microkernel> {};

TEST_P(MicrokernelTest, GivesTheSumsOfItsDefinition) {
    if (!canRun(GetParam().isa)) GTEST_SKIP() << "this processor lacks " << isaName(GetParam().isa);
    EXPECT_EQ(testing::checkMicrokernel(GetParam()), "");
}

INSTANTIATE_TEST_SUITE_P(All, MicrokernelTest, ::testing::ValuesIn(allMicrokernels()),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(RowKernels, GiveTheSumsOfTheirDefinitions) {
    int checked = 0;
    for (const RowKernel& kernel : allRowKernels()) {
        if (!canRun(kernel.isa)) continue;
        EXPECT_EQ(testing::checkRowKernel(kernel), "") << kernel.name;
        ++checked;
    }
    EXPECT_GE(checked, 5);
}

TEST(Decoders, GiveTheValuesOfTheirIndices) {
    for (const Decoder& decoder : allDecoders()) {
        if (!canRun(decoder.isa)) continue;
        EXPECT_EQ(testing::checkDecoder(decoder), "") << isaName(decoder.isa) << ", bits " << decoder.bits;
    }
    EXPECT_EQ(chooseDecoder(4, strongestIsa()).bits, 4);
    EXPECT_EQ(chooseDecoder(2, strongestIsa()).bits, 2);
}

TEST(MicrokernelTable, NamesFollowTheGrammarAndSayWhatTheLineSays) {
    const std::regex grammar("(fp32|int8)_([a-z0-9]+)_([0-9]+)x([0-9]+)");
    std::set<std::string> names;
    for (const Microkernel& kernel : allMicrokernels()) {
        const std::string name = kernel.name;
        std::smatch part;
        ASSERT_TRUE(std::regex_match(name, part, grammar)) << name;
        EXPECT_EQ(part[1] == "fp32", kernel.floats != nullptr) << name;
        EXPECT_NE(kernel.floats == nullptr, kernel.bytes == nullptr) << name;
        EXPECT_EQ(part[2], isaName(kernel.isa)) << name;
        EXPECT_EQ(std::stoi(part[3]), kernel.pixels) << name;
        EXPECT_EQ(std::stoi(part[4]), kernel.channels) << name;
        EXPECT_TRUE(names.insert(name).second) << name << " twice";
        EXPECT_EQ(findMicrokernel(name)->name, kernel.name);
    }
    EXPECT_EQ(findMicrokernel("int8_abacus_1x1"), nullptr);
}

TEST(MicrokernelTable, EveryIsaHasATileOfOnePixelRowsAndOfEachKind) {
    std::set<std::pair<Isa, bool>> kinds;
    for (const Microkernel& kernel : allMicrokernels())
        if (kernel.pixels <= 2) kinds.insert({kernel.isa, kernel.floats != nullptr});
#if defined(__aarch64__)
    const std::set<std::pair<Isa, bool>> expected = {{Isa::Scalar, true},   {Isa::Scalar, false},
                                                     {Isa::Neon, true},     {Isa::Neon, false},
                                                     {Isa::NeonDot, false}, {Isa::NeonI8mm, false}};
#else
    const std::set<std::pair<Isa, bool>> expected = {{Isa::Scalar, true}, {Isa::Scalar, false},
                                                     {Isa::Avx2, true},   {Isa::Avx2, false},
                                                     {Isa::Avx512, true}, {Isa::Avx512Vnni, false}};
#endif
    EXPECT_EQ(kinds, expected);
}

TEST(Activations, StoreEveryNumberAndGiveItBack) {
    for (int value = 0; value <= 255; ++value)
        EXPECT_EQ(loadActivation(storeActivation(value)), value);
}

}  // namespace
}  // namespace bitloom::qsimd
