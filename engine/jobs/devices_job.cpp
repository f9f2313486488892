#include "engine/jobs/devices_job.h"

#include "engine/device/device.h"
#include "engine/qsimd/catalogue.h"

namespace bitloom::jobs {

Result<DevicesResult> runDevicesJob(const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(device::DeviceList list, device::listDevices(control));
    for (report::DeviceInfo& info : list.devices) {
        if (const auto processor = qsimd::processorOf(info.abi))
            info.kernels = qsimd::runnableKernels(*processor, info.features);
    }
    return DevicesResult{std::move(list.devices), {}, std::move(list.adbProblem)};
}

Result<DevicesResult> runConditionsJob(const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(DevicesResult result, runDevicesJob(control));
    for (report::DeviceInfo& info : result.devices) {
        report::DeviceConditions& conditions = result.conditions.emplace_back();
        if (!info.problem.empty()) continue;
        Result<report::DeviceConditions> read = device::readConditions(info.id, control);
        if (!read && read.error().kind == ErrorKind::Cancelled) return read.error();
        if (read) {
            conditions = std::move(read).value();
        } else {
            info.problem = read.error().message;
        }
    }
    return result;
}

}  // namespace bitloom::jobs
