#include "engine/device/system_texts.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitloom::device {
namespace {

using ::testing::Contains;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsNan;
using ::testing::Not;
using ::testing::Pair;

/// Of a phone with a little and a big core; the big one alone has i8mm.
constexpr const char* kArmCpuinfo =
    "processor\t: 0\n"
    "BogoMIPS\t: 49.15\n"
    "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp\n"
    "CPU implementer\t: 0x41\n"
    "CPU architecture: 8\n"
    "CPU variant\t: 0x2\n"
    "CPU part\t: 0xd05\n"
    "CPU revision\t: 0\n"
    "\n"
    "processor\t: 7\n"
    "BogoMIPS\t: 49.15\n"
    "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp "
    "i8mm\n"
    "CPU implementer\t: 0x41\n"
    "CPU architecture: 8\n"
    "CPU variant\t: 0x1\n"
    "CPU part\t: 0xd44\n"
    "CPU revision\t: 0\n"
    "\n"
    "Hardware\t: Oriole\n"
    "Features\t: not of a processor\n";

constexpr const char* kX86Cpuinfo =
    "processor\t: 0\n"
    "vendor_id\t: GenuineIntel\n"
    "model name\t: Intel(R) Xeon(R) Processor @ 2.80GHz\n"
    "cpu MHz\t\t: 2799.998\n"
    "flags\t\t: fpu sse2 avx2 fma avx512f avx512_vnni\n"
    "bugs\t\t: spectre_v1\n"
    "\n"
    "processor\t: 1\n"
    "model name\t: Intel(R) Xeon(R) Processor @ 2.80GHz\n"
    "cpu MHz\t\t: 2600.500\n"
    "flags\t\t: fpu sse2 avx2 fma avx512f avx512_vnni\n"
    "\n";

TEST(Sections, AreCutAtTheirNames) {
    const SystemTexts texts = parseSections(
        "noise before\n@@ cpu0/cpu_capacity\r\n250\n\n@@ thermal_zone0/temp\n@@ cpuinfo\nprocessor\t: "
        "0\nx\n");
    EXPECT_THAT(texts, ElementsAre(Pair("cpu0/cpu_capacity", "250\n\n"),
                                   Pair("cpuinfo", "processor\t: 0\nx\n"), Pair("thermal_zone0/temp", "")));
}

TEST(Cores, OfAPhone) {
    const auto cores = parseCores({{"cpuinfo", kArmCpuinfo},
                                   {"cpu0/cpu_capacity", "250\n"},
                                   {"cpu0/cpufreq/cpuinfo_max_freq", "1803000\n"},
                                   {"cpu0/cpufreq/scaling_governor", "sched_pixel\n"},
                                   {"cpu4/cpu_capacity", "620\n"},
                                   {"cpu4/regs/identification/midr_el1", "0x00000000414fd0b1\n"},
                                   {"cpu7/cpu_capacity", "1024\n"},
                                   {"cpu7/cpufreq/cpuinfo_max_freq", "2802000\n"},
                                   {"cpu10/cpu_capacity", "2000\n"},
                                   {"cpu10/regs/identification/midr_el1", "0x00000000123456f0\n"}});
    ASSERT_EQ(cores.size(), 4u);
    EXPECT_EQ(cores[0].index, 0);
    EXPECT_EQ(cores[0].capacity, 250);
    EXPECT_EQ(cores[0].part, "cortex-a55");
    EXPECT_EQ(cores[0].maxMHz, 1803);
    EXPECT_EQ(cores[0].governor, "sched_pixel");
    EXPECT_EQ(cores[1].index, 4);
    EXPECT_EQ(cores[1].part, "cortex-a76");
    EXPECT_THAT(cores[1].maxMHz, IsNan());
    EXPECT_EQ(cores[1].governor, "");
    EXPECT_EQ(cores[2].index, 7);
    EXPECT_EQ(cores[2].part, "cortex-x1");
    EXPECT_EQ(cores[3].index, 10);
    EXPECT_EQ(cores[3].capacity, -1) << "beyond the kernel's scale";
    EXPECT_EQ(cores[3].part, "0x123456f0") << "an unknown part keeps its number";
}

TEST(Cores, OfAComputer) {
    const auto cores = parseCores({{"cpuinfo", kX86Cpuinfo}});
    ASSERT_EQ(cores.size(), 2u);
    EXPECT_EQ(cores[1].index, 1);
    EXPECT_EQ(cores[1].capacity, -1);
    EXPECT_EQ(cores[1].part, "Intel(R) Xeon(R) Processor @ 2.80GHz");
    EXPECT_THAT(cores[1].maxMHz, IsNan());
}

TEST(Cores, NonsenseIsUnknown) {
    EXPECT_THAT(parseCores({}), IsEmpty());
    EXPECT_THAT(
        parseCores({{"cpuX/cpu_capacity", "1"}, {"cpufreq/policy0", "1"}, {"cpu99999/cpu_capacity", "1"}}),
        IsEmpty());
    const auto cores = parseCores({{"cpuinfo", "processor : -3\nprocessor : x\nprocessor : 99999999999\n"},
                                   {"cpu1/cpu_capacity", "Permission denied"},
                                   {"cpu1/cpufreq/cpuinfo_max_freq", "0"},
                                   {"cpu1/regs/identification/midr_el1", "ffffffffffffffffffffff"}});
    ASSERT_EQ(cores.size(), 1u);
    EXPECT_EQ(cores[0].capacity, -1);
    EXPECT_THAT(cores[0].maxMHz, IsNan());
    EXPECT_EQ(cores[0].part, "");
}

TEST(Features, AreThoseOfEveryCore) {
    const auto arm = parseFeatures(kArmCpuinfo);
    EXPECT_THAT(arm, Contains("asimddp"));
    EXPECT_THAT(arm, Not(Contains("i8mm"))) << "one core lacks it";
    EXPECT_TRUE(std::ranges::is_sorted(arm));
    EXPECT_THAT(parseFeatures(kX86Cpuinfo),
                ElementsAre("avx2", "avx512_vnni", "avx512f", "fma", "fpu", "sse2"));
    EXPECT_THAT(parseFeatures(""), IsEmpty());
}

TEST(PartName, KnowsTheImplementerToo) {
    EXPECT_EQ(partName(0x411fd070), "cortex-a57");
    EXPECT_EQ(partName(0x413fd0c1), "neoverse-n1");
    EXPECT_EQ(partName(0x51df804e), "kryo-4xx-gold");
    EXPECT_EQ(partName(0x519fd070), std::nullopt);
    EXPECT_EQ(partName(0), std::nullopt);
}

TEST(Memory, IsInBytes) {
    EXPECT_EQ(parseMemory("MemTotal:        7654321 kB\nMemFree: 1 kB\n"), std::int64_t{7654321} * 1024);
    EXPECT_EQ(parseMemory("MemFree: 1 kB\n"), -1);
    EXPECT_EQ(parseMemory("MemTotal: many kB\n"), -1);
    EXPECT_EQ(parseMemory("MemTotal: 99999999999999999999999 kB\n"), -1);
}

TEST(Temperature, InEveryUnitThatMakersUse) {
    EXPECT_DOUBLE_EQ(parseTemperature("38500\n"), 38.5);
    EXPECT_DOUBLE_EQ(parseTemperature("41"), 41);
    EXPECT_DOUBLE_EQ(parseTemperature("412"), 41.2);
    EXPECT_DOUBLE_EQ(parseTemperature("-5000"), -5);
    EXPECT_DOUBLE_EQ(parseTemperature("0"), 0);
    for (const char* off : {"-273000", "-40000", "2147483647", "", "Invalid argument", "nan"})
        EXPECT_THAT(parseTemperature(off), IsNan()) << off;
}

TEST(Conditions, OfAPhone) {
    const auto conditions =
        parseConditions({{"cpu0/cpufreq/scaling_cur_freq", "1803000\n"},
                         {"cpu2/cpufreq/scaling_cur_freq", "0\n"},
                         {"thermal_zone0/type", "cpu-0-0-usr\n"},
                         {"thermal_zone0/temp", "51200\n"},
                         {"thermal_zone2/temp", "33000\n"},
                         {"thermal_zone10/type", "modem\n"},
                         {"thermal_zone10/temp", "-273000\n"},
                         {"thermal_zone11/type", "only a name\n"},
                         {"dumpsys battery",
                          "Current Battery Service state:\n  AC powered: false\n  level: 85\n"
                          "  scale: 100\n  temperature: 302\n"}});
    EXPECT_THAT(conditions.coreMHz, ElementsAre(DoubleEq(1803), IsNan(), IsNan()));
    ASSERT_EQ(conditions.zones.size(), 2u);
    EXPECT_EQ(conditions.zones[0].name, "cpu-0-0-usr");
    EXPECT_DOUBLE_EQ(conditions.zones[0].celsius, 51.2);
    EXPECT_EQ(conditions.zones[1].name, "zone 2");
    EXPECT_DOUBLE_EQ(conditions.hottestCelsius(), 51.2);
    EXPECT_DOUBLE_EQ(conditions.batteryPercent, 85);
    EXPECT_DOUBLE_EQ(conditions.batteryCelsius, 30.2);
}

TEST(Conditions, OfAComputer) {
    const auto conditions =
        parseConditions({{"cpuinfo", kX86Cpuinfo}, {"battery/capacity", "64\n"}, {"battery/temp", "287\n"}});
    EXPECT_THAT(conditions.coreMHz, ElementsAre(DoubleEq(2799.998), DoubleEq(2600.5)));
    EXPECT_DOUBLE_EQ(conditions.batteryPercent, 64);
    EXPECT_DOUBLE_EQ(conditions.batteryCelsius, 28.7);
    EXPECT_THAT(conditions.hottestCelsius(), IsNan());
}

TEST(Conditions, NothingIsUnknown) {
    const auto conditions = parseConditions({});
    EXPECT_THAT(conditions.coreMHz, IsEmpty());
    EXPECT_THAT(conditions.zones, IsEmpty());
    EXPECT_THAT(conditions.batteryPercent, IsNan());
    EXPECT_THAT(conditions.batteryCelsius, IsNan());
}

TEST(Android, DescribesItself) {
    const auto info =
        describeAndroid({{"cpuinfo", kArmCpuinfo},
                         {"meminfo", "MemTotal: 1000 kB\n"},
                         {"getprop",
                          "[ro.build.version.release]: [13]\n[ro.build.version.sdk]: [33]\n"
                          "[ro.product.cpu.abi]: [arm64-v8a]\n[ro.product.manufacturer]: [Google]\n"
                          "[ro.product.model]: [Pixel 6]\n"}});
    EXPECT_EQ(info.name, "Google Pixel 6");
    EXPECT_EQ(info.abi, "arm64-v8a");
    EXPECT_EQ(info.os, "Android 13 (API 33)");
    EXPECT_EQ(info.cores.size(), 2u);
    EXPECT_EQ(info.memoryBytes, 1'024'000);
    EXPECT_FALSE(info.emulated);
}

TEST(Android, EmulatorsAreCalledSo) {
    for (const char* mark : {"ro.kernel.qemu", "ro.boot.qemu", "ro.bitloom.emulated"}) {
        const auto info =
            describeAndroid({{"getprop", std::string("[") + mark + "]: [1]\n[ro.product.model]: [Phone]\n"}});
        EXPECT_TRUE(info.emulated) << mark;
        EXPECT_EQ(info.name, "Phone (emulated)");
    }
    EXPECT_FALSE(describeAndroid({{"getprop", "[ro.kernel.qemu]: [0]\n"}}).emulated);
}

}  // namespace
}  // namespace bitloom::device
