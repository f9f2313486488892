// `bitloom sweep` through the real program: every combination, what failed beside what did not, and going on.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "engine/jobs/job_spec.h"
#include "engine/jobs/run_playback.h"
#include "tests/app/cli_job.h"
#include "tests/app/cli_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class CliSweep : public ::testing::Test {
  protected:
    CliSweep() { writeSmallJob(m_folder / "job.toml"); }
    [[nodiscard]] ProcessResult sweep(const std::vector<std::string>& more) const {
        std::vector<std::string> arguments{"sweep", m_folder / "job.toml", "--out", m_folder / "a b",
                                           "--set", "train.steps=2",       "--json"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return runBitloom(arguments);
    }
    static std::string entryOf(const Json& result, const std::string& name, const char* entry) {
        for (const Json& run : result.at("runs")) {
            if (run.at("name") == name) return run.at(entry);
        }
        return "absent";
    }
    static std::string stateOf(const Json& result, const std::string& name) {
        return entryOf(result, name, "state");
    }
    static std::string messageOf(const Json& result, const std::string& name) {
        return entryOf(result, name, "message");
    }
    static std::filesystem::path checkpointOf(const std::filesystem::path& run, int step) {
        return std::filesystem::path(run.string() + ".ckpt") /
               ("step-" + std::to_string(step) + ".safetensors");
    }
    testing::TemporaryFolder m_folder;
};

TEST_F(CliSweep, TrainsEveryCombinationAndKeepsWhatIsFinished) {
    const std::vector<std::string> grid{"--grid",         "quantizer.bits=2,3", "--grid",
                                        "train.seed=1,2", "--processes",        "2"};
    const ProcessResult first = sweep(grid);
    ASSERT_EQ(first.exitCode, 0) << first.err;
    const Json result = Json::parse(first.out);
    ASSERT_EQ(result["runs"].size(), 4u);
    EXPECT_EQ(result["runs"][1]["name"], "bits-2_seed-2") << "the last key fastest";
    EXPECT_EQ(result["runs"][1]["bits"], 2.0);
    EXPECT_EQ(result["runs"][3]["bits"], 3.0);
    for (const Json& run : result["runs"]) {
        EXPECT_EQ(run["state"], "done");
        EXPECT_TRUE(run["top1_hard"].is_number());
    }
    const std::filesystem::path log = m_folder / "a b/bits-2_seed-2.log";
    EXPECT_TRUE(std::filesystem::exists(log));
    const ProcessResult again = sweep(grid);
    ASSERT_EQ(again.exitCode, 0) << again.err;
    EXPECT_EQ(stateOf(Json::parse(again.out), "bits-3_seed-1"), "kept");
}

TEST_F(CliSweep, ItsThreadsGiveWayToASettingOfTheHand) {
    const auto threads = [&](const std::vector<std::string>& more, const char* bits) {
        std::vector<std::string> arguments{"--grid", "quantizer.bits=" + std::string(bits)};
        arguments.insert(arguments.end(), more.begin(), more.end());
        EXPECT_EQ(sweep(arguments).exitCode, 0);
        const auto run = jobs::RunPlayback::open(m_folder / "a b" / ("bits-" + std::string(bits) + ".h5"));
        if (!run) return -1;
        const auto job = jobs::parseJob((*run)->info().jobToml, "run", m_folder.path());
        return job ? job->train.threads : -1;
    };
    EXPECT_EQ(threads({}, "2"), 1);
    EXPECT_EQ(threads({"--threads", "3"}, "3"), 3);
    EXPECT_EQ(threads({"--threads", "3", "--set", "train.threads=2"}, "4"), 2);
}

