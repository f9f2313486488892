// The real adb against healthy emulated phones.
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/atomic_file.h"
#include "engine/device/elf.h"
#include "engine/device/job_folder.h"
#include "tests/device/phone_fixture.h"
#include "tests/device/processes.h"

namespace bitloom::device {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::EmulatedPhone;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kNever;
using ::testing::Not;

class AdbDevice : public testing::PhoneTest {};

TEST_F(AdbDevice, IsListedBesideTheHost) {
    const auto phone = connectPhone();
    const auto list = listDevices(kNever, kLong);
    ASSERT_TRUE(list.ok()) << list.error().message;
    EXPECT_EQ(list->adbProblem, "");
    ASSERT_EQ(list->devices.size(), 2u);
    EXPECT_EQ(list->devices[0].id, "host");
    EXPECT_EQ(list->devices[1].id, phone->serial());
    EXPECT_EQ(list->devices[1].state, "device");
    EXPECT_EQ(list->devices[1].problem, "");
    EXPECT_THAT(phone->jobFolders(), IsEmpty()) << "listing puts nothing on a phone";
}

TEST_F(AdbDevice, TellsWhatItIs) {
    const auto phone = connectPhone();
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    const report::DeviceInfo& info = (*device)->info();
    EXPECT_EQ(info.name, "Bitloom Emulated phone (emulated)");
    EXPECT_TRUE(info.emulated);
    EXPECT_EQ(info.abi, "arm64-v8a");
    EXPECT_EQ(info.os, "Android 13 (API 33)");
    EXPECT_EQ(info.memoryBytes, std::int64_t{7812345} * 1024);
    EXPECT_THAT(info.features, AllOf(Contains("asimddp"), Not(Contains("i8mm"))));
    ASSERT_EQ(info.cores.size(), 8u);
    EXPECT_EQ(info.cores[0].capacity, 250);
    EXPECT_EQ(info.cores[0].part, "cortex-a55");
    EXPECT_EQ(info.cores[4].capacity, 780);
    EXPECT_EQ(info.cores[7].capacity, 1024);
    EXPECT_EQ(info.cores[7].part, "cortex-a76");
    EXPECT_EQ(info.cores[7].maxMHz, 2802);
    EXPECT_EQ(info.cores[7].governor, "schedutil");

    const auto conditions = (*device)->conditions(kNever);
    ASSERT_TRUE(conditions.ok()) << conditions.error().message;
    ASSERT_EQ(conditions->coreMHz.size(), 8u);
    EXPECT_EQ(conditions->coreMHz[0], 1803);
    ASSERT_EQ(conditions->zones.size(), 3u) << "the sensor that is off is left out";
    EXPECT_EQ(conditions->zones[0].name, "cpu-0-0-usr");
    EXPECT_DOUBLE_EQ(conditions->hottestCelsius(), 39.1);
    EXPECT_EQ(conditions->batteryPercent, 85);
    EXPECT_DOUBLE_EQ(conditions->batteryCelsius, 30.2);
}

TEST_F(AdbDevice, RunsWhatWasPutThereAndFetchesWhatItWrote) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    const auto outcome = device->run({"program", "streams"}, kLong, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, "to out\n");
    EXPECT_EQ(outcome->err, "to err\n");
    EXPECT_EQ(outcome->exitCode, 7);
    for (const int code : {0, 1, 126, 250, 255}) {
        const auto exited = device->run({"program", "exit", std::to_string(code)}, kLong, kNever);
        ASSERT_TRUE(exited.ok()) << exited.error().message;
        EXPECT_EQ(exited->exitCode, code);
    }
    ASSERT_TRUE(device->run({"program", "write", "result", "from the phone"}, kLong, kNever).ok());
    const Status fetched = device->fetch("result", m_folder / "copy", kNever);
    ASSERT_TRUE(fetched.ok()) << fetched.error().message;
    EXPECT_EQ(*readFile(m_folder / "copy"), "from the phone");
}

TEST_F(AdbDevice, CarriesEveryByte) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    std::string bytes;
    for (int i = 0; i < 100'000; ++i)
        bytes += static_cast<char>(i % 256);
    const auto outcome = device->run({"program", "bytes", std::to_string(bytes.size())}, kLong, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_TRUE(outcome->out == bytes);

    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3'000'000}}) {
        std::string content(size, '\0');
        for (std::size_t i = 0; i < size; ++i)
            content[i] = static_cast<char>(i * 7 + i / 251);
        std::ofstream(m_folder / "sent", std::ios::binary) << content;
        ASSERT_TRUE(device->put(m_folder / "sent", "data", kNever).ok());
        ASSERT_TRUE(device->fetch("data", m_folder / "back", kNever).ok());
        EXPECT_TRUE(*readFile(m_folder / "back") == content) << size;
    }
}

