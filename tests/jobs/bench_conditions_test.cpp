// What a benchmark rests on: the cores that it is pinned to, the device between its rounds, the kernels that
// may run, what is refused before anything is sent.
#include <cmath>
#include <cstdlib>

#include <gmock/gmock.h>
#include <sched.h>

#include "engine/jobs/bench_job.h"
#include "engine/jobs/devices_job.h"
#include "engine/jobs/parity_job.h"
#include "engine/jobs/tune_job.h"
#include "tests/jobs/small_job.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

// In one process with the benchmarks ("Bench" in the name): they share the runners that they build.
class BenchConditionsTest : public ::testing::Test {
  protected:
    void SetUp() override { ::setenv("XDG_CACHE_HOME", BITLOOM_TEST_CACHE, 1); }

    static BenchRequest smallRequest() {
        BenchRequest request;
        request.arch = "resnet20";
        request.repeat = 1;
        request.families = {"k2"};
        return request;
    }
    Result<report::BenchResult> bench(const BenchRequest& request) {
        return runBenchJob(request, m_sink, m_control);
    }
    static std::vector<int> ownCores() {
        cpu_set_t mask;
        CPU_ZERO(&mask);
        EXPECT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
        std::vector<int> cores;
        for (int core = 0; core < CPU_SETSIZE; ++core)
            if (CPU_ISSET(static_cast<std::size_t>(core), &mask)) cores.push_back(core);
        return cores;
    }

    testing::TemporaryFolder m_folder;
    SteeringSink m_sink;
    JobControl m_control;
};

TEST_F(BenchConditionsTest, ThisComputerIsPinnedToACoreOfItsMask) {
    const auto result = bench(smallRequest());
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_THAT(result->cores, SizeIs(1));
    EXPECT_THAT(ownCores(), Contains(result->cores.front()));
    EXPECT_THAT(m_sink.lines,
                Contains("threads are pinned to core " + std::to_string(result->cores.front())));
}

