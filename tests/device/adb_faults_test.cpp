// The real adb against phones that fail, one way each: the error says what happened and what helps, and
// nothing stays behind where that can be helped.
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "engine/base/atomic_file.h"
#include "engine/device/adb.h"
#include "tests/device/phone_fixture.h"
#include "tests/device/processes.h"

namespace bitloom::device {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::isRunning;
using testing::kNever;
using testing::pidIn;
using testing::waitUntil;

/// For phones that never answer.
constexpr std::chrono::milliseconds kShort = std::chrono::milliseconds(1500);

class AdbFaults : public testing::PhoneTest {};

TEST_F(AdbFaults, Unauthorized) {
    const testing::EmulatedPhone phone("unauthorized");
    EXPECT_THAT(m_server->connect(phone.serial()), HasSubstr("failed to authenticate"));
    const auto device = openDevice(phone.serial(), kNever, kLong);
    ASSERT_FALSE(device.ok());
    EXPECT_EQ(device.error().kind, ErrorKind::NoDevice);
    EXPECT_THAT(device.error().message, AllOf(HasSubstr(phone.serial()), HasSubstr("accept the prompt")));
    const auto list = listDevices(kNever, kLong);
    ASSERT_TRUE(list.ok()) << list.error().message;
    ASSERT_EQ(list->devices.size(), 2u);
    EXPECT_EQ(list->devices[1].state, "unauthorized");
    EXPECT_THAT(list->devices[1].problem, HasSubstr("accept the prompt"));
}

TEST_F(AdbFaults, ADaemonWithoutExitStatus) {
    const auto phone = connectPhone("no-exit-status");
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_EQ(device->info().abi, "arm64-v8a");
    const auto outcome = device->run({"program", "streams"}, kLong, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->exitCode, 7);
    EXPECT_THAT(outcome->out, AllOf(HasSubstr("to out\n"), HasSubstr("to err\n")));
    ASSERT_TRUE(device->run({"program", "write", "result", "text"}, kLong, kNever).ok());
    ASSERT_TRUE(device->fetch("result", m_folder / "copy", kNever).ok());
    EXPECT_EQ(*readFile(m_folder / "copy"), "text");
    EXPECT_TRUE(device->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbFaults, HangWhenOpened) {
    const auto phone = connectPhone("hang");
    const auto device = openDevice(phone->serial(), kNever, kShort);
    ASSERT_FALSE(device.ok());
    EXPECT_THAT(device.error().message, AllOf(HasSubstr(phone->serial()), HasSubstr("not done after 1.5 s")));
    const auto list = listDevices(kNever, kShort);
    ASSERT_TRUE(list.ok()) << list.error().message;
    ASSERT_EQ(list->devices.size(), 2u);
    EXPECT_THAT(list->devices[1].problem, HasSubstr("not done after 1.5 s"));
}

TEST_F(AdbFaults, HangInARun) {
    const auto phone = connectPhone();
    auto opened = openDevice(phone->serial(), kNever, seconds(3));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    ASSERT_TRUE((*opened)->put(BITLOOM_PHONE_PROGRAM, "program", kNever).ok());
    const fs::path pidFile = jobFolder(*phone) / "pid";
    JobControl control;
    std::jthread freezer([&] {
        waitUntil([&] { return fs::exists(pidFile); });
        phone->freeze();
        control.stop();
    });
    const auto started = std::chrono::steady_clock::now();
    const auto outcome = (*opened)->run({"program", "wait"}, kLong, control);
    freezer.join();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Cancelled);
    const Status closed = (*opened)->close();
    ASSERT_FALSE(closed.ok());
    EXPECT_THAT(closed.error().message, HasSubstr("cleaning up: not done after"));
    opened->reset();
    EXPECT_LT(std::chrono::steady_clock::now() - started, seconds(20));
}

TEST_F(AdbFaults, AFrozenPhoneInARunIsLeftAfterTheRunsTimeLimit) {
    const auto phone = connectPhone();
    auto opened = openDevice(phone->serial(), kNever, kShort);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    ASSERT_TRUE((*opened)->put(BITLOOM_PHONE_PROGRAM, "program", kNever).ok());
    const fs::path pidFile = jobFolder(*phone) / "pid";
    std::jthread freezer([&] {
        waitUntil([&] { return fs::exists(pidFile); });
        phone->freeze();
    });
    const auto started = std::chrono::steady_clock::now();
    const auto outcome = (*opened)->run({"program", "wait"}, seconds(5), kNever);
    const auto taken = std::chrono::steady_clock::now() - started;
    freezer.join();
    EXPECT_TRUE(fs::exists(pidFile)) << "the program was to run before the phone froze";
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Failed);
    EXPECT_THAT(outcome.error().message,
                AllOf(HasSubstr(phone->serial()), HasSubstr("running program: not done after 5 s")));
    EXPECT_GE(taken, seconds(5));
    EXPECT_LT(taken, seconds(15)) << "and the attempt to end the program has a limit too";
}

