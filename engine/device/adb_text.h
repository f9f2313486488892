// What is said to adb and what it answers, as text: quoting for the device's shell, exit codes behind a
// sentinel line, lists of devices, properties. Pure functions, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::device {

/// `text`, without NUL bytes, as one word for a POSIX shell: quoted so that nothing in it is interpreted.
[[nodiscard]] std::string shellQuoted(std::string_view text);

/// The words as one command line, each quoted.
[[nodiscard]] std::string shellQuotedLine(const std::vector<std::string>& words);

/// Whether a serial is one that adb devices have: 1 to 128 letters, digits and ._:@%+[]- , not starting with
/// '-' (adb would read an option).
[[nodiscard]] bool isValidSerial(std::string_view serial);

/// `script` in a subshell, followed by a line of its own with `mark` and the exit code. Daemons before
/// Android 7 carry none themselves; and a missing mark tells a cut connection from a program that ended.
[[nodiscard]] std::string withExitMark(std::string_view script, std::string_view mark);

struct MarkedOutput {
    std::string out;  ///< what stood before the mark; line ends as the program wrote them
    int exitCode = 0;
};
/// Undoes withExitMark. Where the mark came through a terminal (old daemons), so did everything: then
/// "\r\n" becomes "\n" again. Nothing when there is no mark.
[[nodiscard]] std::optional<MarkedOutput> splitAtExitMark(std::string_view output, std::string_view mark);

struct ListedDevice {
    std::string serial;
    std::string state;  ///< adb's word or words: "device", "unauthorized", "no permissions (...)"
    std::map<std::string, std::string, std::less<>> details;  ///< model, product, transport_id ...
};
/// The output of `adb devices -l`. Lines of another shape are left out.
[[nodiscard]] std::vector<ListedDevice> parseDeviceList(std::string_view text);

using Properties = std::map<std::string, std::string, std::less<>>;
/// The output of `getprop`: "[name]: [value]", values may run over several lines.
[[nodiscard]] Properties parseProperties(std::string_view text);

/// What adb itself said, without the notes about starting its server.
[[nodiscard]] std::string withoutServerNotes(std::string_view text);

}  // namespace bitloom::device
