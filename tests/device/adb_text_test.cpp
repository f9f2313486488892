#include "engine/device/adb_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/device/command.h"
#include "tests/device/processes.h"

namespace bitloom::device {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kNever;
using ::testing::Pair;

std::string shellOutput(const std::string& script) {
    const auto outcome = runCommand({.arguments = {"sh", "-c", script}}, kNever);
    return outcome ? outcome->out : outcome.error().message;
}

const std::vector<std::string>& hostileWords() {
    static const std::vector<std::string> words = {"plain",
                                                   "",
                                                   " ",
                                                   "a b",
                                                   "'",
                                                   "''",
                                                   "it's",
                                                   "\"",
                                                   "\\",
                                                   "$HOME",
                                                   "$(touch x)",
                                                   "`id`",
                                                   "*",
                                                   "?",
                                                   "~",
                                                   "#",
                                                   ";reboot",
                                                   "&& reboot",
                                                   "| cat",
                                                   "> file",
                                                   "a\nb",
                                                   "\n",
                                                   "\t",
                                                   "!",
                                                   "-rf",
                                                   "--",
                                                   "größe 測試",
                                                   "\x01\x7f\xff",
                                                   "'; reboot; '",
                                                   "{a,b}",
                                                   "%s"};
    return words;
}

TEST(ShellQuoted, ARealShellGivesEveryWordBack) {
    for (const std::string& word : hostileWords())
        EXPECT_EQ(shellOutput("printf '%s|' " + shellQuoted(word)), word + "|");
}

TEST(ShellQuoted, ALineOfWordsStaysThatManyWords) {
    std::string expected;
    for (const std::string& word : hostileWords())
        expected += word + "|";
    EXPECT_EQ(shellOutput("printf '%s|' " + shellQuotedLine(hostileWords())), expected);
    EXPECT_EQ(shellQuotedLine({}), "");
}

TEST(Serial, OnlyWhatDevicesHave) {
    for (const char* serial :
         {"0123456789ABCDEF", "emulator-5554", "192.168.1.17:5555", "[fe80::1%wlan0]:5555",
          "adb-R58M123-aBcDeF._adb-tls-connect._tcp", "R58M+12@x"}) {
        EXPECT_TRUE(isValidSerial(serial)) << serial;
    }
    for (const char* serial : {"", "-s", "--help", "a b", "a;reboot", "$(reboot)", "`id`", "a'b", "a\"b",
                               "a\nb", "a|b", "a&b", "a/b", "größe", "a\\b", "a*"}) {
        EXPECT_FALSE(isValidSerial(serial)) << serial;
    }
    EXPECT_FALSE(isValidSerial(std::string(200, 'a')));
    EXPECT_FALSE(isValidSerial(std::string_view("a\0b", 3)));
}

TEST(ExitMark, CarriesOutputAndExitCodeThroughAShell) {
    const struct {
        std::string script;
        std::string out;
        int exitCode;
    } cases[] = {{"echo hello", "hello\n", 0},
                 {"printf 'no line end'; exit 17", "no line end", 17},
                 {"true", "", 0},
                 {"false", "", 1},
                 {"printf 'MARK 5\\n'; (exit 3)", "MARK 5\n", 3},
                 {"printf '\\r\\n'", "\r\n", 0},
                 {"no-such-program-of-bitloom 2>/dev/null", "", 127}};
    for (const auto& [script, out, exitCode] : cases) {
        const auto split = splitAtExitMark(shellOutput(withExitMark(script, "MARK")), "MARK");
        ASSERT_TRUE(split) << script;
        EXPECT_EQ(split->out, out) << script;
        EXPECT_EQ(split->exitCode, exitCode) << script;
    }
}

TEST(ExitMark, LineEndsOfATerminalAreUndone) {
    const auto split = splitAtExitMark("one\r\ntwo\r\r\n\r\nMARK 4\r\n", "MARK");
    ASSERT_TRUE(split);
    EXPECT_EQ(split->out, "one\ntwo\r\n");
    EXPECT_EQ(split->exitCode, 4);
}

TEST(ExitMark, WhatIsCutHasNone) {
    for (const char* output : {"", "text", "text\n", "text\nMAR", "text\nMARK", "text\nMARK ", "text\nMARK 0",
                               "text\nMARK 0\r", "text\nMARK x\n", "textMARK 0\n", "MARK 0\n"}) {
        EXPECT_FALSE(splitAtExitMark(output, "MARK")) << output;
    }
}

TEST(DeviceList, ReadsEveryStateThatAdbPrints) {
    const auto devices = parseDeviceList(
        "* daemon not running; starting now at tcp:5037\n"
        "* daemon started successfully\n"
        "List of devices attached\n"
        "21061FDF6001LX         device usb:1-4 product:oriole model:Pixel_6 device:oriole transport_id:3\n"
        "R58M123456A            unauthorized usb:1-2 transport_id:4\n"
        "192.168.1.17:5555      offline transport_id:9\r\n"
        "0123456789ABCDEF       no permissions (user in plugdev group; are your udev rules wrong?); see "
        "[http://developer.android.com/tools/device.html] usb:2-1 transport_id:5\n"
        "(no serial number)     device usb:1-1 transport_id:6\n"
        "\n");
    ASSERT_EQ(devices.size(), 5u);
    EXPECT_EQ(devices[0].serial, "21061FDF6001LX");
    EXPECT_EQ(devices[0].state, "device");
    EXPECT_THAT(devices[0].details,
                ElementsAre(Pair("device", "oriole"), Pair("model", "Pixel_6"), Pair("product", "oriole"),
                            Pair("transport_id", "3"), Pair("usb", "1-4")));
    EXPECT_EQ(devices[1].serial, "R58M123456A");
    EXPECT_EQ(devices[1].state, "unauthorized");
    EXPECT_EQ(devices[2].serial, "192.168.1.17:5555");
    EXPECT_EQ(devices[2].state, "offline");
    EXPECT_EQ(devices[3].state,
              "no permissions (user in plugdev group; are your udev rules wrong?); see "
              "[http://developer.android.com/tools/device.html]");
    EXPECT_EQ(devices[4].serial, "(no serial number)");
    EXPECT_EQ(devices[4].state, "device");
}

TEST(DeviceList, OtherTextIsNoDevice) {
    EXPECT_THAT(parseDeviceList(""), IsEmpty());
    EXPECT_THAT(parseDeviceList("List of devices attached\n\n"), IsEmpty());
    EXPECT_THAT(parseDeviceList("lonely\n"), IsEmpty());
    EXPECT_THAT(parseDeviceList("serial usb:1-4\n"), IsEmpty());
}

TEST(Properties, ReadsNamesAndValues) {
    const auto properties = parseProperties(
        "[ro.product.model]: [Pixel 6]\r\n"
        "[empty]: []\n"
        "[two.lines]: [first\nsecond]\n"
        "[brackets]: [a[0]: [x]]\n"
        "garbage\n"
        "[ro.build.version.sdk]: [33]\n"
        "[cut]: [no end");
    EXPECT_THAT(properties,
                ElementsAre(Pair("brackets", "a[0]: [x]"), Pair("cut", "no end"), Pair("empty", ""),
                            Pair("ro.build.version.sdk", "33"), Pair("ro.product.model", "Pixel 6"),
                            Pair("two.lines", "first\nsecond")));
    EXPECT_THAT(parseProperties(""), IsEmpty());
}

TEST(ServerNotes, AreLeftOut) {
    EXPECT_EQ(
        withoutServerNotes("* daemon not running; starting now at tcp:5037\n* daemon started successfully\n"
                           "error: device offline\n"),
        "error: device offline");
}

}  // namespace
}  // namespace bitloom::device
