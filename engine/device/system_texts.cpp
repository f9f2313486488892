#include "engine/device/system_texts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/device/adb_text.h"
#include "engine/device/lines.h"

namespace bitloom::device {
namespace {

constexpr std::string_view kSectionStart = "@@ ";

std::optional<std::int64_t> integer(std::string_view text, int base = 10) {
    text = trimmed(text);
    if (base == 16 && (text.starts_with("0x") || text.starts_with("0X"))) text.remove_prefix(2);
    std::uint64_t value = 0;
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (failed != std::errc() || end == text.data() || value > (std::uint64_t{1} << 62)) return std::nullopt;
    const auto number = static_cast<std::int64_t>(value);
    return negative ? -number : number;
}

double number(std::string_view text) {
    text = trimmed(text);
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed != std::errc() || end == text.data() ? report::kNoValue : value;
}

std::string_view textOf(const SystemTexts& texts, std::string_view name) {
    const auto found = texts.find(name);
    return found == texts.end() ? std::string_view() : trimmed(found->second);
}

/// The index in "cpu7/cpufreq/..." or "thermal_zone12/temp"; nothing for other names.
std::optional<int> indexAfter(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return std::nullopt;
    name = name.substr(prefix.size());
    const std::size_t slash = name.find('/');
    if (slash == 0 || slash == std::string_view::npos || slash > 4) return std::nullopt;
    if (!std::ranges::all_of(name.substr(0, slash), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    return static_cast<int>(*integer(name.substr(0, slash)));
}

std::set<int> indicesAfter(const SystemTexts& texts, std::string_view prefix) {
    std::set<int> indices;
    for (const auto& [name, text] : texts) {
        if (const std::optional<int> index = indexAfter(name, prefix)) indices.insert(*index);
    }
    return indices;
}

using Fields = std::map<std::string, std::string, std::less<>>;

/// "name : value" lines of one "processor" block each. What stands before the first or, as "Hardware" does,
/// after the last block belongs to no processor.
std::map<int, Fields> processorsOf(std::string_view cpuinfo) {
    std::map<int, Fields> processors;
    Fields* current = nullptr;
    for (const std::string_view line : splitLines(cpuinfo)) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            current = nullptr;
            continue;
        }
        const std::string_view name = trimmed(line.substr(0, colon));
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (name == "processor") {
            const std::optional<std::int64_t> index = integer(value);
            current = index && *index >= 0 && *index < 4096 ? &processors[static_cast<int>(*index)] : nullptr;
        } else if (current != nullptr) {
            (*current)[std::string(name)] = value;
        }
    }
    return processors;
}

std::string_view fieldOf(const Fields& fields, std::string_view name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::uint64_t> midrOf(const Fields& fields) {
    const auto implementer = integer(fieldOf(fields, "CPU implementer"), 16);
    const auto part = integer(fieldOf(fields, "CPU part"), 16);
    if (!implementer || !part) return std::nullopt;
    const auto variant = integer(fieldOf(fields, "CPU variant"), 16).value_or(0);
    const auto revision = integer(fieldOf(fields, "CPU revision")).value_or(0);
    // Architecture 0xf: described by the ID registers, as on every 64-bit core.
    return static_cast<std::uint64_t>((*implementer << 24) | (variant << 20) | (0xf << 16) | (*part << 4) |
                                      revision);
}

std::string describePart(std::uint64_t midr) {
    return partName(midr).value_or(fmt::format("{:#010x}", midr));
}

std::string partOf(const SystemTexts& texts, int core, const Fields& fields) {
    const auto midr = integer(textOf(texts, fmt::format("cpu{}/regs/identification/midr_el1", core)), 16);
    if (midr && *midr > 0) return describePart(static_cast<std::uint64_t>(*midr));
    if (const std::optional<std::uint64_t> told = midrOf(fields)) return describePart(*told);
    return std::string(fieldOf(fields, "model name"));
}

/// kHz of a cpufreq file in MHz; NaN for nothing and for the 0 of cores that sleep.
double megahertz(std::string_view kilohertz) {
    const double value = number(kilohertz);
    return value > 0 ? value / 1000 : report::kNoValue;
}

/// Tenths of a degree, as both of Android's battery sources say.
double tenths(std::string_view text) {
    return number(text) / 10;
}

/// The value behind "  level: 85" in the output of `dumpsys battery`.
std::string_view dumpsysField(std::string_view text, std::string_view name) {
    for (const std::string_view line : splitLines(text)) {
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && trimmed(line.substr(0, colon)) == name)
            return trimmed(line.substr(colon + 1));
    }
    return {};
}

/// The first number of a list of cores such as "0,4" or "0-1", which the kernel sorts; -1 for no list.
int firstOfList(std::string_view list) {
    const auto first = integer(list);
    return first && *first >= 0 && *first < 4096 ? static_cast<int>(*first) : -1;
}

std::string propertyOf(const Properties& properties, std::string_view name) {
    const auto found = properties.find(name);
    return found == properties.end() ? std::string() : found->second;
}

}  // namespace

SystemTexts parseSections(std::string_view output) {
    SystemTexts texts;
    std::string* current = nullptr;
    for (const std::string_view line : splitLines(output)) {
        if (line.starts_with(kSectionStart)) {
            current = &texts[std::string(line.substr(kSectionStart.size()))];
            current->clear();
        } else if (current != nullptr) {
            *current += line;
            *current += '\n';
        }
    }
    return texts;
}

std::vector<report::CpuCore> parseCores(const SystemTexts& texts) {
    const std::map<int, Fields> processors = processorsOf(textOf(texts, "cpuinfo"));
    std::set<int> indices = indicesAfter(texts, "cpu");
    for (const auto& [index, fields] : processors)
        indices.insert(index);
    std::vector<report::CpuCore> cores;
    for (const int index : indices) {
        const auto fields = processors.find(index);
        const std::string folder = fmt::format("cpu{}/", index);
        const auto capacity = integer(textOf(texts, folder + "cpu_capacity"));
        report::CpuCore core;
        core.index = index;
        core.capacity = capacity && *capacity > 0 && *capacity <= 1024 ? static_cast<int>(*capacity) : -1;
        core.part = partOf(texts, index, fields == processors.end() ? Fields() : fields->second);
        core.maxMHz = megahertz(textOf(texts, folder + "cpufreq/cpuinfo_max_freq"));
        core.governor = textOf(texts, folder + "cpufreq/scaling_governor");
        core.firstSibling = firstOfList(textOf(texts, folder + "topology/thread_siblings_list"));
        cores.push_back(core);
    }
    return cores;
}

std::vector<std::string> parseFeatures(std::string_view cpuinfo) {
    std::optional<std::set<std::string>> common;
    for (const auto& [index, fields] : processorsOf(cpuinfo)) {
        const std::string_view arm = fieldOf(fields, "Features");
        const std::vector<std::string_view> words = splitWords(arm.empty() ? fieldOf(fields, "flags") : arm);
        const std::set<std::string> here(words.begin(), words.end());
        if (!common) {
            common = here;
        } else {
            std::erase_if(*common, [&](const std::string& feature) { return !here.contains(feature); });
        }
    }
    if (!common) return {};
    return {common->begin(), common->end()};
}

std::optional<std::string> partName(std::uint64_t midr) {
    // Implementer and part, from the cores' technical reference manuals.
    constexpr std::array kParts = {
        std::pair{0x41d03, "cortex-a53"},    std::pair{0x41d04, "cortex-a35"},
        std::pair{0x41d05, "cortex-a55"},    std::pair{0x41d07, "cortex-a57"},
        std::pair{0x41d08, "cortex-a72"},    std::pair{0x41d09, "cortex-a73"},
        std::pair{0x41d0a, "cortex-a75"},    std::pair{0x41d0b, "cortex-a76"},
        std::pair{0x41d0c, "neoverse-n1"},   std::pair{0x41d0d, "cortex-a77"},
        std::pair{0x41d40, "neoverse-v1"},   std::pair{0x41d41, "cortex-a78"},
        std::pair{0x41d44, "cortex-x1"},     std::pair{0x41d46, "cortex-a510"},
        std::pair{0x41d47, "cortex-a710"},   std::pair{0x41d48, "cortex-x2"},
        std::pair{0x41d49, "neoverse-n2"},   std::pair{0x41d4b, "cortex-a78c"},
        std::pair{0x41d4d, "cortex-a715"},   std::pair{0x41d4e, "cortex-x3"},
        std::pair{0x41d4f, "neoverse-v2"},   std::pair{0x41d80, "cortex-a520"},
        std::pair{0x41d81, "cortex-a720"},   std::pair{0x41d82, "cortex-x4"},
        std::pair{0x51800, "kryo-2xx-gold"}, std::pair{0x51801, "kryo-2xx-silver"},
        std::pair{0x51802, "kryo-3xx-gold"}, std::pair{0x51803, "kryo-3xx-silver"},
        std::pair{0x51804, "kryo-4xx-gold"}, std::pair{0x51805, "kryo-4xx-silver"},
    };
    const auto key = static_cast<int>(((midr >> 12) & 0xff000) | ((midr >> 4) & 0xfff));
    const auto* found = std::ranges::find(kParts, key, [](const auto& part) { return part.first; });
    return found == kParts.end() ? std::nullopt : std::optional<std::string>(found->second);
}

std::int64_t parseMemory(std::string_view meminfo) {
    for (const std::string_view line : splitLines(meminfo)) {
        constexpr std::string_view kName = "MemTotal:";
        if (!line.starts_with(kName)) continue;
        const auto kibibytes = integer(line.substr(kName.size()));
        return kibibytes && *kibibytes < (std::int64_t{1} << 50) ? *kibibytes * 1024 : -1;
    }
    return -1;
}

double parseTemperature(std::string_view text) {
    constexpr double kMillidegreesFrom = 1000;
    constexpr double kTenthsFrom = 200;
    double celsius = number(text);
    if (std::abs(celsius) >= kMillidegreesFrom) {
        celsius /= 1000;
    } else if (std::abs(celsius) >= kTenthsFrom) {
        celsius /= 10;
    }
    return celsius >= -30 && celsius <= 150 ? celsius : report::kNoValue;
}

report::DeviceConditions parseConditions(const SystemTexts& texts) {
    report::DeviceConditions conditions;
    const std::map<int, Fields> processors = processorsOf(textOf(texts, "cpuinfo"));
    std::set<int> cores = indicesAfter(texts, "cpu");
    for (const auto& [index, fields] : processors)
        cores.insert(index);
    conditions.coreMHz.resize(cores.empty() ? 0 : static_cast<std::size_t>(*cores.rbegin()) + 1,
                              report::kNoValue);
    for (const int core : cores) {
        double clock = megahertz(textOf(texts, fmt::format("cpu{}/cpufreq/scaling_cur_freq", core)));
        // x86 without cpufreq, as in virtual machines, says it in /proc/cpuinfo.
        const auto fields = processors.find(core);
        if (std::isnan(clock) && fields != processors.end())
            clock = number(fieldOf(fields->second, "cpu MHz"));
        conditions.coreMHz[static_cast<std::size_t>(core)] = clock;
    }
    for (const int zone : indicesAfter(texts, "thermal_zone")) {
        const std::string folder = fmt::format("thermal_zone{}/", zone);
        const double celsius = parseTemperature(textOf(texts, folder + "temp"));
        const std::string_view type = textOf(texts, folder + "type");
        if (std::isnan(celsius)) continue;
        conditions.zones.push_back(
            {type.empty() ? fmt::format("zone {}", zone) : std::string(type), celsius});
    }
    const std::string_view dumpsys = textOf(texts, "dumpsys battery");
    conditions.batteryPercent = number(dumpsysField(dumpsys, "level"));
    conditions.batteryCelsius = tenths(dumpsysField(dumpsys, "temperature"));
    if (std::isnan(conditions.batteryPercent))
        conditions.batteryPercent = number(textOf(texts, "battery/capacity"));
    if (std::isnan(conditions.batteryCelsius))
        conditions.batteryCelsius = tenths(textOf(texts, "battery/temp"));
    return conditions;
}

report::DeviceInfo describeAndroid(const SystemTexts& texts) {
    const Properties properties = parseProperties(textOf(texts, "getprop"));
    report::DeviceInfo info;
    info.name = propertyOf(properties, "ro.product.model");
    const std::string maker = propertyOf(properties, "ro.product.manufacturer");
    if (!maker.empty() && !info.name.starts_with(maker)) info.name = maker + " " + info.name;
    info.abi = propertyOf(properties, "ro.product.cpu.abi");
    const std::string release = propertyOf(properties, "ro.build.version.release");
    const std::string level = propertyOf(properties, "ro.build.version.sdk");
    if (!release.empty()) info.os = "Android " + release;
    if (!release.empty() && !level.empty()) info.os += fmt::format(" (API {})", level);
    info.cores = parseCores(texts);
    info.features = parseFeatures(textOf(texts, "cpuinfo"));
    info.memoryBytes = parseMemory(textOf(texts, "meminfo"));
    constexpr std::array kMarksOfEmulation = {"ro.kernel.qemu", "ro.boot.qemu", "ro.bitloom.emulated"};
    info.emulated = std::ranges::any_of(
        kMarksOfEmulation, [&](const char* name) { return propertyOf(properties, name) == "1"; });
    if (info.emulated) info.name += " (emulated)";
    return info;
}

}  // namespace bitloom::device