TEST_F(AdbFaults, AFrozenPhoneInAPushIsLeftAfterATimeThatSuitsTheFile) {
    const auto phone = connectPhone("slow");
    auto opened = openDevice(phone->serial(), kNever, seconds(3));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    const fs::path folder = jobFolder(*phone);
    std::ofstream(m_folder / "large", std::ios::binary) << "x";
    fs::resize_file(m_folder / "large", 1 << 20);
    std::jthread freezer([&] {
        waitUntil([&] { return fs::exists(folder / "large"); });
        phone->freeze();
    });
    const auto started = std::chrono::steady_clock::now();
    const Status put = (*opened)->put(m_folder / "large", "large", kNever);
    const auto taken = std::chrono::steady_clock::now() - started;
    freezer.join();
    EXPECT_LT(fs::file_size(folder / "large"), 1u << 20) << "it was to freeze before all had arrived";
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().kind, ErrorKind::Failed);
    // What answers get, and four seconds more for a mebibyte.
    EXPECT_THAT(put.error().message, AllOf(HasSubstr("large"), HasSubstr("not done after 7 s")));
    EXPECT_LT(taken, seconds(17));
}

TEST_F(AdbFaults, AProgramThatNeverEndsIsKilledWithItsChildren) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    const fs::path folder = jobFolder(*phone);
    const auto outcome = device->run({"program", "family"}, seconds(3), kNever);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Failed);
    EXPECT_THAT(outcome.error().message, HasSubstr("running program: not done after 3 s"));
    for (const char* file : {"pid", "child-pid"}) {
        const pid_t process = pidIn(folder / file);
        ASSERT_GT(process, 0) << file;
        EXPECT_TRUE(waitUntil([&] { return !isRunning(process); })) << file;
    }
    EXPECT_EQ(device->run({"program", "exit", "6"}, kLong, kNever)->exitCode, 6)
        << "the device is still of use";
    EXPECT_TRUE(device->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbFaults, CancelKillsTheProgramAndLeavesNothing) {
    for (const char* kind : {"none", "no-exit-status"}) {
        const auto phone = connectPhone(kind);
        auto device = openWithProgram(*phone);
        ASSERT_TRUE(device);
        const fs::path folder = jobFolder(*phone);
        JobControl control;
        std::jthread stopper([&] {
            waitUntil([&] { return fs::exists(folder / "pid") && fs::exists(folder / "child-pid"); });
            control.stop();
        });
        const auto outcome = device->run({"program", "family"}, kLong, control);
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.error().kind, ErrorKind::Cancelled);
        const pid_t processes[] = {pidIn(folder / "pid"), pidIn(folder / "child-pid")};
        device.reset();
        EXPECT_THAT(phone->jobFolders(), IsEmpty());
        for (const pid_t process : processes) {
            ASSERT_GT(process, 0);
            EXPECT_TRUE(waitUntil([&] { return !isRunning(process); }));
        }
    }
}

TEST_F(AdbFaults, CancelInACopyLeavesNothing) {
    const auto phone = connectPhone("slow");
    auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    const fs::path folder = jobFolder(*phone);
    std::ofstream(m_folder / "large", std::ios::binary) << "x";
    fs::resize_file(m_folder / "large", 40'000'000);
    JobControl control;
    std::jthread stopper = std::jthread([&] {
        waitUntil([&] { return fs::exists(folder / "large"); });
        control.stop();
    });
    const Status put = device->put(m_folder / "large", "large", control);
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().kind, ErrorKind::Cancelled);
    device.reset();
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbFaults, Full) {
    const auto phone = connectPhone("full");
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    const Status put = (*device)->put(BITLOOM_PHONE_PROGRAM, "program", kNever);
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().kind, ErrorKind::Failed);
    EXPECT_THAT(put.error().message,
                AllOf(HasSubstr(BITLOOM_PHONE_PROGRAM), HasSubstr("No space left on device"),
                      HasSubstr("free some space on the device")));
    EXPECT_TRUE((*device)->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbFaults, ACopyThatLosesItsEndIsNoticed) {
    const auto phone = connectPhone("short-push");
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    std::ofstream(m_folder / "sent") << std::string(1000, 'x');
    const Status put = (*device)->put(m_folder / "sent", "file", kNever);
    ASSERT_FALSE(put.ok());
    EXPECT_THAT(put.error().message,
                AllOf(HasSubstr("993 of 1000 bytes arrived"), HasSubstr(phone->serial())));
}

TEST_F(AdbFaults, UnpluggedWhileOpened) {
    const auto phone = connectPhone("vanish-when-asked");
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_FALSE(device.ok());
    EXPECT_EQ(device.error().kind, ErrorKind::NoDevice) << device.error().message;
    EXPECT_THAT(device.error().message,
                AllOf(HasSubstr(phone->serial()), HasSubstr("reading its description"),
                      HasSubstr("connect it again")));
}