TEST_F(CliSweep, AFailingJobLeavesTheOthersAlone) {
    const ProcessResult mixed =
        sweep({"--grid", "model.weights=,none.pth", "--grid", "quantizer.method=dgms,dgns"});
    EXPECT_EQ(mixed.exitCode, 2) << "an empty value is a mistake of the hand";
    const ProcessResult result =
        sweep({"--grid", "quantizer.method=dgms,dgns", "--grid", "data.batch=8,512"});
    EXPECT_EQ(result.exitCode, 1);
    EXPECT_THAT(result.err, HasSubstr("3 of 4 runs failed"));
    const Json runs = Json::parse(result.out);
    EXPECT_EQ(stateOf(runs, "method-dgms_batch-8"), "done");
    EXPECT_EQ(stateOf(runs, "method-dgns_batch-8"), "failed");
    EXPECT_THAT(result.err, HasSubstr("method-dgns_batch-8: failed")) << "told and counted like any other";
    EXPECT_EQ(stateOf(runs, "method-dgms_batch-512"), "failed");
    EXPECT_THAT(messageOf(runs, "method-dgms_batch-512"), HasSubstr("data.batch"));
    EXPECT_THAT(messageOf(runs, "method-dgns_batch-8"), HasSubstr("\"dgms\""));
}

TEST_F(CliSweep, ARunThatDivergesLeavesTheOthersAlone) {
    const ProcessResult result = sweep({"--grid", "train.rate=0.01,100", "--set", "train.steps=30", "--set",
                                        "train.weight_decay=1", "--set", "train.schedule=constant"});
    EXPECT_EQ(result.exitCode, 1);
    const Json runs = Json::parse(result.out);
    EXPECT_EQ(stateOf(runs, "rate-0.01"), "done");
    EXPECT_EQ(stateOf(runs, "rate-100"), "failed");
    EXPECT_THAT(messageOf(runs, "rate-100"), HasSubstr("lower the learning rates"));
}

TEST_F(CliSweep, AnUnfinishedRunGoesOn) {
    // So many steps that the run cannot end between its third checkpoint and the signal.
    const std::vector<std::string> settings{"--set", "quantizer.bits=4", "--set", "train.steps=40"};
    const auto trainArguments = [&](const std::filesystem::path& run) {
        std::vector<std::string> arguments{"train", m_folder / "job.toml", "--out", run, "--json"};
        arguments.insert(arguments.end(), settings.begin(), settings.end());
        return arguments;
    };
    const ProcessResult whole = runBitloom(trainArguments(m_folder / "whole.h5"));
    ASSERT_EQ(whole.exitCode, 0) << whole.err;
    const std::filesystem::path run = m_folder / "a b/bits-4.h5";
    std::filesystem::create_directories(run.parent_path());
    {
        BitloomProcess process(trainArguments(run), m_folder.path());
        ASSERT_TRUE(process.waitForFile(checkpointOf(run, 3)));
        process.signal(SIGKILL);
        EXPECT_EQ(process.wait().exitCode, -SIGKILL);
    }
    const ProcessResult result = sweep({"--grid", "quantizer.bits=4", "--set", "train.steps=40"});
    ASSERT_EQ(result.exitCode, 0) << result.err;
    EXPECT_EQ(stateOf(Json::parse(result.out), "bits-4"), "done");
    std::ifstream log(m_folder / "a b/bits-4.log");
    const std::string said{std::istreambuf_iterator<char>(log), {}};
    EXPECT_THAT(said, HasSubstr("continuing from step"));
    EXPECT_EQ(Json::parse(runBitloom({"report", run, "--json"}).out).at("hash"),
              Json::parse(whole.out).at("hash"));
}