TEST_F(AdbDevice, ProgramsRunOnTheProcessorItNames) {
    for (const auto& [cpu, dotprod] : {std::pair{"cortex-a57", false}, std::pair{"cortex-a76", true}}) {
        const auto phone = connectPhone("none", cpu);
        const auto device = openWithProgram(*phone);
        ASSERT_TRUE(device);
        const auto outcome = device->run({"program", "dotprod"}, kLong, kNever);
        ASSERT_TRUE(outcome.ok()) << outcome.error().message;
        EXPECT_EQ(outcome->out, dotprod ? "yes\n" : "no\n") << cpu;
        EXPECT_EQ(missingFeatures(device->info(), {"asimddp"}).empty(), dotprod) << cpu;
        EXPECT_EQ(device->info().cores.back().part, cpu);
    }
}

TEST_F(AdbDevice, NothingInNamesAndArgumentsIsInterpreted) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    const std::vector<std::string> words = {"$(touch hacked)",
                                            "`touch hacked`",
                                            "it's",
                                            "\"",
                                            "; touch hacked",
                                            "a b",
                                            "größe 測試",
                                            "a\nb",
                                            "-rf",
                                            "*",
                                            "\\",
                                            "&& touch hacked",
                                            "> hacked",
                                            ""};
    std::vector<std::string> arguments = {"program", "arguments"};
    std::string expected;
    for (const std::string& word : words) {
        arguments.push_back(word);
        expected += "[" + word + "]\n";
    }
    const auto outcome = device->run(arguments, kLong, kNever);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(outcome->out, expected);

    std::ofstream(m_folder / "sent") << "content";
    for (const std::string& name : words) {
        if (name.empty()) continue;
        const Status put = device->put(m_folder / "sent", name, kNever);
        ASSERT_TRUE(put.ok()) << put.error().message;
        EXPECT_EQ(*readFile(jobFolder(*phone) / name), "content");
    }
    ASSERT_TRUE(device->fetch(words[0], m_folder / "back", kNever).ok());
    EXPECT_EQ(*readFile(m_folder / "back"), "content");
    EXPECT_FALSE(fs::exists(jobFolder(*phone) / "hacked"));
    ASSERT_TRUE(device->put(BITLOOM_PHONE_PROGRAM, "it's $(touch hacked)", kNever).ok());
    EXPECT_EQ(device->run({"it's $(touch hacked)", "exit", "5"}, kLong, kNever)->exitCode, 5);
    EXPECT_TRUE(device->close().ok());
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbDevice, ANewFileTakesTheOldOnesPlace) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    for (const char* content : {"a longer content", "short"}) {
        std::ofstream(m_folder / "sent") << content;
        ASSERT_TRUE(device->put(m_folder / "sent", "file", kNever).ok());
        EXPECT_EQ(*readFile(jobFolder(*phone) / "file"), content);
    }
}

TEST_F(AdbDevice, LeavesNothingBehind) {
    const auto phone = connectPhone();
    auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_TRUE(fs::exists(jobFolder(*phone) / "program"));
    const Status closed = device->close();
    EXPECT_TRUE(closed.ok()) << closed.error().message;
    EXPECT_FALSE(fs::exists(phone->at("/data/local/tmp/bitloom")));
    EXPECT_TRUE(device->close().ok()) << "twice is no error";

    device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    EXPECT_EQ(device->run({"program", "crash"}, kLong, kNever)->exitCode, 128 + SIGABRT);
    device.reset();
    EXPECT_FALSE(fs::exists(phone->at("/data/local/tmp/bitloom")));
}

TEST_F(AdbDevice, RemovesWhatAKilledJobLeftAndNothingElse) {
    const auto phone = connectPhone();
    const pid_t killed = ::fork();
    if (killed == 0) {
        auto device = openWithProgram(*phone);
        device.release();  // NOLINT(bugprone-unused-return-value): killed before it can clean up
        ::_exit(0);
    }
    ::waitpid(killed, nullptr, 0);
    ASSERT_EQ(phone->jobFolders().size(), 1u);
    fs::create_directories(phone->at("/data/local/tmp/bitloom/photos"));
    fs::create_directories(
        phone->at("/data/local/tmp/bitloom/00000000deadbeef-1-1-99999999999-0"));  // of year 5138
    const auto living = openWithProgram(*phone);
    ASSERT_TRUE(living);
    const auto another = openWithProgram(*phone);
    ASSERT_TRUE(another);
    const std::vector<std::string> folders = phone->jobFolders();
    EXPECT_EQ(folders.size(), 4u) << ::testing::PrintToString(folders);
    EXPECT_THAT(folders, Contains("photos"));
    EXPECT_THAT(folders, Contains("00000000deadbeef-1-1-99999999999-0"));
    EXPECT_TRUE(another->close().ok());
    EXPECT_EQ(living->run({"program", "exit", "4"}, kLong, kNever)->exitCode, 4);
}

TEST_F(AdbDevice, ProgramsForAnotherProcessorStayHere) {
#if defined(__x86_64__)
    const auto phone = connectPhone();
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    const Status wrong = (*device)->put(BITLOOM_HOST_PROGRAM, "program", kNever);
    ASSERT_FALSE(wrong.ok());
    EXPECT_THAT(wrong.error().message, HasSubstr("built for 64-bit x86, the device runs 64-bit ARM"));
    EXPECT_TRUE(fs::is_empty(jobFolder(*phone)));
#else
    GTEST_SKIP() << "this computer's programs may run there";
#endif
}