TEST_F(BenchConditionsTest, MoreThreadsThanCoresAreNotPinned) {
    BenchRequest request = smallRequest();
    request.threads = static_cast<int>(ownCores().size()) + 1;
    const auto result = bench(request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_THAT(result->cores, IsEmpty());
    EXPECT_THAT(m_sink.lines, Contains(HasSubstr("not pinned")));
}

TEST_F(BenchConditionsTest, EveryRoundHasAReading) {
    BenchRequest request = smallRequest();
    request.repeat = 31;  // rounds of 5, 25 and 1
    const auto result = bench(request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_THAT(result->trace, SizeIs(4));
    EXPECT_EQ(result->trace.front().seconds, 0);
    for (std::size_t i = 1; i < result->trace.size(); ++i)
        EXPECT_GT(result->trace[i].seconds, result->trace[i - 1].seconds);
    for (const report::ConditionsSample& sample : result->trace)
        EXPECT_THAT(sample.conditions.coreMHz, SizeIs(result->before.coreMHz.size()));
}

TEST_F(BenchConditionsTest, TheRunnersKernelsAreThoseThatTheListOfDevicesTells) {
    const auto result = bench(smallRequest());
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_THAT(result->device.kernels, AllOf(Contains("fp32_scalar_naive"), Contains("fp32_scalar_paper4"),
                                              Contains("int8_scalar_4x8")));
    const auto listed = runDevicesJob(m_control);
    ASSERT_TRUE(listed.ok()) << listed.error().message;
    EXPECT_THAT(listed->devices.front().kernels, UnorderedElementsAreArray(result->device.kernels));
}

TEST_F(BenchConditionsTest, AnUnknownInstructionSetIsAUsageError) {
    BenchRequest request = smallRequest();
    request.isa = "neondott";
    const auto result = bench(request);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Usage);
    EXPECT_THAT(result.error().message, AllOf(HasSubstr("--isa neondott"), HasSubstr("known are scalar")));
}

TEST_F(BenchConditionsTest, LayersKeepTheirContracts) {
    BenchRequest request = smallRequest();
    request.deployment.contracts = {{"conv1", "exact"}, {"linear", "exact"}};
    const auto result = bench(request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    const auto kernelOf = [&](const std::string& name) {
        for (const report::LayerTiming& layer : result->layers)
            if (layer.name == name) return layer.kernels.front().kernel;
        return std::string("no layer " + name);
    };
    EXPECT_THAT(kernelOf("conv1"), HasSubstr("fp32_"));
    EXPECT_THAT(kernelOf("linear"), HasSubstr("fp32_"));
    EXPECT_THAT(kernelOf("layer1.0.conv1"), HasSubstr("int8_"));
    request.deployment.contract = "exact";
    request.deployment.contracts = {{"layer1.0.conv1", "int8"}};
    const auto turned = bench(request);
    ASSERT_TRUE(turned.ok()) << turned.error().message;
    for (const report::LayerTiming& layer : turned->layers)
        EXPECT_THAT(layer.kernels.front().kernel,
                    HasSubstr(layer.name == "layer1.0.conv1" ? "int8_" : "fp32_"))
            << layer.name;
    request.deployment.contracts = {{"conv11", "int8"}};
    EXPECT_THAT(bench(request).error().message,
                HasSubstr("no layer conv11 in resnet20; did you mean conv1?"));
}

TEST_F(BenchConditionsTest, ParityComparesTheContractsThatWereChosen) {
    trainToEnd(smallJob(), m_folder / "run.h5");
    ParityRequest request;
    request.run = m_folder / "run.h5";
    request.images = 2;
    request.deployment.calibrationImages = 2;
    const auto worstOf = [&] {
        const auto result = runParityJob(request, m_sink, m_control);
        EXPECT_TRUE(result.ok()) << messageOf(result);
        if (!result) return 0.0;
        EXPECT_TRUE(result->passed);
        double worst = 0;
        for (const report::ParityStep& step : result->networks[1].steps)
            worst = std::fmax(worst, step.error);
        return worst;
    };
    EXPECT_GT(worstOf(), 1e-3) << "activations of 8 bits are rounded";
    request.deployment.contract = "exact";
    EXPECT_LT(worstOf(), 1e-4) << "with float activations nothing is";
    request.deployment.contracts = {{"linear", "int8"}};
    EXPECT_GT(worstOf(), 1e-3);
}

TEST_F(BenchConditionsTest, APhoneIsChosenByCapacityAndNotPinned) {
    if (!testing::AdbServer::available()) GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
    testing::AdbServer server;
    const testing::EmulatedPhone phone("none", "cortex-a57");
    server.connect(phone.serial());
    BenchRequest request = smallRequest();
    request.device = phone.serial();
    const auto result = bench(request);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_THAT(result->cores, IsEmpty());
    // Core 7 is the phone's one of capacity 1024.
    EXPECT_THAT(m_sink.lines, Contains(AllOf(HasSubstr("not pinned"), HasSubstr("cores 7 of"))));
    ASSERT_THAT(result->trace, SizeIs(2));
    for (const report::ConditionsSample& sample : result->trace) {
        EXPECT_NEAR(sample.conditions.hottestCelsius(), 39.1, 0.01);
        ASSERT_THAT(sample.conditions.coreMHz, SizeIs(8));
        EXPECT_NEAR(sample.conditions.coreMHz[7], 2802, 0.5);
    }
    // Its own runner says the same as its list of features does.
    EXPECT_THAT(result->device.kernels, AllOf(Contains("int8_neon_4x8"), Not(Contains("int8_neondot_8x8"))));
    const auto listed = runConditionsJob(m_control);
    ASSERT_TRUE(listed.ok()) << listed.error().message;
    ASSERT_THAT(listed->devices, SizeIs(2));
    EXPECT_THAT(listed->devices[1].kernels, UnorderedElementsAreArray(result->device.kernels));
    ASSERT_THAT(listed->conditions, SizeIs(2));
    EXPECT_NEAR(listed->conditions[1].hottestCelsius(), 39.1, 0.01);
    EXPECT_EQ(listed->conditions[1].batteryPercent, 85);
}

TEST_F(BenchConditionsTest, WhatAPhoneLacksIsRefusedBeforeAnythingIsSent) {
    if (!testing::AdbServer::available()) GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
    testing::AdbServer server;
    const testing::EmulatedPhone phone("none", "cortex-a57");
    server.connect(phone.serial());
    BenchRequest request = smallRequest();
    request.device = phone.serial();
    request.isa = "neoni8mm";
    std::vector<std::string> phases;
    m_sink.onProgress = [&](const report::Progress& progress) { phases.push_back(progress.phase); };
    const auto result = bench(request);
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, AllOf(HasSubstr("--isa neoni8mm"), HasSubstr("lacks asimddp, i8mm"),
                                              HasSubstr("strongest is neon")));
    EXPECT_THAT(phases, ElementsAre("opening the device"));
    EXPECT_THAT(phone.jobFolders(), IsEmpty());
}

}  // namespace
}  // namespace bitloom::jobs
