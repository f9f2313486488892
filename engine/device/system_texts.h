// What a Linux system, phone or PC, tells of itself in /proc and /sys: read elsewhere, understood here. Pure
// functions, any thread; text that makes no sense leaves the member unknown.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/report/device.h"

namespace bitloom::device {

/// Contents by name. Names are those of the script in system_script.h and stand for:
///   "cpuinfo", "meminfo"                      /proc/cpuinfo, /proc/meminfo
///   "cpu0/cpu_capacity", "cpu0/cpufreq/...",  below /sys/devices/system/cpu
///   "cpu0/topology/..."
///   "thermal_zone0/type", ".../temp"          below /sys/class/thermal
///   "battery/capacity", "battery/temp"        below /sys/class/power_supply, whatever the supply is called
///   "dumpsys battery", "getprop"              output of Android's programs
using SystemTexts = std::map<std::string, std::string, std::less<>>;

/// Cuts the output of the script in system_script.h, "@@ NAME" lines with contents between them.
[[nodiscard]] SystemTexts parseSections(std::string_view output);

/// Every core that is named in any text, by index.
[[nodiscard]] std::vector<report::CpuCore> parseCores(const SystemTexts& texts);

/// "Features" of ARM and "flags" of x86 in /proc/cpuinfo that every processor there has, sorted: a thread may
/// run on any of them.
[[nodiscard]] std::vector<std::string> parseFeatures(std::string_view cpuinfo);

/// The common name of a part by its main ID register: "cortex-a76" of 0x414fd0b1; nothing for one that is not
/// in the table. Bits: implementer 31-24, part 15-4 (Arm ARM, MIDR_EL1).
[[nodiscard]] std::optional<std::string> partName(std::uint64_t midr);

/// Bytes, from "MemTotal: 7654321 kB"; -1 without it.
[[nodiscard]] std::int64_t parseMemory(std::string_view meminfo);

/// Celsius of a thermal zone's text. The kernel says millidegrees, some makers tenths or whole degrees: told
/// apart by size. NaN outside -30 to 150: sensors that are off say such things.
[[nodiscard]] double parseTemperature(std::string_view text);

[[nodiscard]] report::DeviceConditions parseConditions(const SystemTexts& texts);

/// Everything but id, state and problem of an adb device.
[[nodiscard]] report::DeviceInfo describeAndroid(const SystemTexts& texts);

}  // namespace bitloom::device
