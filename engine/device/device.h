// A place where programs run and are timed: this computer ("host") or a phone behind adb. Calls block, each
// with a time limit, and end early with ErrorKind::Cancelled when control.stop() is called; a Device is used
// by one thread at a time, different Devices by any. A device that is unplugged or does not exist is
// ErrorKind::NoDevice.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/device/command.h"
#include "engine/report/device.h"

namespace bitloom::device {

inline constexpr const char* kHostId = "host";

/// For whatever is expected to answer at once; long copies get more time by their size. The default leaves
/// room for adb to start its server and for a sleeping phone.
inline constexpr std::chrono::milliseconds kAnswerTimeout = std::chrono::seconds(20);

class Device {
  public:
    virtual ~Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    /// As read when it was opened.
    [[nodiscard]] const report::DeviceInfo& info() const { return m_info; }

    /// Clocks, temperatures and battery at this moment. Takes up to a second on a phone: not for use between
    /// two timed blocks.
    virtual Result<report::DeviceConditions> conditions(const JobControl& control) = 0;

    /// Clocks and temperatures alone, which is quickly done: for between two rounds.
    virtual Result<report::DeviceConditions> clocks(const JobControl& control) = 0;

    /// Copies a file into this job's folder there, executable, in place of one of the same name. `name` is
    /// anything of at most 200 bytes that has no '/' and does not start with '.'. A program for another
    /// processor or one cut short is refused (checkAbi); the size that arrived is compared.
    Status put(const std::filesystem::path& localFile, const std::string& name, const JobControl& control);

    /// Runs a file that was put there: `arguments` are its name and what it is given. Works in the job's
    /// folder, standard input is empty. Its exit code is an outcome; when it did not end (timeout, cancel),
    /// it and its children have been killed.
    virtual Result<CommandOutcome> run(const std::vector<std::string>& arguments,
                                       std::chrono::milliseconds timeout, const JobControl& control) = 0;

    /// Copies a file of the job's folder to `localFile`, which is replaced whole or not at all.
    virtual Status fetch(const std::string& name, const std::filesystem::path& localFile,
                         const JobControl& control) = 0;

    /// Removes the job's folder with all that is in it; afterwards only info() may be called. Also done by
    /// the destructor, which keeps an error to itself. Takes no control: cleaning up follows a cancel. What
    /// cannot be removed (unplugged) goes when the next job opens that phone.
    virtual Status close() = 0;

  protected:
    explicit Device(report::DeviceInfo info);

  private:
    virtual Status copyIn(const std::filesystem::path& localFile, const std::string& name,
                          const JobControl& control) = 0;

    report::DeviceInfo m_info;
};

struct DeviceList {
    /// The host first, then what adb lists, in its order. An unusable one has only id, state and problem.
    std::vector<report::DeviceInfo> devices;
    std::string adbProblem;  ///< why no phone can be listed (adb is not installed); empty when they are
};
/// Asks every usable device for its description, one after another; a failure stands in its `problem`.
Result<DeviceList> listDevices(const JobControl& control,
                               std::chrono::milliseconds answerTimeout = kAnswerTimeout);

/// Device::conditions() of one that nobody has opened: "host", or a serial of listDevices() whose state is
/// "device".
Result<report::DeviceConditions> readConditions(const std::string& id, const JobControl& control,
                                                std::chrono::milliseconds answerTimeout = kAnswerTimeout);

/// `id` is "host" or an adb serial. Makes a folder for this job there: files put into it stay until close().
/// On a phone, folders of this program's dead jobs are removed first. ErrorKind::NoDevice when there is no
/// such device (with what is connected), it is not authorized or adb is not installed (with the remedy).
Result<std::unique_ptr<Device>> openDevice(const std::string& id, const JobControl& control,
                                           std::chrono::milliseconds answerTimeout = kAnswerTimeout);

/// Fails with the rule when `name` is not one that put() takes.
Status checkFileName(const std::string& name);

}  // namespace bitloom::device
