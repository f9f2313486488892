// Benchmarks and tuning of real runs on emulated phones, through the real adb.
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

#include <gmock/gmock.h>

#include "engine/jobs/devices_job.h"
#include "engine/jobs/tune_job.h"
#include "tests/jobs/bench_fixture.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PhoneBenchTest : public BenchFixture {
  protected:
    void SetUp() override {
        BenchFixture::SetUp();
        if (!testing::AdbServer::available())
            GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
        m_server = std::make_unique<testing::AdbServer>();
    }
    std::unique_ptr<testing::EmulatedPhone> connect(const std::string& fault = "none",
                                                    const std::string& cpu = "cortex-a76") {
        auto phone = std::make_unique<testing::EmulatedPhone>(fault, cpu);
        m_server->connect(phone->serial());
        return phone;
    }
    BenchRequest requestFor(const testing::EmulatedPhone& phone) {
        BenchRequest request = requestOfSmallRun();
        request.device = phone.serial();
        request.repeat = 2;
        request.families = {"k2"};
        return request;
    }
    /// Runners stay those of all tests, what tuning finds is this test's own.
    void keepSchedulesApart() {
        const fs::path runners = fs::path(BITLOOM_TEST_CACHE) / "bitloom/runners";
        fs::create_directories(runners);
        fs::create_directories(m_schedules / "bitloom");
        fs::create_directory_symlink(runners, m_schedules / "bitloom/runners");
        ::setenv("XDG_CACHE_HOME", m_schedules.path().c_str(), 1);
    }

    testing::TemporaryFolder m_schedules;
    std::unique_ptr<testing::AdbServer> m_server;
};

TEST_F(PhoneBenchTest, TimesARunAndLabelsTheTimesEmulated) {
    for (const auto& [cpu, isa] : {std::pair("cortex-a57", "neon"), std::pair("cortex-a76", "neondot")}) {
        const auto phone = connect("none", cpu);
        const auto result = bench(requestFor(*phone));
        ASSERT_TRUE(result.ok()) << result.error().message;
        expectTimes(*result, {"k2"}, 2);
        EXPECT_TRUE(result->device.emulated);
        EXPECT_EQ(result->isa, isa);
        EXPECT_THAT(result->cores, IsEmpty()) << "an emulator has no cores to pin to";
        EXPECT_FALSE(result->before.zones.empty());
        EXPECT_THAT(phone->jobFolders(), IsEmpty());
    }
}

TEST_F(PhoneBenchTest, ACancelledOneLeavesNothingOnThePhone) {
    const auto phone = connect();
    m_sink.onProgress = [this](const report::Progress& progress) {
        if (progress.phase.starts_with("timing")) m_control.stop();
    };
    const auto result = bench(requestFor(*phone));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Cancelled);
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

/// Command lines of processes that hold both texts; words end with a zero.
std::vector<std::string> processesWith(const std::string& one, const std::string& other) {
    std::vector<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        // Not a stream: that throws when the process ends between opening and reading.
        std::FILE* file = std::fopen((entry.path() / "cmdline").c_str(), "rb");
        if (file == nullptr) continue;
        std::string words(1 << 16, '\0');
        words.resize(std::fread(words.data(), 1, words.size(), file));
        std::fclose(file);
        if (words.find(one) != std::string::npos && words.find(other) != std::string::npos)
            found.push_back(words);
    }
    return found;
}

bool comesTrue(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

TEST_F(PhoneBenchTest, ACancelEndsTheProgramThatRunsOnThePhone) {
    const auto phone = connect();
    BenchRequest request = requestFor(*phone);
    request.repeat = 1000;
    // The emulator's own command line: "-L" and the phone's root, then the program and what it is given.
    using namespace std::string_literals;
    const std::string onThePhone = "-L\0"s + phone->at("/").parent_path().string();
    const auto timed = [&onThePhone] { return !processesWith(onThePhone, "--repeat").empty(); };
    bool seen = false;
    std::jthread stopper([&] {
        seen = comesTrue(timed);
        m_control.stop();
    });
    const auto result = bench(request);
    stopper.join();
    EXPECT_TRUE(seen);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Cancelled) << result.error().message;
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
    EXPECT_TRUE(comesTrue([&] { return !timed(); })) << "the program goes on";
}

TEST_F(PhoneBenchTest, APhoneUnpluggedWhileItRunsIsNoDevice) {
    const auto phone = connect("vanish-in-run");
    const auto result = bench(requestFor(*phone));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::NoDevice) << result.error().message;
}