TEST_F(AdbFaults, UnpluggedWhileListed) {
    const auto phone = connectPhone("vanish-when-asked");
    const auto list = listDevices(kNever, kLong);
    ASSERT_TRUE(list.ok()) << list.error().message;
    ASSERT_EQ(list->devices.size(), 2u);
    EXPECT_EQ(list->devices[0].problem, "") << "the others are of use";
    EXPECT_THAT(list->devices[1].problem, HasSubstr("connect it again"));
}

TEST_F(AdbFaults, UnpluggedInTheCleanup) {
    const auto phone = connectPhone("vanish-in-cleanup");
    auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_EQ(device->run({"program", "exit", "3"}, kLong, kNever)->exitCode, 3);
    const Status closed = device->close();
    ASSERT_FALSE(closed.ok());
    EXPECT_EQ(closed.error().kind, ErrorKind::NoDevice) << closed.error().message;
    EXPECT_THAT(closed.error().message,
                AllOf(HasSubstr(phone->serial()), HasSubstr("cleaning up"), HasSubstr("connect it again")));
    device.reset();
    EXPECT_EQ(phone->jobFolders().size(), 1u);
    phone->replug();
    connect(*phone);
    device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_TRUE(device->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty()) << "also what was left";
}

TEST_F(AdbFaults, UnpluggedInAPush) {
    const auto phone = connectPhone("vanish-in-push");
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    const Status put = (*device)->put(BITLOOM_PHONE_PROGRAM, "program", kNever);
    ASSERT_FALSE(put.ok());
    EXPECT_EQ(put.error().kind, ErrorKind::NoDevice) << put.error().message;
    EXPECT_THAT(put.error().message, AllOf(HasSubstr(phone->serial()), HasSubstr("connect it again")));
    EXPECT_FALSE((*device)->close().ok());
}

TEST_F(AdbFaults, UnpluggedInARun) {
    const auto phone = connectPhone("vanish-in-run");
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    const auto outcome = device->run({"program", "wait"}, kLong, kNever);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::NoDevice) << outcome.error().message;
    EXPECT_THAT(outcome.error().message, AllOf(HasSubstr(phone->serial()), HasSubstr("running program"),
                                               HasSubstr("connect it again")));
}

TEST_F(AdbFaults, UnpluggedInAPull) {
    const auto phone = connectPhone("vanish-in-pull");
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    std::ofstream(m_folder / "old") << "old";
    const Status fetched = device->fetch("program", m_folder / "old", kNever);
    ASSERT_FALSE(fetched.ok());
    EXPECT_EQ(fetched.error().kind, ErrorKind::NoDevice) << fetched.error().message;
    EXPECT_THAT(fetched.error().message, AllOf(HasSubstr(phone->serial()), HasSubstr("connect it again")));
    EXPECT_EQ(*readFile(m_folder / "old"), "old") << "replaced whole or not at all";
    EXPECT_EQ(std::distance(fs::directory_iterator(m_folder.path()), {}), 1);
}

TEST_F(AdbFaults, UnpluggedBetweenCalls) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    phone->unplug();
    const auto conditions = device->conditions(kNever);
    ASSERT_FALSE(conditions.ok());
    EXPECT_EQ(conditions.error().kind, ErrorKind::NoDevice) << conditions.error().message;
    const auto outcome = device->run({"program", "exit", "0"}, kLong, kNever);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::NoDevice) << outcome.error().message;
}

TEST_F(AdbFaults, WhatAnUnpluggedPhoneKeptIsRemovedTheNextTime) {
    const auto phone = connectPhone();
    auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    phone->unplug();
    device.reset();
    EXPECT_EQ(phone->jobFolders().size(), 1u);
    phone->replug();
    connect(*phone);
    device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_EQ(phone->jobFolders().size(), 1u) << "the new job's alone";
    EXPECT_TRUE(device->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbFaults, Slow) {
    const auto phone = connectPhone("slow");
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_EQ(device->info().cores.size(), 8u);
    EXPECT_EQ(device->run({"program", "exit", "3"}, kLong, kNever)->exitCode, 3);
    EXPECT_TRUE(device->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbFaults, HeatShowsInTheConditions) {
    const auto phone = connectPhone("heat");
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    const auto before = device->conditions(kNever);
    ASSERT_TRUE(before.ok()) << before.error().message;
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(device->run({"program", "exit", "0"}, kLong, kNever).ok());
    const auto after = device->conditions(kNever);
    ASSERT_TRUE(after.ok()) << after.error().message;
    EXPECT_GT(after->hottestCelsius(), before->hottestCelsius() + 20);
    EXPECT_LT(after->coreMHz.at(7), 0.8 * before->coreMHz.at(7));
}

TEST(DeviceState, EveryOneButReadyHasARemedy) {
    EXPECT_EQ(problemOfState("device"), "");
    for (const char* state :
         {"unauthorized", "offline", "authorizing", "connecting", "recovery", "bootloader",
          "no permissions (user in plugdev group; are your udev rules wrong?)"}) {
        EXPECT_GT(problemOfState(state).size(), 30u) << state;
    }
}

}  // namespace
}  // namespace bitloom::device
