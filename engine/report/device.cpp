#include "engine/report/device.h"

#include <algorithm>
#include <cmath>

namespace bitloom::report {

double DeviceConditions::hottestCelsius() const {
    double hottest = kNoValue;
    for (const ThermalZone& zone : zones) {
        if (std::isnan(hottest) || zone.celsius > hottest) hottest = zone.celsius;
    }
    return hottest;
}

std::string governorsOf(const DeviceInfo& device, const std::vector<int>& cores) {
    std::vector<std::string> governors;
    for (const CpuCore& core : device.cores) {
        const bool counts = cores.empty() || std::ranges::find(cores, core.index) != cores.end();
        if (!counts || core.governor.empty()) continue;
        if (std::ranges::find(governors, core.governor) == governors.end())
            governors.push_back(core.governor);
    }
    std::string text;
    for (const std::string& governor : governors)
        text += (text.empty() ? "" : ", ") + governor;
    return text;
}

ClockRange clocksOf(const DeviceConditions& conditions, const std::vector<int>& cores) {
    ClockRange range;
    for (std::size_t core = 0; core < conditions.coreMHz.size(); ++core) {
        const bool counts = cores.empty() || std::ranges::find(cores, static_cast<int>(core)) != cores.end();
        if (!counts) continue;
        range.lowMHz = std::fmin(range.lowMHz, conditions.coreMHz[core]);
        range.highMHz = std::fmax(range.highMHz, conditions.coreMHz[core]);
    }
    return range;
}

const char* toText(TimingVerdict verdict) {
    switch (verdict) {
        case TimingVerdict::Stable:
            return "stable";
        case TimingVerdict::Unstable:
            return "unstable";
        case TimingVerdict::Throttled:
            return "throttled";
    }
    return "";
}

}  // namespace bitloom::report
