// The shell scripts that make an Android device tell what system_texts.h understands. Constant text: nothing
// is ever put into them. Names in the output are relative to the folders they come from. Shells down to
// Android 5's mksh and toolbox must run them: builtins, cat, dumpsys, getprop.
#pragma once

namespace bitloom::device {

/// Everything that does not change: for DeviceInfo.
inline constexpr const char* kInfoScript = R"(show() { [ -r "$1" ] && echo "@@ $1" && cat "$1" && echo; }
cd /sys/devices/system/cpu 2>/dev/null &&
for f in cpu[0-9]*/cpu_capacity cpu[0-9]*/cpufreq/cpuinfo_max_freq cpu[0-9]*/cpufreq/scaling_governor \
         cpu[0-9]*/regs/identification/midr_el1; do show "$f"; done
echo "@@ cpuinfo"; cat /proc/cpuinfo; echo
echo "@@ meminfo"; cat /proc/meminfo; echo
echo "@@ getprop"; getprop
true)";

/// Clocks and zones of DeviceConditions: reads of small files alone, for between two rounds of a measurement.
inline constexpr const char* kClocksScript =
    R"(show() { [ -r "$1" ] && echo "@@ $1" && cat "$1" && echo; }
cd /sys/devices/system/cpu 2>/dev/null && for f in cpu[0-9]*/cpufreq/scaling_cur_freq; do show "$f"; done
cd /sys/class/thermal 2>/dev/null && for f in thermal_zone*/type thermal_zone*/temp; do show "$f"; done
true)";

/// The rest of DeviceConditions: put behind kClocksScript and a line end.
inline constexpr const char* kBatteryScript =
    R"(cd /sys/class/power_supply 2>/dev/null && for f in battery/capacity battery/temp; do show "$f"; done
echo "@@ dumpsys battery"; dumpsys battery
true)";

}  // namespace bitloom::device
