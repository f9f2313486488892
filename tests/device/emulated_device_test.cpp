// The emulated device where the other tests do not go: what adb itself can do with a phone that our code does
// not ask for, so that a person may use any of adb's commands on it.
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/base/atomic_file.h"
#include "engine/device/command.h"
#include "tests/device/phone_fixture.h"

namespace bitloom::device {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing::kNever;
using ::testing::Not;
using testing::waitUntil;

class EmulatedDevice : public testing::PhoneTest {
  protected:
    /// `adb -s SERIAL ARGUMENTS...`
    static CommandOutcome adb(const testing::EmulatedPhone& phone, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {std::getenv("BITLOOM_ADB"), "-s", phone.serial()});
        const auto outcome = runCommand({.arguments = std::move(arguments), .timeout = kLong}, kNever);
        EXPECT_TRUE(outcome.ok()) << outcome.error().message;
        return outcome.ok() ? *outcome : CommandOutcome{};
    }
    static std::string stateOf(const testing::EmulatedPhone& phone) {
        const auto list = listDevices(kNever, kLong);
        for (const report::DeviceInfo& device : list->devices)
            if (device.id == phone.serial()) return device.state;
        return "not listed";
    }
};

TEST_F(EmulatedDevice, ExecCarriesBytesAsTheyAre) {
    const auto phone = connectPhone();
    std::string bytes;
    for (int i = 0; i < 100'000; ++i)
        bytes += static_cast<char>(i % 256);
    std::ofstream(phone->at("/data/local/tmp/bytes"), std::ios::binary) << bytes;
    const CommandOutcome out = adb(*phone, {"exec-out", "cat /data/local/tmp/bytes; echo to err >&2"});
    EXPECT_TRUE(out.out == bytes + "to err\n") << out.out.size();
}

TEST_F(EmulatedDevice, ListsFoldersAndPullsThemWhole) {
    const auto phone = connectPhone();
    const fs::path folder = phone->at("/data/local/tmp/folder");
    fs::create_directories(folder / "inner");
    std::ofstream(folder / "größe 測試") << std::string(1000, 'x');
    std::ofstream(folder / "inner/empty") << "";
    fs::permissions(folder / "größe 測試", fs::perms::owner_read | fs::perms::owner_write);
    const std::string listed = adb(*phone, {"ls", "/data/local/tmp/folder"}).out;
    EXPECT_THAT(listed, AllOf(HasSubstr("00008180 000003e8"), HasSubstr("größe 測試\n"),
                              ContainsRegex("00004[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ inner\n")));
    EXPECT_THAT(listed, Not(HasSubstr("empty"))) << "one level";
    EXPECT_EQ(adb(*phone, {"ls", "/data/local/tmp/nothing"}).out, "");

    const CommandOutcome pulled =
        adb(*phone, {"pull", "/data/local/tmp/folder", (m_folder / "copy").string()});
    EXPECT_EQ(pulled.exitCode, 0) << pulled.err;
    EXPECT_EQ(*readFile(m_folder / "copy/größe 測試"), std::string(1000, 'x'));
    EXPECT_TRUE(fs::exists(m_folder / "copy/inner/empty"));
}

TEST_F(EmulatedDevice, AKeyThatIsAcceptedOpensThePhoneNowAndLater) {
    const testing::EmulatedPhone phone("asks-for-key");
    (void)m_server->connect(phone.serial());  // says what it finds before the answer to the prompt
    EXPECT_TRUE(waitUntil([&] { return stateOf(phone) == "device"; })) << stateOf(phone);
    const auto device = openDevice(phone.serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    EXPECT_EQ((*device)->info().abi, "arm64-v8a");
    EXPECT_TRUE((*device)->close().ok());

    EXPECT_EQ(adb(phone, {"disconnect", phone.serial()}).exitCode, 0);
    EXPECT_EQ(stateOf(phone), "not listed");
    connect(phone);
    EXPECT_EQ(stateOf(phone), "device") << "by its signature alone";
}

}  // namespace
}  // namespace bitloom::device
