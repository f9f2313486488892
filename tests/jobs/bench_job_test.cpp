// Benchmarks of real runs: on this computer, and on emulated phones through the real adb.
#include "engine/jobs/bench_job.h"

#include <cmath>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/devices_job.h"
#include "engine/jobs/runner_build.h"
#include "engine/jobs/runner_output.h"
#include "engine/jobs/tune_job.h"
#include "tests/jobs/small_job.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BenchJobTest : public ::testing::Test {
  protected:
    // Runners are built once for all test programs of this build.
    void SetUp() override { ::setenv("XDG_CACHE_HOME", BITLOOM_TEST_CACHE, 1); }

    Result<report::BenchResult> bench(const BenchRequest& request) {
        return runBenchJob(request, m_sink, m_control);
    }

    BenchRequest requestOfSmallRun() {
        trainToEnd(smallJob(), m_folder / "run.h5");
        BenchRequest request;
        request.run = m_folder / "run.h5";
        request.repeat = 3;
        request.deployment.calibrationImages = 4;
        return request;
    }

    static void expectTimes(const report::BenchResult& result, const std::vector<std::string>& families,
                            int samples) {
        ASSERT_EQ(result.network.size(), families.size());
        for (std::size_t i = 0; i < families.size(); ++i) {
            const report::KernelTiming& timing = result.network[i];
            EXPECT_EQ(timing.family, families[i]);
            EXPECT_EQ(timing.samplesMs.size(), static_cast<std::size_t>(samples));
            EXPECT_GT(timing.time.medianMs, 0);
            EXPECT_GT(timing.gmacs, 0);
            EXPECT_GT(timing.percentOfPeak, 0);
            EXPECT_GT(timing.weightBytes, 0);
            EXPECT_GT(timing.peakBytes, timing.weightBytes);
        }
        ASSERT_EQ(result.layers.size(), 20u);
        for (const report::LayerTiming& layer : result.layers) {
            ASSERT_EQ(layer.kernels.size(), families.size()) << layer.name;
            for (std::size_t i = 0; i < families.size(); ++i) {
                EXPECT_EQ(layer.kernels[i].family, families[i]);
                EXPECT_FALSE(layer.kernels[i].kernel.empty());
            }
        }
        EXPECT_EQ(result.layers.front().name, "conv1");
        EXPECT_EQ(result.macs, 40551040);
        EXPECT_FALSE(result.reason.empty());
    }

    testing::TemporaryFolder m_folder;
    SteeringSink m_sink;
    JobControl m_control;
};

TEST_F(BenchJobTest, TimesARunOnThisComputer) {
    auto result = bench(requestOfSmallRun());
    ASSERT_TRUE(result.ok()) << result.error().message;
    // oneDNN's program may stand beside this one.
    result->network.resize(benchFamilies().size());
    for (report::LayerTiming& layer : result->layers)
        layer.kernels.resize(benchFamilies().size());
    expectTimes(*result, benchFamilies(), 3);
    EXPECT_EQ(result->device.id, "host");
    EXPECT_FALSE(result->device.emulated);
    EXPECT_EQ(result->origin, "run.h5");
    const auto weights = [&](std::size_t family) { return result->network[family].weightBytes; };
    EXPECT_LT(weights(3), weights(1) / 4) << "k0 keeps weights packed, tuned_fp32 does not";
}

TEST_F(BenchJobTest, TimesRandomWeightsWhereOnlySpeedIsAsked) {
    BenchRequest request;
    request.arch = "resnet20";
    request.bits = 2;
    request.repeat = 2;
    request.threads = 2;
    request.families = {"k2", "tuned_fp32"};
    const auto result = bench(request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    expectTimes(*result, {"tuned_fp32", "k2"}, 2);
    EXPECT_EQ(result->threads, 2);
    EXPECT_EQ(result->origin, "random weights, 2 bits");
}

TEST_F(BenchJobTest, ShowsWhatItKnowsAfterTheFirstSamples) {
    BenchRequest request;
    request.arch = "resnet20";
    request.repeat = 31;
    request.families = {"k2"};
    std::vector<std::size_t> samples;
    const auto result = runBenchJob(request, m_sink, m_control, [&](const report::BenchResult& soFar) {
        expectTimes(soFar, {"k2"}, static_cast<int>(soFar.network.front().samplesMs.size()));
        samples.push_back(soFar.network.front().samplesMs.size());
    });
    ASSERT_TRUE(result.ok()) << result.error().message;
    expectTimes(*result, {"k2"}, 31);
    EXPECT_EQ(samples, (std::vector<std::size_t>{5, 30}));
}

TEST_F(BenchJobTest, NamesOfFilesMayBeAnything) {
    const fs::path folder = m_folder / "meine Läufe; $(touch x) 'é'";
    fs::create_directory(folder);
    trainToEnd(smallJob(), folder / "run é 1.h5");
    BenchRequest request;
    request.run = folder / "run é 1.h5";
    request.repeat = 1;
    request.deployment.calibrationImages = 2;
    request.families = {"k2"};
    const auto result = bench(request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->origin, "run é 1.h5");
    EXPECT_FALSE(fs::exists("x"));
}

TEST_F(BenchJobTest, ARunWithoutHardWeightsSaysWhatIsMissing) {
    BenchRequest request = requestOfSmallRun();
    fs::remove_all(request.run.string() + ".ckpt");
    const auto result = bench(request);
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, AllOf(HasSubstr("run.h5"), HasSubstr("checkpoint")));
}

