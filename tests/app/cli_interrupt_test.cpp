// Ctrl-C, SIGTERM and kill -9 at various moments: the run continues and ends with the bits of an
// uninterrupted one.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/app/cli_job.h"
#include "tests/app/cli_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const std::vector<std::string> kMoreSteps = {"--set", "train.steps=12"};

std::vector<std::string> trainArguments(const fs::path& folder, const fs::path& run) {
    std::vector<std::string> arguments = {"train", folder / "job.toml", "--out", run, "--json"};
    arguments.insert(arguments.end(), kMoreSteps.begin(), kMoreSteps.end());
    return arguments;
}

fs::path checkpoint(const fs::path& run, int step) {
    return fs::path(run.string() + ".ckpt") / ("step-" + std::to_string(step) + ".safetensors");
}

std::string hashOf(const ProcessResult& result) {
    EXPECT_EQ(result.exitCode, 0) << result.err;
    return Json::parse(result.out).at("hash").get<std::string>();
}

TEST(CliInterrupt, KillAtAnyMomentThenResumeEndsWithTheSameHash) {
    const testing::TemporaryFolder folder;
    writeSmallJob(folder / "job.toml");
    const std::string whole = hashOf(runBitloom(trainArguments(folder.path(), folder / "whole.h5")));
    const fs::path run = folder / "run.h5";
    {
        BitloomProcess process(trainArguments(folder.path(), run), folder.path());
        ASSERT_TRUE(process.waitForFile(checkpoint(run, 3)));
        process.signal(SIGKILL);
        EXPECT_EQ(process.wait().exitCode, -SIGKILL);
    }
    ASSERT_TRUE(fs::exists(run)) << "the run file is there before the first checkpoint";
    {
        // Again, in the middle of the resumed run.
        BitloomProcess process({"train", "--resume", run}, folder.path());
        ASSERT_TRUE(process.waitForFile(checkpoint(run, 8)));
        process.signal(SIGKILL);
        EXPECT_EQ(process.wait().exitCode, -SIGKILL);
    }
    const ProcessResult report = runBitloom({"report", run, "--json"});
    ASSERT_EQ(report.exitCode, 0) << report.err;
    EXPECT_GT(Json::parse(report.out).at("file_bytes").get<int>(), 0) << "a killed run can be reported";
    EXPECT_EQ(hashOf(runBitloom({"train", "--resume", run, "--json"})), whole);
    EXPECT_EQ(hashOf(runBitloom({"train", "--resume", run, "--json"})), whole)
        << "a finished run stays as it is";
}

TEST(CliInterrupt, SignalsSaveAndStop) {
    const testing::TemporaryFolder folder;
    writeSmallJob(folder / "job.toml");
    const std::string whole = hashOf(runBitloom(trainArguments(folder.path(), folder / "whole.h5")));
    for (const int number : {SIGINT, SIGTERM}) {
        const fs::path run = folder / ("run" + std::to_string(number) + ".h5");
        BitloomProcess process(trainArguments(folder.path(), run), folder.path());
        ASSERT_TRUE(process.waitForFile(checkpoint(run, 2)));
        process.signal(number);
        const ProcessResult stopped = process.wait();
        EXPECT_EQ(stopped.exitCode, 3) << stopped.err;
        EXPECT_THAT(stopped.err, HasSubstr("bitloom train --resume " + run.string()));
        EXPECT_EQ(hashOf(runBitloom({"train", "--resume", run, "--json"})), whole);
    }
}

}  // namespace
}  // namespace bitloom::app
