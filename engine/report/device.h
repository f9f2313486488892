// Where a network runs and how well its times can be trusted: the device, its state around a measurement, and
// the summary of a set of times. Unknown numbers are NaN (kNoValue) or -1, as each member says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/snapshot.h"

namespace bitloom::report {

struct CpuCore {
    int index = 0;
    int capacity = -1;         ///< the kernel's relative speed, 0 to 1024; -1 unknown (x86 states none)
    std::string part;          ///< "cortex-a76", a MIDR such as "0x412fd050", or the model name on x86
    double maxMHz = kNoValue;  ///< highest clock the kernel would choose
    std::string governor;      ///< "schedutil", "performance" ...; empty when unknown
    int firstSibling = -1;     ///< least index of the hardware threads of its physical core; -1 unknown
    bool allowed = true;       ///< false where this program may not run on it (affinity mask)
};

struct DeviceInfo {
    std::string id;     ///< "host" or the adb serial
    std::string name;   ///< maker and model, or the processor of the host; ends in " (emulated)" where it is
    std::string abi;    ///< as Android names it: "arm64-v8a", "x86_64" ...
    std::string state;  ///< "device" when it can be used, else adb's word: "unauthorized", "offline" ...
    std::string os;     ///< "Android 13 (API 33)", "Debian GNU/Linux 12"
    std::vector<CpuCore> cores;         ///< by index
    std::vector<std::string> features;  ///< of every core, in /proc/cpuinfo's words: asimddp, avx512_vnni
    std::vector<std::string> kernels;   ///< of the registry, that it can run; empty where unknown
    std::int64_t memoryBytes = -1;
    bool emulated = false;  ///< not a real processor: its times say nothing about hardware
    std::string problem;    ///< why it cannot be used and what helps; empty when it can
};

struct ThermalZone {
    std::string name;  ///< the zone's type: "cpu-0-0-usr", "battery"
    double celsius = kNoValue;
};

/// Read before and after a measurement.
struct DeviceConditions {
    std::vector<double> coreMHz;  ///< present clock by core index; NaN where unknown
    std::vector<ThermalZone> zones;
    double batteryPercent = kNoValue;
    double batteryCelsius = kNoValue;

    /// The hottest zone; NaN without any.
    [[nodiscard]] double hottestCelsius() const;
};

/// What the governors of `cores` (of all, without any) are, each once: "schedutil", "performance, powersave";
/// empty when unknown.
[[nodiscard]] std::string governorsOf(const DeviceInfo& device, const std::vector<int>& cores);

/// The least and the greatest of the known clocks of `cores` (of all, without any) in MHz; NaN without one.
struct ClockRange {
    double lowMHz = kNoValue;
    double highMHz = kNoValue;
};
[[nodiscard]] ClockRange clocksOf(const DeviceConditions& conditions, const std::vector<int>& cores);

enum class TimingVerdict { Stable, Unstable, Throttled };
[[nodiscard]] const char* toText(TimingVerdict verdict);  ///< "stable", "unstable", "throttled"

/// Milliseconds. Everything is NaN without samples.
struct TimingSummary {
    double medianMs = kNoValue;
    double p10Ms = kNoValue;
    double p90Ms = kNoValue;
    double lowMs = kNoValue;  ///< 95 % bootstrap interval of the median
    double highMs = kNoValue;
    int samples = 0;
    TimingVerdict verdict = TimingVerdict::Unstable;
    std::string reason;  ///< one line: what the verdict rests on
};

}  // namespace bitloom::report
