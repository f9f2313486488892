// What networks can be timed on, for front ends, which do not include device/.
#pragma once

#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/device.h"

namespace bitloom::jobs {

struct DevicesResult {
    std::vector<report::DeviceInfo> devices;           ///< this computer first
    std::vector<report::DeviceConditions> conditions;  ///< of each, where they were asked for
    std::string adbProblem;                            ///< why phones cannot be listed; empty when they can
};

/// Blocks up to some seconds a device.
[[nodiscard]] Result<DevicesResult> runDevicesJob(const JobControl& control);

/// With clocks, temperatures and battery of every usable device: a second question to each.
[[nodiscard]] Result<DevicesResult> runConditionsJob(const JobControl& control);

}  // namespace bitloom::jobs
