// What is said of processors from afar, against the processor at hand and the machine code of this build.
#include "engine/qsimd/catalogue.h"

#include <array>
#include <cstdio>
#include <memory>
#include <set>

#include <gmock/gmock.h>

#include "engine/qsimd/bundle_files.h"
#include "engine/qsimd/kernels/registry.h"

namespace bitloom::qsimd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

#if defined(__aarch64__)
constexpr Processor kOwn = Processor::Arm;
#else
constexpr Processor kOwn = Processor::X86;
#endif

std::vector<std::string> featuresUpTo(Processor processor, const std::string& isa) {
    for (const InstructionSet& set : instructionSets(processor))
        if (set.name == isa) return set.features;
    ADD_FAILURE() << isa;
    return {};
}

TEST(Catalogue, TheSourcesTellTheRegistrysLines) {
    // Set by set, as if a processor had nothing stronger.
    for (const InstructionSet& set : instructionSets(kOwn)) {
        std::vector<std::string> expected;
        for (const KernelLine& line : allKernels()) {
            const auto needs = featuresUpTo(kOwn, isaName(line.isa));
            const bool has = std::ranges::all_of(needs, [&](const std::string& feature) {
                return std::ranges::find(set.features, feature) != set.features.end();
            });
            if (has) expected.emplace_back(line.name);
        }
        ASSERT_FALSE(expected.empty());
        EXPECT_THAT(runnableKernels(kOwn, set.features), UnorderedElementsAreArray(expected)) << set.name;
    }
    EXPECT_EQ(runnableKernels(kOwn, instructionSets(kOwn).back().features).size(), allKernels().size());
}

TEST(Catalogue, PhonesAreToldWhatTheirProcessorsHave) {
    EXPECT_THAT(runnableKernels(Processor::Arm, {"fp", "asimd"}),
                AllOf(IsSupersetOf({"fp32_scalar_1x8", "fp32_neon_8x8", "int8_neon_4x8", "fp32_neon_naive",
                                    "int8_neon_depthwise", "fp32_neon_paper4"}),
                      Not(Contains("int8_neondot_8x8")), Not(Contains("fp32_avx2_1x32"))));
    EXPECT_THAT(runnableKernels(Processor::Arm, {"asimd", "asimddp"}),
                AllOf(Contains("int8_neondot_8x8"), Not(Contains("int8_neoni8mm_8x8"))));
    EXPECT_THAT(runnableKernels(Processor::Arm, {"asimd", "asimddp", "i8mm"}), Contains("int8_neoni8mm_8x8"));
    EXPECT_EQ(processorOf("arm64-v8a"), Processor::Arm);
    EXPECT_EQ(processorOf("x86_64"), Processor::X86);
    EXPECT_FALSE(processorOf("armeabi-v7a"));
}

TEST(Catalogue, FilesOfTheOtherProcessorAreNotCompiled) {
    EXPECT_FALSE(compilerFlags("kernels/neon.cpp", Processor::X86, true));
    EXPECT_FALSE(compilerFlags("kernels/avx2.cpp", Processor::Arm, true));
    EXPECT_THAT(*compilerFlags("runtime/network.cpp", Processor::Arm, true), IsEmpty());
    EXPECT_THAT(*compilerFlags("kernels/neon_dot.cpp", Processor::Arm, true),
                ElementsAre("-march=armv8.2-a+dotprod", "-fno-schedule-insns"));
    EXPECT_THAT(*compilerFlags("kernels/neon_dot.cpp", Processor::Arm, false),
                ElementsAre("-march=armv8.2-a+dotprod"));
}

TEST(Catalogue, EveryFlagIsOneThatTheGateAsksFor) {
    // -mavx512vnni asks for avx512_vnni; an architecture of ARM for the words behind its plus signs.
    const std::set<std::string> about = {"-mprefer-vector-width=512", "-fno-schedule-insns",
                                         "-Wno-ignored-attributes",   "-Wno-uninitialized",
                                         "-march=armv8.2-a+dotprod",  "-march=armv8.2-a+dotprod+i8mm"};
    const std::pair<const char*, const char*> files[] = {{"kernels/avx2.cpp", "avx2"},
                                                         {"kernels/avx512.cpp", "avx512"},
                                                         {"kernels/avx512_vnni.cpp", "avx512vnni"}};
    for (const auto& [file, isa] : files) {
        const std::vector<std::string> gate = featuresUpTo(Processor::X86, isa);
        int asked = 0;
        const auto flags = compilerFlags(file, Processor::X86, true);
        ASSERT_TRUE(flags) << file;
        for (const std::string& flag : *flags) {
            if (about.contains(flag)) continue;
            const std::string feature = flag == "-mavx512vnni" ? "avx512_vnni" : flag.substr(2);
            EXPECT_THAT(gate, Contains(feature)) << file << " " << flag;
            ++asked;
        }
        EXPECT_GE(asked, 2) << file;
    }
}

#if !defined(__aarch64__)
std::string outputOf(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string text;
    std::array<char, 1 << 16> part{};
    while (const std::size_t size = std::fread(part.data(), 1, part.size(), pipe.get()))
        text.append(part.data(), size);
    return text;
}

/// The machine code of one file of kernels in this build.
std::string codeOf(const std::string& file) {
    const std::string all =
        outputOf("'" BITLOOM_OBJDUMP "' -d --no-show-raw-insn '" BITLOOM_QSIMD_LIBRARY "'");
    const std::size_t start = all.find("\n" + file + ".o:");
    if (start == std::string::npos) return {};
    const std::size_t end = all.find(".o:     file format", start + file.size() + 4);
    return all.substr(start, end == std::string::npos ? end : end - start);
}

/// A processor with AVX-512 F and BW and without VNNI (Skylake-X) must be able to run all of avx512.cpp.
TEST(Gate, CodeHoldsNoInstructionBeyondIt) {
    const std::string scalar = codeOf("scalar.cpp");
    const std::string avx2 = codeOf("avx2.cpp");
    const std::string avx512 = codeOf("avx512.cpp");
    const std::string vnni = codeOf("avx512_vnni.cpp");
    EXPECT_THAT(vnni, ::testing::HasSubstr("vpdpbusd")) << "the disassembly is read";
    EXPECT_THAT(avx512, AllOf(::testing::HasSubstr("%zmm"), Not(::testing::HasSubstr("vpdp"))));
    EXPECT_THAT(avx2, AllOf(::testing::HasSubstr("%ymm"), Not(::testing::HasSubstr("%zmm")),
                            Not(::testing::HasSubstr("%k1"))));
    EXPECT_THAT(scalar, AllOf(::testing::HasSubstr("%xmm"), Not(::testing::HasSubstr("%ymm"))));
}
#endif

}  // namespace
}  // namespace bitloom::qsimd