TEST_F(CliSweep, CtrlCStopsTheRunsAndRepeatingGoesOn) {
    const std::vector<std::string> arguments{
        "sweep",  m_folder / "job.toml", "--out", m_folder / "runs", "--grid",        "train.seed=1,2",
        "--json", "--processes",         "2",     "--set",           "train.steps=40"};
    const std::vector<std::filesystem::path> runs{m_folder / "runs/seed-1.h5", m_folder / "runs/seed-2.h5"};
    {
        BitloomProcess process(arguments, m_folder.path());
        // Their folder: a checkpoint of the one run may be gone again before the other has any.
        for (const std::filesystem::path& run : runs)
            ASSERT_TRUE(process.waitForFile(run.string() + ".ckpt"));
        process.signal(SIGINT);
        EXPECT_EQ(process.wait().exitCode, 3);
    }
    for (const std::filesystem::path& run : runs) {
        const Json report = Json::parse(runBitloom({"report", run, "--json"}).out);
        EXPECT_EQ(report.at("status"), "stopped") << run << " was given time to save";
        EXPECT_LT(report.at("steps").get<int>(), 40);
    }
    // A process that went on would still hold its run, and this one would be refused.
    const ProcessResult again = runBitloom(arguments);
    ASSERT_EQ(again.exitCode, 0) << again.err;
    for (const std::filesystem::path& run : runs) {
        EXPECT_EQ(stateOf(Json::parse(again.out), run.stem()), "done");
        const Json report = Json::parse(runBitloom({"report", run, "--json"}).out);
        EXPECT_EQ(report.at("steps"), 40);
        std::ifstream log(std::filesystem::path(run).replace_extension(".log"));
        EXPECT_THAT((std::string{std::istreambuf_iterator<char>(log), {}}),
                    HasSubstr("continuing from step"));
    }
}

TEST_F(CliSweep, RunsThatFollowAFileOfBitsAreTheirOwn) {
    const auto writeBits = [&](int bits) {
        std::ofstream(m_folder / "bits.toml")
            << "network = \"resnet20\"\n[bits]\n\"layer1.0.conv1\" = " << bits << '\n';
    };
    writeBits(2);
    const std::vector<std::string> grid{"--grid", "train.seed=1", "--set",
                                        "quantizer.strategy=" + (m_folder / "bits.toml").string()};
    const ProcessResult first = sweep(grid);
    ASSERT_EQ(first.exitCode, 0) << first.err << first.out;
    const ProcessResult again = sweep(grid);
    ASSERT_EQ(again.exitCode, 0) << again.err << again.out;
    EXPECT_EQ(stateOf(Json::parse(again.out), "seed-1"), "kept");
    writeBits(5);
    const ProcessResult edited = sweep(grid);
    EXPECT_EQ(edited.exitCode, 1);
    EXPECT_THAT(messageOf(Json::parse(edited.out), "seed-1"), HasSubstr("a run of another job"));
}

TEST_F(CliSweep, AnothersRunIsNotTouched) {
    std::filesystem::create_directories(m_folder / "a b");
    ASSERT_EQ(runBitloom({"train", m_folder / "job.toml", "--out", m_folder / "a b/bits-4.h5", "--set",
                          "train.steps=3"})
                  .exitCode,
              0);
    const ProcessResult result = sweep({"--grid", "quantizer.bits=4,5"});
    EXPECT_EQ(result.exitCode, 1);
    const Json runs = Json::parse(result.out);
    EXPECT_EQ(stateOf(runs, "bits-4"), "failed");
    EXPECT_THAT(messageOf(runs, "bits-4"), HasSubstr("a run of another job"));
    EXPECT_EQ(stateOf(runs, "bits-5"), "done");
}

TEST_F(CliSweep, UsageErrorsNameTheGrid) {
    EXPECT_THAT(sweep({"--grid", "quantizer.bits"}).err, HasSubstr("KEY=VALUE,VALUE"));
    EXPECT_THAT(sweep({"--grid", "quantizer.bits=2", "--grid", "quantizer.bits=3"}).err,
                HasSubstr("given twice"));
    EXPECT_THAT(sweep({"--grid", "quantizer.bits=2,2"}).err, HasSubstr("bits-2"));
    EXPECT_THAT(sweep({"--grid", "quantizer.bit=2,3"}).err, HasSubstr("did you mean"));
    EXPECT_THAT(sweep({"--grid", "quantizer.bits=2", "--processes", "0"}).err, HasSubstr("--processes 0"));
    const ProcessResult values =
        sweep({"--grid", "quantizer.values=[-1,1],[-1,0,1]", "--set", "quantizer.method=sgt"});
    EXPECT_EQ(values.exitCode, 0) << values.err;
    EXPECT_EQ(Json::parse(values.out)["runs"].size(), 2u) << "commas in brackets belong to a value";
}

}  // namespace
}  // namespace bitloom::app