TEST_F(BenchJobTest, RequestsThatCannotBeMeantAreUsageErrors) {
    const auto expectUsage = [this](const BenchRequest& request, const std::string& message) {
        const auto result = bench(request);
        ASSERT_FALSE(result.ok()) << message;
        EXPECT_EQ(result.error().kind, ErrorKind::Usage);
        EXPECT_THAT(result.error().message, HasSubstr(message));
    };
    BenchRequest request;
    expectUsage(request, "name either a run or a network");
    request.arch = "resnet20";
    request.bits = 0;
    expectUsage(request, "--bits is 1 to 8");
    request.bits = 4;
    request.families = {"tuned_fp16"};
    expectUsage(request, "did you mean tuned_fp32");
    request.families.clear();
    request.repeat = 0;
    expectUsage(request, "at least 1");
    request.repeat = 1;
    request.arch = "resnet21";
    expectUsage(request, "resnet20");
}

TEST_F(BenchJobTest, AnUnknownDeviceIsNoDevice) {
    BenchRequest request;
    request.arch = "resnet20";
    request.device = "; rm -rf /";
    const auto result = bench(request);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::NoDevice);
}

TEST_F(BenchJobTest, WithoutACompilerItSaysWhatToInstall) {
    const std::string path = std::getenv("PATH");
    const testing::TemporaryFolder empty;
    ::setenv("PATH", empty.path().c_str(), 1);
    ::unsetenv("CXX");
    const auto host = compileRunner("x86_64", m_folder.path(), m_sink, m_control);
    const auto arm = buildRunner("arm64-v8a", m_folder.path(), m_sink, m_control);
    ::setenv("ANDROID_NDK_ROOT", "/nowhere", 1);
    const auto ndk = buildRunner("arm64-v8a", m_folder.path(), m_sink, m_control);
    ::unsetenv("ANDROID_NDK_ROOT");
    ::setenv("PATH", path.c_str(), 1);
    EXPECT_THAT(host.error().message, HasSubstr("apt-get install g++"));
    EXPECT_THAT(arm.error().message, HasSubstr("apt-get install g++-aarch64-linux-gnu"));
    EXPECT_THAT(ndk.error().message, HasSubstr("ANDROID_NDK_ROOT=/nowhere"));
    EXPECT_THAT(buildRunner("mips", m_folder.path(), m_sink, m_control).error().message,
                HasSubstr("no kernels for"));
}

TEST_F(BenchJobTest, ACompilerThatFailsIsQuotedAndLeavesNothing) {
    const fs::path compiler = m_folder / "broken++";
    std::ofstream(compiler)
        << "#!/bin/sh\n[ \"$1\" = --version ] && echo broken 1.0 && exit 0\necho no licence >&2\nexit 3\n";
    fs::permissions(compiler, fs::perms::owner_all);
    ::setenv("CXX", compiler.c_str(), 1);
    const auto build = compileRunner("x86_64", m_folder / "cache", m_sink, m_control);
    ::unsetenv("CXX");
    ASSERT_FALSE(build.ok());
    EXPECT_THAT(build.error().message, AllOf(HasSubstr("does not compile"), HasSubstr("no licence")));
    for (const auto& entry : fs::recursive_directory_iterator(m_folder / "cache"))
        EXPECT_TRUE(entry.is_directory() || entry.path().filename() == "lock") << entry.path();
}

TEST_F(BenchJobTest, OutputThatNoRunnerPrintsIsRefused) {
    report::BenchResult result;
    EXPECT_THAT(readRunnerOutput({"Segmentation fault"}, {"k2"}, result).error().message,
                HasSubstr("cannot be read"));
    EXPECT_THAT(readRunnerOutput({"{\"runner\":2}"}, {"k2"}, result).error().message,
                HasSubstr("of another version"));
    const std::string none =
        R"({"runner":1,"isa":"neon","threads":1,"cores":[],"sentinel_ns":[],"peak_gmacs":{"fp32":1,"int8":1},"models":[]})";
    EXPECT_THAT(readRunnerOutput({none}, {"k2"}, result).error().message, HasSubstr("timed 0 of 1 models"));
}

class PhoneBenchTest : public BenchJobTest {
  protected:
    void SetUp() override {
        BenchJobTest::SetUp();
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

TEST_F(PhoneBenchTest, APhoneUnpluggedWhileItRunsIsNoDevice) {
    const auto phone = connect("vanish-in-run");
    const auto result = bench(requestFor(*phone));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::NoDevice) << result.error().message;
}

TEST_F(PhoneBenchTest, AskingForDotProductsThatThePhoneLacksIsAnError) {
    const auto phone = connect("none", "cortex-a57");
    BenchRequest request = requestFor(*phone);
    request.isa = "neondot";
    const auto result = bench(request);
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, HasSubstr("this processor lacks it; its strongest is neon"));
    EXPECT_THAT(phone->jobFolders(), IsEmpty());
}

TEST_F(PhoneBenchTest, TunesTwoPhonesAtOnce) {
    const testing::TemporaryFolder cache;
    fs::create_directories(cache / "bitloom");
    fs::create_directory_symlink(fs::path(BITLOOM_TEST_CACHE) / "bitloom/runners", cache / "bitloom/runners");
    ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
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
