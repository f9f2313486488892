#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/atomic_file.h"
#include "engine/device/device.h"
#include "tests/device/processes.h"
#include "tests/support/test_paths.h"

namespace bitloom::device {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::kNever;
using testing::TemporaryFolder;
using testing::waitUntil;

/// The host, with its job folders in a place of the test's own.
class HostDeviceTest : public ::testing::Test {
  protected:
    void SetUp() override {
        ::setenv("TMPDIR", m_place.path().c_str(), 1);
        auto device = openDevice(kHostId, kNever);
        ::unsetenv("TMPDIR");
        ASSERT_TRUE(device.ok()) << device.error().message;
        m_device = std::move(*device);
    }

    [[nodiscard]] fs::path jobFolder() const { return fs::directory_iterator(m_place.path())->path(); }

    TemporaryFolder m_place;
    TemporaryFolder m_folder;
    std::unique_ptr<Device> m_device;
};

TEST_F(HostDeviceTest, TellsWhatItIs) {
    const report::DeviceInfo& info = m_device->info();
    EXPECT_EQ(info.id, "host");
    EXPECT_EQ(info.state, "device");
    EXPECT_EQ(info.problem, "");
    EXPECT_FALSE(info.name.empty());
    EXPECT_FALSE(info.os.empty());
    EXPECT_GE(info.cores.size(), std::thread::hardware_concurrency());
    EXPECT_GT(info.memoryBytes, 100 << 20);
    EXPECT_FALSE(info.emulated);
#if defined(__x86_64__)
    EXPECT_EQ(info.abi, "x86_64");
    EXPECT_THAT(info.features, ::testing::Contains("sse2"));
#endif
    const auto conditions = m_device->conditions(kNever);
    ASSERT_TRUE(conditions.ok());
    EXPECT_GE(conditions->coreMHz.size(), info.cores.size());
}

TEST_F(HostDeviceTest, RunsWhatWasPutThereAndFetchesWhatItWrote) {
    ASSERT_TRUE(m_device->put(BITLOOM_HOST_PROGRAM, "the program", kNever).ok());
    const auto outcome = m_device->run({"the program", "streams"}, seconds(20), kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, "to out\n");
    EXPECT_EQ(outcome->err, "to err\n");
    EXPECT_EQ(outcome->exitCode, 7);

    ASSERT_TRUE(m_device->run({"the program", "write", "result", "from the host"}, seconds(20), kNever).ok());
    const Status fetched = m_device->fetch("result", m_folder / "copy", kNever);
    ASSERT_TRUE(fetched.ok()) << fetched.error().message;
    EXPECT_EQ(*readFile(m_folder / "copy"), "from the host");
}

TEST_F(HostDeviceTest, LeavesNothingBehind) {
    ASSERT_TRUE(m_device->put(BITLOOM_HOST_PROGRAM, "program", kNever).ok());
    EXPECT_TRUE(fs::exists(jobFolder() / "program"));
    EXPECT_TRUE(m_device->close().ok());
    EXPECT_TRUE(fs::is_empty(m_place.path()));
    EXPECT_TRUE(m_device->close().ok()) << "twice is no error";
}

TEST_F(HostDeviceTest, LeavesNothingBehindWithoutAClose) {
    ASSERT_TRUE(m_device->put(BITLOOM_HOST_PROGRAM, "program", kNever).ok());
    m_device.reset();
    EXPECT_TRUE(fs::is_empty(m_place.path()));
}

TEST_F(HostDeviceTest, CancelEndsARun) {
    ASSERT_TRUE(m_device->put(BITLOOM_HOST_PROGRAM, "program", kNever).ok());
    const fs::path pidFile = jobFolder() / "pid";
    JobControl control;
    pid_t process = -1;
    std::jthread stopper([&] {
        waitUntil([&] { return fs::exists(pidFile); });
        process = testing::pidIn(pidFile);
        control.stop();
    });
    const auto outcome = m_device->run({"program", "wait"}, seconds(30), control);
    stopper.join();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, ErrorKind::Cancelled);
    ASSERT_GT(process, 0);
    EXPECT_TRUE(waitUntil([&] { return !testing::isRunning(process); }));
    m_device.reset();
    EXPECT_TRUE(fs::is_empty(m_place.path()));
}

TEST_F(HostDeviceTest, NamesMayBeAnythingButPaths) {
    for (const char* name : {"it's", "$(reboot)", "größe 測試", "a\nb", "-rf", "a;b", "\\"}) {
        ASSERT_TRUE(m_device->put(BITLOOM_HOST_PROGRAM, name, kNever).ok()) << name;
        const auto outcome = m_device->run({name, "arguments", name}, seconds(20), kNever);
        ASSERT_TRUE(outcome.ok()) << outcome.error().message;
        EXPECT_EQ(outcome->out, std::string("[") + name + "]\n");
    }
    for (const std::string& name :
         {std::string(), std::string("."), std::string(".."), std::string(".group"), std::string("a/b"),
          std::string("/etc/passwd"), std::string("a\0b", 3), std::string(201, 'x')}) {
        const Status status = m_device->put(BITLOOM_HOST_PROGRAM, name, kNever);
        ASSERT_FALSE(status.ok()) << name;
        EXPECT_THAT(status.error().message, HasSubstr("no name for a file on a device"));
        EXPECT_FALSE(m_device->fetch(name, m_folder / "x", kNever).ok());
        EXPECT_FALSE(m_device->run({name}, seconds(1), kNever).ok());
    }
}

TEST_F(HostDeviceTest, BadFilesAreNamed) {
    const Status missing = m_device->put("/nowhere/file", "file", kNever);
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/file: no such file"));
    const Status nothing = m_device->fetch("nothing", m_folder / "copy", kNever);
    ASSERT_FALSE(nothing.ok());
    EXPECT_THAT(nothing.error().message, HasSubstr("cannot fetch nothing"));
    EXPECT_TRUE(fs::is_empty(m_folder.path()));
    const auto run = m_device->run({"nothing"}, seconds(1), kNever);
    ASSERT_FALSE(run.ok());
    EXPECT_THAT(run.error().message, HasSubstr("/nothing: no such program"));
#if defined(__x86_64__)
    if (std::string(BITLOOM_PHONE_PROGRAM).empty()) GTEST_SKIP() << "no compiler for ARM";
    const Status wrong = m_device->put(BITLOOM_PHONE_PROGRAM, "program", kNever);
    ASSERT_FALSE(wrong.ok());
    EXPECT_THAT(wrong.error().message, HasSubstr("built for 64-bit ARM, the device runs 64-bit x86"));
#endif
}

TEST(HostDevice, APlaceThatTakesNoFilesIsNamedWithTheRemedy) {
    ::setenv("TMPDIR", "/nowhere", 1);
    const auto device = openDevice(kHostId, kNever);
    ::unsetenv("TMPDIR");
    ASSERT_FALSE(device.ok());
    EXPECT_THAT(device.error().message, HasSubstr("TMPDIR"));
}

}  // namespace
}  // namespace bitloom::device
