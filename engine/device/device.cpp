#include "engine/device/device.h"

#include <utility>

#include "engine/base/text.h"
#include "engine/device/adb_device.h"
#include "engine/device/elf.h"
#include "engine/device/host_device.h"

namespace bitloom::device {
namespace {

report::DeviceInfo unusable(const ListedDevice& listed, std::string problem) {
    report::DeviceInfo info;
    info.id = listed.serial;
    info.state = listed.state;
    const auto model = listed.details.find("model");
    if (model != listed.details.end()) info.name = model->second;
    info.problem = std::move(problem);
    return info;
}

/// What adb lists, each described as far as it answers.
Status appendPhones(std::vector<report::DeviceInfo>& devices, const JobControl& control,
                    std::chrono::milliseconds answerTimeout) {
    BITLOOM_ASSIGN_OR_RETURN(const Adb adb, Adb::find(answerTimeout));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<ListedDevice> listed, adb.devices(control));
    for (const ListedDevice& device : listed) {
        Result<report::DeviceInfo> info = describePhone(adb, device, control);
        if (!info && info.error().kind == ErrorKind::Cancelled) return std::move(info).error();
        devices.push_back(info ? std::move(info).value() : unusable(device, info.error().message));
    }
    return {};
}

}  // namespace

Device::Device(report::DeviceInfo info) : m_info(std::move(info)) {}

Status Device::put(const std::filesystem::path& localFile, const std::string& name,
                   const JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(checkFileName(name));
    std::error_code code;
    if (!std::filesystem::is_regular_file(localFile, code))
        return fail("{}: no such file to copy to {}; check the path", localFile.string(), m_info.id);
    BITLOOM_RETURN_IF_ERROR(checkAbi(localFile, m_info.abi));
    return copyIn(localFile, name, control);
}

Result<DeviceList> listDevices(const JobControl& control, std::chrono::milliseconds answerTimeout) {
    DeviceList list;
    list.devices.push_back(describeHost());
    const Status status = appendPhones(list.devices, control, answerTimeout);
    if (!status && status.error().kind == ErrorKind::Cancelled) return status.error();
    if (!status) list.adbProblem = status.error().message;
    return list;
}

Result<report::DeviceConditions> readConditions(const std::string& id, const JobControl& control,
                                                std::chrono::milliseconds answerTimeout) {
    if (id == kHostId) return hostConditions();
    BITLOOM_ASSIGN_OR_RETURN(const Adb adb, Adb::find(answerTimeout));
    return phoneConditions(adb, id, control);
}

Result<std::unique_ptr<Device>> openDevice(const std::string& id, const JobControl& control,
                                           std::chrono::milliseconds answerTimeout) {
    if (id == kHostId) return openHost();
    BITLOOM_ASSIGN_OR_RETURN(const Adb adb, Adb::find(answerTimeout));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<ListedDevice> listed, adb.devices(control));
    std::vector<std::string> connected = {kHostId};
    for (const ListedDevice& device : listed) {
        if (device.serial == id) return openPhone(adb, device, control);
        connected.push_back(device.state == "device" ? device.serial
                                                     : fmt::format("{} ({})", device.serial, device.state));
    }
    return Error{ErrorKind::NoDevice,
                 fmt::format("{}: no such device; connected: {}", id, joinNames(connected))};
}

Status checkFileName(const std::string& name) {
    constexpr std::size_t kLongest = 200;
    const bool valid = !name.empty() && name.size() <= kLongest && name.front() != '.' &&
                       name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    if (valid) return {};
    return fail("'{}': no name for a file on a device: 1 to {} bytes, no '/', no '.' at the start", name,
                kLongest);
}

}  // namespace bitloom::device
