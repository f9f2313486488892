// A phone behind adb as a device.
#pragma once

#include <memory>

#include "engine/device/adb.h"
#include "engine/device/device.h"

namespace bitloom::device {

/// Where jobs keep their folders on a phone: shell users may write and execute there.
inline constexpr const char* kPhoneFolder = "/data/local/tmp/bitloom";

/// Everything about a listed device. ErrorKind::NoDevice with the remedy when its state forbids to ask.
Result<report::DeviceInfo> describePhone(const Adb& adb, const ListedDevice& listed,
                                         const JobControl& control);

/// Device::conditions() of a phone that nobody needs to have opened.
Result<report::DeviceConditions> phoneConditions(const Adb& adb, const std::string& serial,
                                                 const JobControl& control);

/// As openDevice.
Result<std::unique_ptr<Device>> openPhone(const Adb& adb, const ListedDevice& listed,
                                          const JobControl& control);

}  // namespace bitloom::device
