// What tests of benchmarks share, on this computer and on phones.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/jobs/bench_job.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {

class BenchFixture : public ::testing::Test {
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

}  // namespace bitloom::jobs
