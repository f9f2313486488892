#include "engine/device/elf.h"

#include <fstream>

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/atomic_file.h"
#include "tests/support/test_paths.h"

namespace bitloom::device {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::filesystem::path fileWith(const testing::TemporaryFolder& folder, const std::string& content) {
    std::filesystem::path path = folder / "program";
    std::ofstream(path, std::ios::binary) << content;
    return path;
}

/// Headers of a program without segments and sections.
std::string elfFor(std::uint16_t machine) {
    Elf64_Ehdr header{};
    std::copy_n(ELFMAG, SELFMAG, header.e_ident);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = machine;
    return {reinterpret_cast<const char*>(&header), sizeof header};
}

TEST(Abi, ProgramsForTheDevicePass) {
    const testing::TemporaryFolder folder;
    EXPECT_TRUE(checkAbi(fileWith(folder, elfFor(EM_AARCH64)), "arm64-v8a").ok());
    EXPECT_TRUE(checkAbi(fileWith(folder, elfFor(EM_X86_64)), "x86_64").ok());
    const Status real = checkAbi(BITLOOM_HOST_PROGRAM, "x86_64");
#if defined(__x86_64__)
    EXPECT_TRUE(real.ok()) << real.error().message;
#endif
}

TEST(Abi, ProgramsForAnotherProcessorAreRefused) {
    const testing::TemporaryFolder folder;
    const Status wrong = checkAbi(fileWith(folder, elfFor(EM_X86_64)), "arm64-v8a");
    ASSERT_FALSE(wrong.ok());
    EXPECT_THAT(wrong.error().message, AllOf(HasSubstr("/program: built for 64-bit x86"),
                                             HasSubstr("the device runs 64-bit ARM (arm64-v8a)")));
    const Status unnamed = checkAbi(fileWith(folder, elfFor(EM_S390)), "x86_64");
    ASSERT_FALSE(unnamed.ok());
    EXPECT_THAT(unnamed.error().message, HasSubstr("ELF machine 22"));
    std::string bigEndian = elfFor(EM_AARCH64);
    bigEndian[EI_DATA] = ELFDATA2MSB;
    EXPECT_FALSE(checkAbi(fileWith(folder, bigEndian), "arm64-v8a").ok());
}

TEST(Abi, ADeviceThatTellsNoAbiGetsNoPrograms) {
    const testing::TemporaryFolder folder;
    const Status unknown = checkAbi(fileWith(folder, elfFor(EM_AARCH64)), "");
    ASSERT_FALSE(unknown.ok());
    EXPECT_THAT(unknown.error().message, HasSubstr("ABI is ''"));
}

TEST(Abi, DataPasses) {
    const testing::TemporaryFolder folder;
    EXPECT_TRUE(checkAbi(fileWith(folder, ""), "arm64-v8a").ok());
    EXPECT_TRUE(checkAbi(fileWith(folder, "\x7f"), "arm64-v8a").ok());
    EXPECT_TRUE(checkAbi(fileWith(folder, "#!/system/bin/sh\n"), "arm64-v8a").ok());
    EXPECT_TRUE(checkAbi(fileWith(folder, std::string(1000, '\0')), "arm64-v8a").ok());
}

TEST(Abi, ACutProgramIsRefusedAtEveryLength) {
    const testing::TemporaryFolder folder;
    const auto whole = readFile(BITLOOM_HOST_PROGRAM);
    ASSERT_TRUE(whole.ok());
    const std::string abi =
        elfFor(EM_X86_64)[EI_NIDENT + 2] == (*whole)[EI_NIDENT + 2] ? "x86_64" : "arm64-v8a";
    EXPECT_TRUE(checkAbi(fileWith(folder, *whole), abi).ok());
    for (const std::size_t size : {std::size_t{4}, std::size_t{10}, std::size_t{20}, std::size_t{63},
                                   std::size_t{64}, std::size_t{200}, whole->size() / 2, whole->size() - 1}) {
        const Status cut = checkAbi(fileWith(folder, whole->substr(0, size)), abi);
        ASSERT_FALSE(cut.ok()) << size;
        EXPECT_THAT(cut.error().message, HasSubstr("has been cut short")) << size;
    }
}

TEST(Abi, AMissingFileIsNamed) {
    const Status missing = checkAbi("/nowhere/program", "arm64-v8a");
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/program: cannot read it"));
}

TEST(Features, WhatADeviceLacks) {
    report::DeviceInfo info;
    info.features = {"asimd", "fp"};
    EXPECT_THAT(missingFeatures(info, {"asimd"}), IsEmpty());
    EXPECT_THAT(missingFeatures(info, {"asimddp", "fp", "i8mm"}), ElementsAre("asimddp", "i8mm"));
    EXPECT_THAT(missingFeatures(info, {}), IsEmpty());
}

}  // namespace
}  // namespace bitloom::device
