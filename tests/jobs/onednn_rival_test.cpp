// oneDNN's rows of a benchmark: what its program is asked, how its answer becomes times, what happens when it
// fails. The program itself, which few computers have, is replaced by scripts.
#include "engine/jobs/onednn_rival.h"

#include <cmath>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "engine/graph/zoo/zoo.h"
#include "engine/qsimd/lower.h"
#include "tests/jobs/small_job.h"
#include "tests/support/onednn_script.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OnednnRivalTest : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto source = qsimd::randomNetwork(graph::zoo::makeModel("resnet20").value(), 16, 1);
        ASSERT_TRUE(source.ok());
        m_model = qsimd::lower(*source, {}).value();
        m_result.threads = 2;
        m_result.peakFloatGmacs = 50;
        m_result.peakInt8Gmacs = 400;
        m_result.macs = 20'000'000;
        for (const qsimd::Step& step : m_model.steps) {
            const auto* convolution = std::get_if<qsimd::Convolution>(&step);
            if (convolution == nullptr) continue;
            m_result.layers.emplace_back();
            m_result.layers.back().name = convolution->layer;
            m_result.layers.back().macs = 1'000'000;
        }
        ASSERT_EQ(m_result.layers.size(), 20u);
    }

    fs::path script(const std::string& text) {
        fs::path path = m_folder / "rival of é";
        std::ofstream(path) << "#!/bin/sh\n" << text;
        fs::permissions(path, fs::perms::owner_all);
        return path;
    }
    Result<std::string> time(const fs::path& rival, int repeat = 3) {
        return timeOnednn(rival, m_model, {2, {}, repeat, 4}, m_control);
    }
    std::string printed(int repeat) {
        testing::writeOnednnScript(m_folder / "onednn");
        const auto text = time(m_folder / "onednn", repeat);
        EXPECT_TRUE(text.ok()) << messageOf(text);
        return text ? *text : std::string();
    }

    testing::TemporaryFolder m_folder;
    JobControl m_control;
    qsimd::Model m_model;
    report::BenchResult m_result;
};

TEST_F(OnednnRivalTest, IsAskedForEveryLayerInItsShape) {
    const auto said = time(script("cat \"$1\"; echo threads $2 repeat $3 copies $4\n"));
    ASSERT_TRUE(said.ok()) << said.error().message;
    EXPECT_THAT(*said, ::testing::StartsWith("conv1 3 32 32 16 3 3 1 1 1 0\n"));
    EXPECT_THAT(*said, HasSubstr("\nlayer1.0.conv2 16 32 32 16 3 3 1 1 1 1\n")) << "adds the shortcut";
    EXPECT_THAT(*said, HasSubstr("\nlayer2.0.conv1 16 32 32 32 3 3 2 1 1 0\n"));
    EXPECT_THAT(*said, HasSubstr("\nlinear 64 1 1 10 1 1 1 0 1 0\n"));
    EXPECT_THAT(*said, ::testing::EndsWith("threads 2 repeat 3 copies 4\n"));
    EXPECT_EQ(std::ranges::count(*said, '\n'), 21);
}

