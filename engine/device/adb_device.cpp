#include "engine/device/adb_device.h"

#include <algorithm>
#include <utility>

#include "engine/base/atomic_file.h"
#include "engine/device/job_folder.h"
#include "engine/device/lines.h"
#include "engine/device/system_script.h"
#include "engine/device/system_texts.h"

namespace bitloom::device {
namespace {

namespace fs = std::filesystem;

/// The shell's process group while a program runs, so that another shell can kill it.
constexpr const char* kGroupFile = ".group";
/// What a run prints last whose program could not be started because the folder is not there or full.
constexpr const char* kNotStarted = "bitloom: program not started";

/// Slower than any USB link, and than most Wi-Fi.
constexpr std::uintmax_t kSlowestBytesPerSecond = 256 << 10;

std::chrono::milliseconds copyTimeout(std::chrono::milliseconds answerTimeout, std::uintmax_t bytes) {
    return answerTimeout + std::chrono::milliseconds(1000 * bytes / kSlowestBytesPerSecond);
}

class AdbDevice final : public Device {
  public:
    AdbDevice(Adb adb, report::DeviceInfo info)
        : Device(std::move(info)),
          m_adb(std::move(adb)),
          m_serial(Device::info().id),
          m_folder(fmt::format("{}/{}", kPhoneFolder, m_name.text())) {}
    ~AdbDevice() override {
        if (!m_closing) (void)removeFolder();
    }

    /// Removes what dead jobs left and makes this job's folder.
    Status prepare(const JobControl& control);

    Result<report::DeviceConditions> conditions(const JobControl& control) override {
        return phoneConditions(m_adb, m_serial, control);
    }
    Result<report::DeviceConditions> clocks(const JobControl& control) override;
    Result<CommandOutcome> run(const std::vector<std::string>& arguments, std::chrono::milliseconds timeout,
                               const JobControl& control) override;
    Status fetch(const std::string& name, const fs::path& localFile, const JobControl& control) override;
    Status close() override {
        m_closing = true;
        return removeFolder();
    }

  private:
    Status copyIn(const fs::path& localFile, const std::string& name, const JobControl& control) override;

    [[nodiscard]] std::string pathOf(const std::string& name) const { return m_folder + "/" + name; }
    Result<CommandOutcome> shell(std::string_view script, std::string_view doing, const JobControl& control) {
        return m_adb.shell(m_serial, script, doing, m_adb.answerTimeout(), control);
    }
    Status removeAbandonedFolders(const JobControl& control);
    Result<std::uintmax_t> sizeOf(const std::string& name, const JobControl& control);
    void killProgram();
    /// Cleaning up must not hold a cancelled job for long.
    [[nodiscard]] std::chrono::milliseconds cleanupTimeout() const {
        return std::min<std::chrono::milliseconds>(m_adb.answerTimeout(), std::chrono::seconds(10));
    }
    Status removeFolder();

    Adb m_adb;
    std::string m_serial;
    JobFolderName m_name;
    std::string m_folder;
    bool m_exists = false;   ///< the folder, as far as is known
    bool m_closing = false;  ///< close() was called: what it could not remove, the next job will
};

Status AdbDevice::prepare(const JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(removeAbandonedFolders(control));
    // Before the attempt: an answer that gets lost may leave the folder behind.
    m_exists = true;
    // Twice: another job that ends may remove the folder around it in between.
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome made,
                             shell(fmt::format("mkdir -p {0} || mkdir -p {0}", shellQuoted(m_folder)),
                                   "making a folder", control));
    if (made.exitCode != 0)
        return fail("{}: cannot make the folder {}: {}", m_serial, m_folder, lastWords(made));
    return {};
}

Status AdbDevice::removeAbandonedFolders(const JobControl& control) {
    const std::string list = fmt::format("ls {} 2>/dev/null; true", shellQuoted(kPhoneFolder));
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome listed, shell(list, "listing its folders", control));
    std::string script;
    for (const std::string_view name : splitLines(listed.out)) {
        if (!isAbandonedJobFolder(name)) continue;
        script += fmt::format("rm -rf {}\n", shellQuoted(fmt::format("{}/{}", kPhoneFolder, name)));
    }
    if (script.empty()) return {};
    const auto removed = shell(script, "removing what earlier jobs left", control);
    return removed ? Status() : Status(removed.error());
}

