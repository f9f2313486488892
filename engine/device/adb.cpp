#include "engine/device/adb.h"

#include <array>
#include <cstdlib>
#include <random>
#include <utility>

#include "engine/base/hash.h"
#include "engine/base/random.h"
#include "engine/device/lines.h"

namespace bitloom::device {
namespace {

constexpr std::string_view kUsable = "device";

/// A line that no program prints by chance, nor a device on purpose.
std::string newExitMark() {
    std::random_device source;
    Random random({source(), source()});
    return "bitloom-exit-" + hashText(random.next());
}

Error noAdb(const std::string& place) {
    return {ErrorKind::NoDevice,
            fmt::format("adb: {}; install it (Debian: apt install adb) or name it in BITLOOM_ADB", place)};
}

/// adb complains that there is no such device, whatever else it was to do.
bool saysDeviceIsGone(std::string_view words) {
    return words.find("not found") != std::string_view::npos &&
           words.find("device '") != std::string_view::npos;
}

/// What helps against a reason that the device gave.
const char* remedyOf(std::string_view words) {
    if (words.find("No space left") != std::string_view::npos)
        return "; free some space on the device (its /data) and run again";
    if (words.find("Read-only file system") != std::string_view::npos ||
        words.find("Permission denied") != std::string_view::npos)
        return "; the device lets adb write nothing in /data/local/tmp";
    return "";
}

}  // namespace

Adb::Adb(std::filesystem::path program, std::chrono::milliseconds answerTimeout)
    : m_program(std::move(program)), m_answerTimeout(answerTimeout) {}

Result<Adb> Adb::find(std::chrono::milliseconds answerTimeout) {
    const char* variable = std::getenv("BITLOOM_ADB");
    const std::string wanted = variable == nullptr || *variable == '\0' ? "adb" : variable;
    const auto program = findProgram(wanted);
    if (!program)
        return noAdb(wanted == "adb" ? "not in PATH" : wanted + " (from BITLOOM_ADB) is no program");
    return Adb(*program, answerTimeout);
}

Result<std::vector<ListedDevice>> Adb::devices(const JobControl& control) const {
    Command command{.arguments = {m_program.string(), "devices", "-l"}, .timeout = m_answerTimeout};
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome outcome, runCommand(command, control));
    if (outcome.exitCode != 0) {
        return Error{ErrorKind::NoDevice,
                     fmt::format("adb devices: {}; try `adb kill-server`", lastWords(outcome))};
    }
    return parseDeviceList(outcome.out);
}

Status Adb::call(const std::string& serial, const std::vector<std::string>& arguments, std::string_view doing,
                 std::chrono::milliseconds timeout, const JobControl& control) const {
    BITLOOM_ASSIGN_OR_RETURN(const CommandOutcome outcome, run(serial, arguments, doing, timeout, control));
    if (outcome.exitCode != 0) return explainFailure(serial, doing, outcome, control);
    return {};
}

Result<CommandOutcome> Adb::shell(const std::string& serial, std::string_view script, std::string_view doing,
                                  std::chrono::milliseconds timeout, const JobControl& control) const {
    const std::string mark = newExitMark();
    BITLOOM_ASSIGN_OR_RETURN(CommandOutcome outcome,
                             run(serial, {"shell", withExitMark(script, mark)}, doing, timeout, control));
    std::optional<MarkedOutput> marked = splitAtExitMark(outcome.out, mark);
    if (!marked && outcome.truncated) return fail("{}: {}: more output than fits into memory", serial, doing);
    if (!marked) return explainFailure(serial, doing, outcome, control);
    outcome.out = std::move(marked->out);
    outcome.exitCode = marked->exitCode;
    return outcome;
}

Result<CommandOutcome> Adb::run(const std::string& serial, std::vector<std::string> arguments,
                                std::string_view doing, std::chrono::milliseconds timeout,
                                const JobControl& control) const {
    const std::array<std::string, 3> start = {m_program.string(), "-s", serial};
    arguments.insert(arguments.begin(), start.begin(), start.end());
    return runCommand({.arguments = std::move(arguments),
                       .timeout = timeout,
                       .label = fmt::format("{}: {}", serial, doing)},
                      control);
}

Error Adb::explainFailure(const std::string& serial, std::string_view doing, const CommandOutcome& outcome,
                          const JobControl& control) const {
    const std::string words =
        lastWords({outcome.exitCode, outcome.out, withoutServerNotes(outcome.err), outcome.truncated});
    std::string state = saysDeviceIsGone(words) ? "not connected" : std::string(kUsable);
    if (state == kUsable) {
        // The server answers this without asking the device.
        const auto asked = run(serial, {"get-state"}, "asking for its state", m_answerTimeout, control);
        if (!asked && asked.error().kind == ErrorKind::Cancelled) return asked.error();
        if (asked) state = trimmed(asked->exitCode == 0 ? asked->out : asked->err);
    }
    if (state == kUsable) {
        return fail("{}: {}: {}{}", serial, doing,
                    words.empty() ? "the connection or the device's shell ended before it was done" : words,
                    remedyOf(words));
    }
    return {ErrorKind::NoDevice, fmt::format("{}: {}: the device is gone ({}); connect it again and repeat",
                                             serial, doing, words.empty() ? state : words)};
}

std::string problemOfState(std::string_view state) {
    if (state == kUsable) return {};
    if (state == "unauthorized")
        return "unauthorized: unlock the phone, accept the prompt \"Allow USB debugging\", and run again";
    if (state == "authorizing" || state == "connecting")
        return "still connecting: wait a moment and run again";
    if (state == "offline") return "offline: unplug it and plug it in again, or restart it";
    if (state.starts_with("no permissions"))
        return "no permission to use it over USB: install android-sdk-platform-tools-common, join group "
               "plugdev";
    return fmt::format("in state '{}': start it into Android with USB debugging on", state);
}

}  // namespace bitloom::device
