#include "engine/device/host_device.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include <sched.h>
#include <sys/utsname.h>

#include "engine/base/atomic_file.h"
#include "engine/base/system_error.h"
#include "engine/device/lines.h"
#include "engine/device/system_texts.h"

namespace bitloom::device {
namespace {

namespace fs = std::filesystem;

/// Some files of /sys fail when read, as does every file of a core that is off: then there is no text.
void addText(SystemTexts& texts, std::string name, const fs::path& path) {
    std::ifstream stream(path);
    if (!stream) return;
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!text.empty()) texts.emplace(std::move(name), std::move(text));
}

/// `files` below every entry of `folder` whose name starts with `prefix`, named "<entry>/<file>".
void addTexts(SystemTexts& texts, const fs::path& folder, std::string_view prefix,
              std::initializer_list<const char*> files) {
    std::error_code code;
    for (fs::directory_iterator entry(folder, code); !code && entry != fs::directory_iterator();
         entry.increment(code)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(prefix)) continue;
        for (const char* file : files)
            addText(texts, name + "/" + file, entry->path() / file);
    }
}

constexpr const char* kCpuFolder = "/sys/devices/system/cpu";

std::string operatingSystem() {
    std::ifstream stream("/etc/os-release");
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    for (std::string_view line : splitLines(text)) {
        constexpr std::string_view kName = "PRETTY_NAME=";
        if (!line.starts_with(kName)) continue;
        line.remove_prefix(kName.size());
        if (line.size() >= 2 && line.front() == '"' && line.back() == '"')
            line = line.substr(1, line.size() - 2);
        return std::string(line);
    }
    return "Linux";
}

/// The machine's name as Android's ABIs are called.
std::string hostAbi() {
    utsname system{};
    if (::uname(&system) != 0) return {};
    std::string machine = system.machine;
    if (machine == "aarch64") return "arm64-v8a";
    if (machine.size() == 4 && machine.front() == 'i' && machine.ends_with("86")) return "x86";
    return machine;
}

/// A container or taskset may leave this process a part of the cores, and not core 0 among them.
void markAllowedCores(std::vector<report::CpuCore>& cores) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    // Fails on computers of more than CPU_SETSIZE (1,024) cores: then all count as allowed.
    if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return;
    for (report::CpuCore& core : cores)
        core.allowed = core.index < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(core.index), &mask);
}

SystemTexts clockTexts() {
    SystemTexts texts;
    addText(texts, "cpuinfo", "/proc/cpuinfo");
    addTexts(texts, kCpuFolder, "cpu", {"cpufreq/scaling_cur_freq"});
    addTexts(texts, "/sys/class/thermal", "thermal_zone", {"type", "temp"});
    return texts;
}

class HostDevice final : public Device {
  public:
    HostDevice(report::DeviceInfo info, fs::path folder)
        : Device(std::move(info)), m_folder(std::move(folder)) {}
    ~HostDevice() override { removeFolder(); }

    Result<report::DeviceConditions> conditions(const JobControl&) override { return hostConditions(); }
    Result<report::DeviceConditions> clocks(const JobControl&) override {
        return parseConditions(clockTexts());
    }

    Result<CommandOutcome> run(const std::vector<std::string>& arguments, std::chrono::milliseconds timeout,
                               const JobControl& control) override {
        if (arguments.empty()) return fail("{}: no program to run", kHostId);
        BITLOOM_RETURN_IF_ERROR(checkFileName(arguments.front()));
        Command command{.arguments = arguments, .folder = m_folder, .timeout = timeout};
        command.arguments.front() = (m_folder / arguments.front()).string();
        return runCommand(command, control);
    }

    Status fetch(const std::string& name, const fs::path& localFile, const JobControl&) override {
        BITLOOM_RETURN_IF_ERROR(checkFileName(name));
        return replaceFileAtomically(localFile, [&](const fs::path& temporary) -> Status {
            std::error_code code;
            fs::copy_file(m_folder / name, temporary, fs::copy_options::overwrite_existing, code);
            if (code)
                return fail("{}: cannot fetch {} to {}: {}", kHostId, name, localFile.string(),
                            code.message());
            return {};
        });
    }

    Status close() override {
        const std::error_code code = removeFolder();
        if (code) return fail("{}: cannot remove it: {}", m_folder.string(), code.message());
        return {};
    }

  private:
    Status copyIn(const fs::path& localFile, const std::string& name, const JobControl&) override {
        const fs::path target = m_folder / name;
        std::error_code code;
        fs::copy_file(localFile, target, fs::copy_options::overwrite_existing, code);
        if (!code) fs::permissions(target, fs::perms::owner_all, fs::perm_options::replace, code);
        if (code)
            return fail("{}: cannot copy it to {}: {}", localFile.string(), target.string(), code.message());
        const std::uintmax_t arrived = fs::file_size(target, code);
        if (arrived != fs::file_size(localFile, code))
            return fail("{}: {} bytes of it arrived in {}; has it changed meanwhile?", localFile.string(),
                        arrived, target.string());
        return {};
    }

    std::error_code removeFolder() {
        std::error_code code;
        fs::remove_all(m_folder, code);
        return code;
    }

    fs::path m_folder;
};

}  // namespace

report::DeviceInfo describeHost() {
    SystemTexts texts;
    addText(texts, "cpuinfo", "/proc/cpuinfo");
    addText(texts, "meminfo", "/proc/meminfo");
    addTexts(texts, kCpuFolder, "cpu",
             {"cpu_capacity", "cpufreq/cpuinfo_max_freq", "cpufreq/scaling_governor",
              "topology/thread_siblings_list", "regs/identification/midr_el1"});
    report::DeviceInfo info;
    info.id = kHostId;
    info.state = "device";
    info.abi = hostAbi();
    info.os = operatingSystem();
    info.cores = parseCores(texts);
    markAllowedCores(info.cores);
    info.name = info.cores.empty() ? std::string("this computer") : info.cores.front().part;
    info.features = parseFeatures(texts["cpuinfo"]);
    info.memoryBytes = parseMemory(texts["meminfo"]);
    return info;
}

report::DeviceConditions hostConditions() {
    SystemTexts texts = clockTexts();
    // Laptops call it BAT0 or BAT1; a second battery does not matter here.
    for (const char* file : {"capacity", "temp"}) {
        addText(texts, std::string("battery/") + file, fs::path("/sys/class/power_supply/BAT0") / file);
        addText(texts, std::string("battery/") + file, fs::path("/sys/class/power_supply/BAT1") / file);
    }
    return parseConditions(texts);
}

Result<std::unique_ptr<Device>> openHost() {
    std::error_code code;
    const fs::path place = fs::temp_directory_path(code);
    std::string pattern = (place / "bitloom-job-XXXXXX").string();
    if (code || ::mkdtemp(pattern.data()) == nullptr)
        return fail("{}: cannot make a temporary folder there: {}; name another place in TMPDIR",
                    place.string(), code ? code.message() : describeSystemError(errno));
    return std::unique_ptr<Device>(std::make_unique<HostDevice>(describeHost(), pattern));
}

}  // namespace bitloom::device