TEST_F(OnednnRivalTest, RoundsBecomeSamplesOfLayersAndTheirSum) {
    const Status added = addOnednn({printed(2), printed(1)}, m_result);
    ASSERT_TRUE(added.ok()) << added.error().message;
    ASSERT_EQ(m_result.network.size(), 3u);
    struct Expected {
        const char* family;
        double ms;  // of the first sample of a layer
        std::int64_t weightBytes;
        double peakGmacs;
    };
    const Expected expected[] = {{"onednn_fp32_direct", 0.004, 40, 50},
                                 {"onednn_fp32", 0.003, 60, 50},
                                 {"onednn_int8", 0.001, 10, 400}};
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& [family, ms, weightBytes, peakGmacs] = expected[i];
        const report::KernelTiming& whole = m_result.network[i];
        EXPECT_EQ(whole.family, family);
        EXPECT_THAT(whole.samplesMs, ElementsAre(DoubleNear(20 * ms, 1e-9), DoubleNear(40 * ms, 1e-9),
                                                 DoubleNear(20 * ms, 1e-9)));
        EXPECT_NEAR(whole.time.medianMs, 20 * ms, 1e-9);
        EXPECT_NEAR(whole.gmacs, 0.02 / (20 * ms * 1e-3), 1e-6);
        EXPECT_NEAR(whole.percentOfPeak, 100 * whole.gmacs / (2 * peakGmacs), 1e-6) << "of two cores";
        EXPECT_EQ(whole.weightBytes, 20 * weightBytes);
        EXPECT_EQ(whole.peakBytes, 20 * weightBytes + 2000) << "and the largest layer's activations";
        for (const report::LayerTiming& layer : m_result.layers) {
            ASSERT_EQ(layer.kernels.size(), 3u) << layer.name;
            EXPECT_EQ(layer.kernels[i].family, family);
            EXPECT_THAT(layer.kernels[i].samplesMs, ElementsAre(ms, 2 * ms, ms)) << layer.name;
            EXPECT_EQ(layer.kernels[i].weightBytes, weightBytes);
        }
    }
}

TEST_F(OnednnRivalTest, WithoutAKernelForALayerTheSumIsLeftOut) {
    nlohmann::json answer = nlohmann::json::parse(printed(2));
    answer["layers"][7]["int8"]["samples_ns"] = nlohmann::json::array();
    ASSERT_TRUE(addOnednn({answer.dump()}, m_result).ok());
    ASSERT_EQ(m_result.network.size(), 2u);
    EXPECT_EQ(m_result.network[0].family, "onednn_fp32_direct");
    EXPECT_EQ(m_result.network[1].family, "onednn_fp32");
    EXPECT_TRUE(m_result.layers[7].kernels[2].samplesMs.empty());
    EXPECT_EQ(m_result.layers[8].kernels[2].samplesMs.size(), 2u);
}

TEST_F(OnednnRivalTest, AProgramThatFailsIsQuoted) {
    const fs::path rival = script("echo half an answer; echo no such instruction >&2; exit 3\n");
    const auto failed = time(rival);
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.error().message, AllOf(HasSubstr(rival.string()), HasSubstr("no such instruction")));
    const auto missing = time(m_folder / "nothing");
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(missing.error().message, HasSubstr("nothing"));
    m_control.stop();
    const auto stopped = time(rival);
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().kind, ErrorKind::Cancelled);
}

TEST_F(OnednnRivalTest, AnswersThatItDoesNotGiveAreErrors) {
    const std::string whole = printed(1);
    for (const std::string& text :
         {std::string(), std::string("Segmentation fault"), std::string("[]"), std::string("{\"layers\": 3}"),
          std::string(R"({"layers":[{"name":"conv1"}]})"), whole.substr(0, whole.size() / 2)}) {
        const Status added = addOnednn({text}, m_result);
        ASSERT_FALSE(added.ok()) << text;
        EXPECT_THAT(added.error().message, HasSubstr("oneDNN's program printed what cannot be read"));
    }
}

TEST(OnednnRival, IsTheOneThatTheEnvironmentNames) {
    const testing::TemporaryFolder folder;
    testing::writeOnednnScript(folder / "onednn");
    ::setenv("BITLOOM_ONEDNN_RIVAL", (folder / "onednn").c_str(), 1);
    EXPECT_EQ(onednnRival(), folder / "onednn");
    ::setenv("BITLOOM_ONEDNN_RIVAL", "/nowhere/onednn", 1);
    EXPECT_NE(onednnRival(), std::optional<fs::path>("/nowhere/onednn"));
    ::unsetenv("BITLOOM_ONEDNN_RIVAL");
}

}  // namespace
}  // namespace bitloom::jobs
