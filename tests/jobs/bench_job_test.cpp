// Benchmarks of real runs on this computer. Phones: phone_bench_test.cpp.
#include "engine/jobs/bench_job.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/compare_runs.h"
#include "engine/jobs/runner_build.h"
#include "engine/jobs/runner_output.h"
#include "tests/jobs/bench_fixture.h"
#include "tests/support/onednn_script.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BenchJobTest : public BenchFixture {};

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
    const auto figures = readRunFigures(m_folder / "run.h5");
    ASSERT_TRUE(figures.ok()) << figures.error().message;
    ASSERT_EQ(figures->times.size(), 1u) << "kept beside the run";
    EXPECT_EQ(figures->times.front().device, "host");
    EXPECT_GT(figures->times.front().medianMs, 0);
    const auto weights = [&](std::size_t family) { return result->network[family].weightBytes; };
    EXPECT_LT(weights(3), weights(1) / 4) << "k0 keeps weights packed, tuned_fp32 does not";
}

TEST_F(BenchJobTest, OnednnsTimesStandBesideOurs) {
    testing::writeOnednnScript(m_folder / "onednn");
    ::setenv("BITLOOM_ONEDNN_RIVAL", (m_folder / "onednn").c_str(), 1);
    BenchRequest request;
    request.arch = "resnet20";
    request.repeat = 7;
    const auto result = bench(request);
    std::ofstream(m_folder / "onednn") << "#!/bin/sh\necho no AVX2 >&2\nexit 3\n";
    const auto failed = bench(request);
    ::unsetenv("BITLOOM_ONEDNN_RIVAL");
    ASSERT_TRUE(result.ok()) << result.error().message;
    const std::size_t own = benchFamilies().size();
    ASSERT_EQ(result->network.size(), own + 3);
    for (const report::KernelTiming& timing : result->network)
        EXPECT_EQ(timing.samplesMs.size(), 7u) << timing.family;
    const report::KernelTiming& int8 = result->network.back();
    EXPECT_EQ(int8.family, "onednn_int8");
    // A thousandth of a millisecond for each of 20 layers in a round's first sample; rounds of 5 and 2.
    EXPECT_NEAR(int8.samplesMs[4], 0.1, 1e-9);
    EXPECT_NEAR(int8.samplesMs[5], 0.02, 1e-9);
    EXPECT_GT(int8.percentOfPeak, 0);
    for (const report::LayerTiming& layer : result->layers)
        EXPECT_EQ(layer.kernels.size(), own + 3) << layer.name;
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.error().message, AllOf(HasSubstr("onednn"), HasSubstr("no AVX2")));
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

}  // namespace
}  // namespace bitloom::jobs
