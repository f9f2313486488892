// This computer as a device.
#pragma once

#include <memory>

#include "engine/device/device.h"

namespace bitloom::device {

/// What /proc and /sys tell. Never fails: unknown is unknown. Any thread.
[[nodiscard]] report::DeviceInfo describeHost();

/// Device::conditions() of this computer. Any thread.
[[nodiscard]] report::DeviceConditions hostConditions();

/// With a temporary folder of its own for the job.
Result<std::unique_ptr<Device>> openHost();

}  // namespace bitloom::device