Result<report::DeviceConditions> AdbDevice::clocks(const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome told,
                             shell(kClocksScript, "reading its temperatures", control));
    return parseConditions(parseSections(told.out));
}

Status AdbDevice::copyIn(const fs::path& localFile, const std::string& name, const JobControl& control) {
    std::error_code code;
    const std::uintmax_t size = fs::file_size(localFile, code);
    const fs::path absolute = fs::absolute(localFile, code);
    if (code) return fail("{}: cannot read it: {}", localFile.string(), code.message());
    const std::string doing = fmt::format("copying {} to it", localFile.string());
    BITLOOM_RETURN_IF_ERROR(m_adb.call(m_serial, {"push", absolute.string(), pathOf(name)}, doing,
                                       copyTimeout(m_adb.answerTimeout(), size), control));
    BITLOOM_ASSIGN_OR_RETURN(const std::uintmax_t arrived, sizeOf(name, control));
    if (arrived != size) {
        return fail("{}: {}: {} of {} bytes arrived; is the device full, or has the file changed meanwhile?",
                    m_serial, doing, arrived, size);
    }
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome made, shell("chmod 755 " + shellQuoted(pathOf(name)),
                                                              "making it executable", control));
    if (made.exitCode != 0) return fail("{}: cannot make {} executable: {}", m_serial, name, lastWords(made));
    return {};
}

Result<std::uintmax_t> AdbDevice::sizeOf(const std::string& name, const JobControl& control) {
    const std::string doing = fmt::format("looking for {}", name);
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome counted,
                             shell("wc -c < " + shellQuoted(pathOf(name)), doing, control));
    if (counted.exitCode != 0) return fail("{}: {}: {}", m_serial, doing, lastWords(counted));
    const std::string_view digits = trimmed(counted.out);
    if (digits.empty() || digits.size() > 18 ||
        digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return fail("{}: {}: '{}' is no size", m_serial, doing, lastLines(counted.out));
    }
    return std::stoull(std::string(digits));
}

Result<CommandOutcome> AdbDevice::run(const std::vector<std::string>& arguments,
                                      std::chrono::milliseconds timeout, const JobControl& control) {
    if (arguments.empty()) return fail("{}: no program to run", m_serial);
    BITLOOM_RETURN_IF_ERROR(checkFileName(arguments.front()));
    std::vector<std::string> words = arguments;
    words.front() = "./" + words.front();
    // The daemon makes its shell the leader of a process group: $$ is the group of all that runs here.
    const std::string script = fmt::format(
        "cd {0} && echo $$ > {1} || {{ echo {2}; exit 1; }}\n{3} < /dev/null\ncode=$?\nrm -f {1}\nexit $code",
        shellQuoted(m_folder), kGroupFile, shellQuoted(kNotStarted), shellQuotedLine(words));
    const std::string doing = fmt::format("running {}", arguments.front());
    Result<CommandOutcome> outcome = m_adb.shell(m_serial, script, doing, timeout, control);
    if (!outcome) {
        killProgram();
    } else if (outcome->exitCode != 0 && trimmed(outcome->out).ends_with(kNotStarted)) {
        const std::string reason = lastLines(outcome->err.empty() ? outcome->out : outcome->err);
        return fail("{}: {}: cannot work in its folder {}: {}", m_serial, doing, m_folder, reason);
    }
    return outcome;
}

