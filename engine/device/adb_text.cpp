#include "engine/device/adb_text.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "engine/device/lines.h"

namespace bitloom::device {
namespace {

constexpr std::size_t kLongestSerial = 128;

bool isLetterOrDigit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string withUnixLineEnds(std::string_view text) {
    std::string unixText;
    unixText.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        unixText += text[i];
    }
    return unixText;
}

/// "model:Pixel_6" of the details behind a state. States have no such words, whatever they say in brackets.
bool isDetail(std::string_view word) {
    constexpr std::string_view kKeys[] = {
        "usb:", "product:", "model:", "device:", "features:", "transport_id:"};
    return std::ranges::any_of(kKeys, [&](std::string_view key) { return word.starts_with(key); });
}

std::optional<ListedDevice> parseDevice(std::string_view line) {
    const std::vector<std::string_view> words = splitWords(line);
    if (words.size() < 2 || line.starts_with('*') || line.starts_with("List of devices")) return std::nullopt;
    // adb's stand-in for a device that tells none: four words that must not pass for a serial and a state.
    constexpr std::string_view kNoSerial = "(no serial number)";
    const bool serialless = line.starts_with(kNoSerial);
    ListedDevice device;
    device.serial = serialless ? kNoSerial : words.front();
    for (std::size_t i = serialless ? 3 : 1; i < words.size(); ++i) {
        if (isDetail(words[i])) {
            const std::size_t colon = words[i].find(':');
            device.details.emplace(words[i].substr(0, colon), words[i].substr(colon + 1));
        } else {
            if (!device.state.empty()) device.state += ' ';
            device.state += words[i];
        }
    }
    return device.state.empty() ? std::nullopt : std::optional(device);
}

}  // namespace

std::string shellQuoted(std::string_view text) {
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'') {
            word += "'\\''";
        } else {
            word += c;
        }
    }
    return word + '\'';
}

std::string shellQuotedLine(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
        if (!line.empty()) line += ' ';
        line += shellQuoted(word);
    }
    return line;
}

bool isValidSerial(std::string_view serial) {
    constexpr std::string_view kSigns = "._:@%+[]-";
    return !serial.empty() && serial.size() <= kLongestSerial && serial.front() != '-' &&
           std::ranges::all_of(serial, [&](char c) {
               return isLetterOrDigit(c) || kSigns.find(c) != std::string_view::npos;
           });
}

std::string withExitMark(std::string_view script, std::string_view mark) {
    return fmt::format("(\n{}\n)\ncode=$?\necho\necho {} $code", script, mark);
}

std::optional<MarkedOutput> splitAtExitMark(std::string_view output, std::string_view mark) {
    const std::size_t at = output.rfind(mark);
    if (at == std::string_view::npos || at == 0 || output[at - 1] != '\n') return std::nullopt;
    std::string_view rest = output.substr(at + mark.size());
    if (!rest.starts_with(' ')) return std::nullopt;
    rest.remove_prefix(1);
    MarkedOutput result;
    const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), result.exitCode);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (failed != std::errc() || rest.empty()) return std::nullopt;
    const bool terminal = rest.starts_with("\r\n");
    if (!terminal && !rest.starts_with('\n')) return std::nullopt;
    const std::string_view before = output.substr(0, at);
    result.out = terminal ? withUnixLineEnds(before) : std::string(before);
    result.out.pop_back();  // the line end that `echo` put before the mark
    return result;
}

std::vector<ListedDevice> parseDeviceList(std::string_view text) {
    std::vector<ListedDevice> devices;
    for (const std::string_view line : splitLines(text)) {
        if (const std::optional<ListedDevice> device = parseDevice(line)) devices.push_back(*device);
    }
    return devices;
}

Properties parseProperties(std::string_view text) {
    Properties properties;
    std::string* open = nullptr;
    for (std::string_view line : splitLines(text)) {
        if (open == nullptr) {
            const std::size_t middle = line.find("]: [");
            if (!line.starts_with('[') || middle == std::string_view::npos) continue;
            open = &properties[std::string(line.substr(1, middle - 1))];
            open->clear();
            line.remove_prefix(middle + 4);
        } else {
            *open += '\n';
        }
        const bool ends = line.ends_with(']');
        *open += ends ? line.substr(0, line.size() - 1) : line;
        if (ends) open = nullptr;
    }
    return properties;
}

std::string withoutServerNotes(std::string_view text) {
    std::string kept;
    for (const std::string_view line : splitLines(text)) {
        if (line.starts_with("* daemon")) continue;
        if (!kept.empty()) kept += '\n';
        kept += line;
    }
    return kept;
}

}  // namespace bitloom::device