TEST_F(AdbDevice, MissingFilesAreNamed) {
    const auto phone = connectPhone();
    const auto device = openDevice(phone->serial(), kNever, kLong);
    ASSERT_TRUE(device.ok()) << device.error().message;
    const auto run = (*device)->run({"nothing"}, kLong, kNever);
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->exitCode, 127);
    EXPECT_THAT(run->err, HasSubstr("nothing"));
    const Status fetched = (*device)->fetch("nothing", m_folder / "copy", kNever);
    ASSERT_FALSE(fetched.ok());
    EXPECT_THAT(fetched.error().message, AllOf(HasSubstr(phone->serial()), HasSubstr("nothing")));
    EXPECT_TRUE(fs::is_empty(m_folder.path()));
    ASSERT_TRUE((*device)->put(BITLOOM_PHONE_PROGRAM, "program", kNever).ok());
    const Status nowhere = (*device)->fetch("program", "/nowhere/copy", kNever);
    ASSERT_FALSE(nowhere.ok());
    EXPECT_THAT(nowhere.error().message, HasSubstr("/nowhere/copy"));
}

TEST_F(AdbDevice, AFolderThatWasRemovedIsSaid) {
    const auto phone = connectPhone();
    const auto device = openWithProgram(*phone);
    ASSERT_TRUE(device);
    fs::remove_all(phone->at("/data/local/tmp/bitloom"));
    const auto run = device->run({"program", "exit", "0"}, kLong, kNever);
    ASSERT_FALSE(run.ok());
    EXPECT_THAT(run.error().message, HasSubstr("cannot work in its folder /data/local/tmp/bitloom/"));
}

TEST_F(AdbDevice, SeveralAtOnce) {
    std::array<std::unique_ptr<EmulatedPhone>, 3> phones;
    for (auto& phone : phones)
        phone = connectPhone();
    std::array<std::string, 3> outputs;
    {
        std::vector<std::jthread> jobs;
        for (std::size_t i = 0; i < phones.size(); ++i) {
            jobs.emplace_back([&, i] {
                const auto device = openWithProgram(*phones[i]);
                if (!device) return;
                for (int round = 0; round < 2; ++round) {
                    const auto outcome =
                        device->run({"program", "arguments", std::to_string(i)}, kLong, kNever);
                    outputs[i] += outcome ? outcome->out : outcome.error().message;
                }
            });
        }
    }
    EXPECT_THAT(outputs, ElementsAre("[0]\n[0]\n", "[1]\n[1]\n", "[2]\n[2]\n"));
    for (const auto& phone : phones)
        EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(AdbDevice, UnknownOnesAreToldFromWhatIsConnected) {
    const auto phone = connectPhone();
    for (const char* id : {"0123456789", "$(reboot)", "-d", "; reboot", "größe", ""}) {
        const auto device = openDevice(id, kNever, kLong);
        ASSERT_FALSE(device.ok());
        EXPECT_EQ(device.error().kind, ErrorKind::NoDevice);
        EXPECT_THAT(device.error().message, AllOf(HasSubstr(id), HasSubstr("no such device"),
                                                  HasSubstr("host"), HasSubstr(phone->serial())));
    }
}

TEST_F(AdbDevice, AStoppedJobOpensNothing) {
    const auto phone = connectPhone();
    JobControl control;
    control.stop();
    const auto device = openDevice(phone->serial(), control, kLong);
    ASSERT_FALSE(device.ok());
    EXPECT_EQ(device.error().kind, ErrorKind::Cancelled);
    const auto list = listDevices(control, kLong);
    ASSERT_FALSE(list.ok());
    EXPECT_EQ(list.error().kind, ErrorKind::Cancelled);
}

TEST(WithoutAdb, TheRemedyIsNamedAndTheHostStays) {
    ::setenv("BITLOOM_ADB", "/nowhere/adb", 1);
    const JobControl control;
    const auto device = openDevice("0123456789", control);
    const auto list = listDevices(control);
    const auto host = openDevice(kHostId, control);
    ::unsetenv("BITLOOM_ADB");
    ASSERT_FALSE(device.ok());
    EXPECT_EQ(device.error().kind, ErrorKind::NoDevice);
    EXPECT_THAT(device.error().message, AllOf(HasSubstr("/nowhere/adb"), HasSubstr("apt install adb")));
    ASSERT_TRUE(list.ok());
    EXPECT_EQ(list->devices.size(), 1u);
    EXPECT_THAT(list->adbProblem, HasSubstr("apt install adb"));
    EXPECT_TRUE(host.ok());

    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto notInPath = openDevice("0123456789", control);
    ::setenv("PATH", path.c_str(), 1);
    ASSERT_FALSE(notInPath.ok());
    EXPECT_THAT(notInPath.error().message, HasSubstr("adb: not in PATH; install it"));
}

}  // namespace
}  // namespace bitloom::device
