#include "tests/support/emulated_device/phone.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace bitloom::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFaults = {
    std::pair{"none", Fault::None},
    std::pair{"vanish-in-run", Fault::VanishInRun},
    std::pair{"vanish-in-push", Fault::VanishInPush},
    std::pair{"vanish-in-pull", Fault::VanishInPull},
    std::pair{"vanish-when-asked", Fault::VanishWhenAsked},
    std::pair{"vanish-in-cleanup", Fault::VanishInCleanup},
    std::pair{"short-push", Fault::ShortPush},
    std::pair{"hang", Fault::Hang},
    std::pair{"full", Fault::Full},
    std::pair{"unauthorized", Fault::Unauthorized},
    std::pair{"asks-for-key", Fault::AsksForKey},
    std::pair{"no-exit-status", Fault::NoExitStatus},
    std::pair{"slow", Fault::Slow},
    std::pair{"heat", Fault::Heat},
};

/// A processor that qemu can be, and what Linux says of it.
struct Cpu {
    const char* name;
    unsigned midr;
    unsigned littleMidr;  ///< of the small cores beside it
    const char* features;
};
constexpr std::array kCpus = {
    Cpu{"cortex-a57", 0x411fd070, 0x410fd034, "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"},
    Cpu{"cortex-a76", 0x414fd0b1, 0x412fd050,
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp "
        "ssbs"},
    Cpu{"max", 0x411fd4e0, 0x411fd460,
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop sha3 "
        "asimddp sha512 asimdfhm dit uscat ilrcpc flagm ssbs sb dcpodp flagm2 frint i8mm bf16"},
};

const Cpu& cpuNamed(const std::string& name) {
    return *std::ranges::find_if(kCpus, [&](const Cpu& cpu) { return name == cpu.name; });
}

struct CoreGroup {
    int first;
    int count;
    int capacity;
    int kilohertz;
};
constexpr std::array kCores = {CoreGroup{0, 4, 250, 1803000}, CoreGroup{4, 3, 780, 2253000},
                               CoreGroup{7, 1, 1024, 2802000}};

/// Paths that belong to the phone wherever they stand in a command.
constexpr std::array kPhonePaths = {"/data/", "/sys/", "/proc/cpuinfo", "/proc/meminfo"};

/// Whether a path may start at `at`: not within a longer one.
bool startsWord(std::string_view text, std::size_t at) {
    constexpr std::string_view kBefore = " \t\n'\"=<>;&|(:";
    return at == 0 || kBefore.find(text[at - 1]) != std::string_view::npos;
}

/// Programs of Android that say what stands in files below the root. `sh` runs them.
constexpr const char* kGetprop = R"(#!/bin/sh
properties=$BITLOOM_EMULATED_ROOT/system/build.prop
if [ $# -eq 0 ]; then sed 's/^\([^=]*\)=\(.*\)$/[\1]: [\2]/' "$properties"
else while IFS='=' read -r key value; do [ "$key" = "$1" ] && echo "$value"; done < "$properties"; fi
)";
constexpr const char* kDumpsys = R"(#!/bin/sh
[ "$1" = battery ] || { echo "Can't find service: $1"; exit 20; }
cat "$BITLOOM_EMULATED_ROOT/system/battery"
)";

}  // namespace

