#include "engine/jobs/devices_job.h"

#include "engine/device/device.h"

namespace bitloom::jobs {

Result<DevicesResult> runDevicesJob(const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(device::DeviceList list, device::listDevices(control));
    return DevicesResult{std::move(list.devices), std::move(list.adbProblem)};
}

}  // namespace bitloom::jobs