TEST_F(PhoneBenchTest, APhoneUnpluggedInTheCleanupIsNoDevice) {
    const auto phone = connect("vanish-in-cleanup");
    BenchRequest request = requestFor(*phone);
    request.repeat = 1;
    const auto result = bench(request);
    ASSERT_FALSE(result.ok()) << "what lies on the phone must not pass unsaid";
    EXPECT_EQ(result.error().kind, ErrorKind::NoDevice) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr("cleaning up"));
    EXPECT_EQ(phone->jobFolders().size(), 1u);
}

TEST_F(PhoneBenchTest, AskingForDotProductsThatThePhoneLacksIsAnError) {
    const auto phone = connect("none", "cortex-a57");
    BenchRequest request = requestFor(*phone);
    request.isa = "neondot";
    const auto result = bench(request);
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message,
                ::testing::AllOf(HasSubstr("lacks asimddp"), HasSubstr("its strongest is neon")));
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(PhoneBenchTest, TunesTwoPhonesAtOnce) {
    keepSchedulesApart();
    const auto one = connect("none", "cortex-a57");
    const auto other = connect("none", "cortex-a76");
    BenchRequest request = requestFor(*one);
    const auto results = runTuneJobs(request, {one->serial(), other->serial()}, m_sink, m_control);
    ASSERT_EQ(results.size(), 2u);
    for (const auto& result : results) {
        ASSERT_TRUE(result.ok()) << result.error().message;
        ASSERT_EQ(result->layers.size(), 20u);
        for (const TunedLayer& layer : result->layers)
            EXPECT_GT(layer.tunedMs, 0) << layer.name;
    }
    EXPECT_EQ(results[0]->isa, "neon");
    EXPECT_EQ(results[1]->isa, "neondot");
    EXPECT_THAT(one->jobFolders(), IsEmpty());
    EXPECT_THAT(other->jobFolders(), IsEmpty());
    // Each phone has schedules of its own.
    request.device = other->serial();
    const auto timed = bench(request);
    ASSERT_TRUE(timed.ok()) << timed.error().message;
    EXPECT_EQ(timed->tunedLayers, 20);
    for (const report::LayerTiming& layer : timed->layers)
        EXPECT_THAT(layer.kernels.front().kernel, HasSubstr("neon")) << layer.name;
}

TEST_F(PhoneBenchTest, TuningGoesOnAfterAnUnplug) {
    keepSchedulesApart();
    const auto phone = connect();
    BenchRequest request = requestFor(*phone);
    int rounds = 0;
    std::int64_t untried = 0;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase != "tuning") return;
        untried = progress.totalSteps;
        if (++rounds == 2) phone->unplug();
    };
    const auto cut = runTuneJob(request, m_sink, m_control);
    ASSERT_FALSE(cut.ok());
    EXPECT_EQ(cut.error().kind, ErrorKind::NoDevice) << cut.error().message;
    EXPECT_THAT(cut.error().message, HasSubstr(request.device));
    EXPECT_EQ(phone->jobFolders().size(), 1u) << "nobody could remove it";

    phone->replug();
    m_server->connect(phone->serial());
    request.device = phone->serial();
    std::int64_t left = -1;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase == "tuning" && left < 0) left = progress.totalSteps;
    };
    const auto rest = runTuneJob(request, m_sink, m_control);
    ASSERT_TRUE(rest.ok()) << rest.error().message;
    EXPECT_EQ(rest->layers.size(), 20u);
    EXPECT_LT(left, untried) << "the round that was done is not done again";
    EXPECT_GT(left, 0);
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(PhoneBenchTest, CancelledTuningLeavesNothingAndGoesOn) {
    keepSchedulesApart();
    const auto phone = connect();
    const BenchRequest request = requestFor(*phone);
    std::vector<std::int64_t> totals;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase != "tuning") return;
        totals.push_back(progress.totalSteps);
        if (totals.size() == 2) m_control.stop();
    };
    const auto cut = runTuneJob(request, m_sink, m_control);
    ASSERT_FALSE(cut.ok());
    EXPECT_EQ(cut.error().kind, ErrorKind::Cancelled) << cut.error().message;
    EXPECT_THAT(phone->jobFolders(), IsEmpty());

    // The rest is stopped too, once it is known where it began: what goes on to the end is another test's.
    JobControl second;
    std::int64_t left = -1;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase != "tuning") return;
        left = progress.totalSteps;
        second.stop();
    };
    ASSERT_FALSE(runTuneJob(request, m_sink, second).ok());
    EXPECT_GT(left, 0);
    EXPECT_LT(left, totals.front()) << "the round that was done is not done again";
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(PhoneBenchTest, DevicesListsHostAndPhone) {
    const auto phone = connect();
    const auto result = runDevicesJob(m_control);
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_EQ(result->devices.size(), 2u);
    EXPECT_EQ(result->devices[0].id, "host");
    EXPECT_EQ(result->devices[1].id, phone->serial());
}

}  // namespace
}  // namespace bitloom::jobs