void AdbDevice::killProgram() {
    // The other shell may not have got as far as writing its group: it is given a second.
    const std::string script = fmt::format(
        "cd {0} || exit 0\n[ -s {1} ] || sleep 1\ngroup=$(cat {1}) && kill -9 \"-$group\"\nrm -f {1}",
        shellQuoted(m_folder), kGroupFile);
    (void)m_adb.shell(m_serial, script, "ending the program", cleanupTimeout(), JobControl());
}

Status AdbDevice::fetch(const std::string& name, const fs::path& localFile, const JobControl& control) {
    BITLOOM_RETURN_IF_ERROR(checkFileName(name));
    BITLOOM_ASSIGN_OR_RETURN(const std::uintmax_t size, sizeOf(name, control));
    std::error_code code;
    const fs::path absolute = fs::absolute(localFile, code);
    if (code) return fail("{}: cannot write it: {}", localFile.string(), code.message());
    const std::string doing = fmt::format("copying {} to {}", name, localFile.string());
    return replaceFileAtomically(absolute, [&](const fs::path& temporary) -> Status {
        BITLOOM_RETURN_IF_ERROR(m_adb.call(m_serial, {"pull", pathOf(name), temporary.string()}, doing,
                                           copyTimeout(m_adb.answerTimeout(), size), control));
        std::error_code failed;
        const std::uintmax_t arrived = fs::file_size(temporary, failed);
        if (failed || arrived != size) {
            return fail("{}: {}: {} of {} bytes arrived; try again", m_serial, doing, failed ? 0 : arrived,
                        size);
        }
        return {};
    });
}

Status AdbDevice::removeFolder() {
    if (!m_exists) return {};
    // Twice: a program that was killed a moment ago may still have been writing.
    const std::string script = fmt::format("rm -rf {0} || rm -rf {0}\nrmdir {1} 2> /dev/null\n[ ! -e {0} ]",
                                           shellQuoted(m_folder), shellQuoted(kPhoneFolder));
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome removed,
                             m_adb.shell(m_serial, script, "cleaning up", cleanupTimeout(), JobControl()));
    if (removed.exitCode != 0)
        return fail("{}: cannot remove its folder {}: {}", m_serial, m_folder, lastWords(removed));
    m_exists = false;
    return {};
}

}  // namespace

Result<report::DeviceInfo> describePhone(const Adb& adb, const ListedDevice& listed,
                                         const JobControl& control) {
    const auto unusable = [&](std::string_view problem) {
        return Error{ErrorKind::NoDevice, fmt::format("{}: {}", listed.serial, problem)};
    };
    if (!isValidSerial(listed.serial)) return unusable("not a serial number that adb devices have");
    if (const std::string problem = problemOfState(listed.state); !problem.empty()) return unusable(problem);
    BITLOOM_ASSIGN_OR_RETURN(
        const CommandOutcome told,
        adb.shell(listed.serial, kInfoScript, "reading its description", adb.answerTimeout(), control));
    report::DeviceInfo info = describeAndroid(parseSections(told.out));
    info.id = listed.serial;
    info.state = listed.state;
    return info;
}

Result<report::DeviceConditions> phoneConditions(const Adb& adb, const std::string& serial,
                                                 const JobControl& control) {
    const std::string script = fmt::format("{}\n{}", kClocksScript, kBatteryScript);
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome told, adb.shell(serial, script, "reading its temperatures",
                                                                  adb.answerTimeout(), control));
    return parseConditions(parseSections(told.out));
}

Result<std::unique_ptr<Device>> openPhone(const Adb& adb, const ListedDevice& listed,
                                          const JobControl& control) {
    BITLOOM_ASSIGN_OR_RETURN(report::DeviceInfo info, describePhone(adb, listed, control));
    auto device = std::make_unique<AdbDevice>(adb, std::move(info));
    BITLOOM_RETURN_IF_ERROR(device->prepare(control));
    return std::unique_ptr<Device>(std::move(device));
}

}  // namespace bitloom::device
