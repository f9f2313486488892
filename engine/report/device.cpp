#include "engine/report/device.h"

#include <cmath>

namespace bitloom::report {

double DeviceConditions::hottestCelsius() const {
    double hottest = kNoValue;
    for (const ThermalZone& zone : zones) {
        if (std::isnan(hottest) || zone.celsius > hottest) hottest = zone.celsius;
    }
    return hottest;
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