std::optional<Fault> faultFromText(std::string_view text) {
    const auto* found = std::ranges::find_if(kFaults, [&](const auto& fault) { return text == fault.first; });
    return found == kFaults.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Phone::cpuNames() {
    std::vector<std::string> names;
    names.reserve(kCpus.size());
    for (const Cpu& cpu : kCpus)
        names.emplace_back(cpu.name);
    return names;
}

Phone::Phone(const fs::path& root, std::string cpu, Fault fault)
    : m_root(fs::canonical(root)), m_cpu(std::move(cpu)), m_fault(fault) {
    fs::create_directories(m_root / "data/local/tmp");
    writeKernelFiles();
    writeAndroidFiles();
}

void Phone::write(const std::string& path, const std::string& text) const {
    fs::create_directories((m_root / path).parent_path());
    std::ofstream(m_root / path) << text;
}

void Phone::writeKernelFiles() const {
    const Cpu& cpu = cpuNamed(m_cpu);
    std::string cpuinfo;
    for (const CoreGroup& group : kCores) {
        const unsigned midr = group.first == 0 ? cpu.littleMidr : cpu.midr;
        for (int core = group.first; core < group.first + group.count; ++core) {
            const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/", core);
            write(folder + "cpu_capacity", fmt::format("{}\n", group.capacity));
            write(folder + "cpufreq/cpuinfo_max_freq", fmt::format("{}\n", group.kilohertz));
            write(folder + "cpufreq/scaling_cur_freq", fmt::format("{}\n", group.kilohertz));
            write(folder + "cpufreq/scaling_governor", "schedutil\n");
            write(folder + "regs/identification/midr_el1", fmt::format("{:#018x}\n", midr));
            cpuinfo += fmt::format(
                "processor\t: {}\nBogoMIPS\t: 38.40\nFeatures\t: {}\nCPU implementer\t: {:#x}\n"
                "CPU architecture: 8\nCPU variant\t: {:#x}\nCPU part\t: {:#05x}\nCPU revision\t: {}\n\n",
                core, cpu.features, midr >> 24, (midr >> 20) & 0xf, (midr >> 4) & 0xfff, midr & 0xf);
        }
    }
    write("proc/cpuinfo", cpuinfo + "Hardware\t: Bitloom emulated device\n");
    write("proc/meminfo", "MemTotal:        7812345 kB\nMemFree:          912345 kB\n");
    const std::array zones = {std::pair{"cpu-0-0-usr", "38500"}, std::pair{"cpu-1-0-usr", "39100"},
                              std::pair{"battery", "30200"}, std::pair{"modem-off", "-273000"}};
    for (std::size_t zone = 0; zone < zones.size(); ++zone) {
        const std::string folder = fmt::format("sys/class/thermal/thermal_zone{}/", zone);
        write(folder + "type", zones[zone].first + std::string("\n"));
        write(folder + "temp", zones[zone].second + std::string("\n"));
    }
}

void Phone::writeAndroidFiles() const {
    write("system/build.prop",
          "ro.product.manufacturer=Bitloom\nro.product.model=Emulated phone\nro.product.name=emulated\n"
          "ro.product.device=emulated\nro.product.cpu.abi=arm64-v8a\nro.product.cpu.abilist=arm64-v8a\n"
          "ro.build.version.release=13\nro.build.version.sdk=33\nro.kernel.qemu=1\nro.bitloom.emulated=1\n");
    write("system/battery",
          "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n  level: 85\n  scale: "
          "100\n"
          "  voltage: 4123\n  temperature: 302\n  technology: Li-ion\n");
    for (const auto& [name, text] : {std::pair{"getprop", kGetprop}, std::pair{"dumpsys", kDumpsys}}) {
        write(std::string("system/bin/") + name, text);
        fs::permissions(m_root / "system/bin" / name, fs::perms::owner_all);
    }
}

std::string Phone::banner() const {
    const char* features = m_fault == Fault::NoExitStatus ? "cmd" : "shell_v2,cmd";
    return fmt::format(
        "device::ro.product.name=emulated;ro.product.model=Emulated "
        "phone;ro.product.device=emulated;features={}",
        features);
}

std::optional<fs::path> Phone::map(std::string_view path) const {
    const fs::path absolute(path);
    if (!absolute.is_absolute() || std::ranges::find(absolute, fs::path("..")) != absolute.end())
        return std::nullopt;
    return m_root / absolute.relative_path();
}

std::string Phone::mapCommand(std::string_view command) const {
    std::string mapped;
    for (std::size_t at = 0; at < command.size(); ++at) {
        const bool isPath =
            startsWord(command, at) && std::ranges::any_of(kPhonePaths, [&](const char* path) {
                return command.substr(at).starts_with(path);
            });
        if (isPath) mapped += m_root.string();
        mapped += command[at];
    }
    return mapped;
}

std::vector<std::string> Phone::environment() const {
    return {fmt::format("PATH={}:/usr/bin:/bin", (m_root / "system/bin").string()),
            "HOME=/",
            fmt::format("TMPDIR={}", (m_root / "data/local/tmp").string()),
            std::string("LD_PRELOAD=") + BITLOOM_EMULATED_EXEC,
            std::string("BITLOOM_EMULATED_QEMU=") + BITLOOM_QEMU_AARCH64,
            "BITLOOM_EMULATED_ROOT=" + m_root.string(),
            "BITLOOM_EMULATED_CPU=" + m_cpu};
}

int Phone::programsStarted() const {
    std::error_code code;
    const auto size = fs::file_size(m_root / "programs-started", code);
    return code ? 0 : static_cast<int>(size);
}

void Phone::updateTemperatures() {
    if (m_fault != Fault::Heat) return;
    const int programs = programsStarted();
    for (int zone = 0; zone < 2; ++zone) {
        const int celsius = std::min(95, 38 + 9 * programs);
        write(fmt::format("sys/class/thermal/thermal_zone{}/temp", zone), fmt::format("{}000\n", celsius));
    }
    for (const CoreGroup& group : kCores) {
        for (int core = group.first; core < group.first + group.count; ++core) {
            write(fmt::format("sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", core),
                  fmt::format("{}\n", group.kilohertz * std::max(40, 100 - 8 * programs) / 100));
        }
    }
}

void Phone::addGroup(pid_t group) {
    const MutexLock lock(m_mutex);
    std::erase_if(m_groups, [](pid_t old) { return ::kill(-old, 0) != 0; });
    m_groups.insert(group);
}

void Phone::killGroups() {
    const MutexLock lock(m_mutex);
    for (const pid_t group : m_groups)
        ::kill(-group, SIGKILL);
    m_groups.clear();
}

void Phone::vanish() {
    killGroups();
    ::_exit(9);
}

}  // namespace bitloom::testing
