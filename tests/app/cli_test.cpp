// The real program: help, exit codes, tables and JSON.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/app/cli_job.h"
#include "tests/app/cli_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

TEST(Cli, HelpListsTheVerbsWithExamples) {
    const ProcessResult help = runBitloom({"--help"});
    EXPECT_EQ(help.exitCode, 0);
    for (const char* verb : {"inspect", "evaluate", "train", "report", "plot", "export", "window"}) {
        EXPECT_THAT(help.out, HasSubstr(verb));
        const ProcessResult own = runBitloom({verb, "--help"});
        EXPECT_EQ(own.exitCode, 0) << verb;
        EXPECT_THAT(own.out, HasSubstr(std::string("bitloom ") + verb)) << verb;
    }
}

TEST(Cli, VersionIsPrinted) {
    const ProcessResult version = runBitloom({"--version"});
    EXPECT_EQ(version.exitCode, 0);
    EXPECT_THAT(version.out, ::testing::MatchesRegex("bitloom [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(Cli, UsageErrorsExitWithTwo) {
    const std::vector<std::vector<std::string>> wrong = {
        {"trian"},
        {"inspect"},
        {"inspect", "--bogus", "x"},
        {"evaluate", "--weights", "x"},
        {"evaluate", "--weights", "x", "--data", "generated", "--batch", "0"},
        {"train"},
        {"train", "job.toml"},
        {"train", "job.toml", "--resume", "run.h5"},
        {"export", "run.h5", "--to", "onyx", "--out", "x"},
        {"plot", "run.h5"},
        {"window", "--theme", "pink"},
    };
    for (const auto& arguments : wrong) {
        const ProcessResult result = runBitloom(arguments);
        EXPECT_EQ(result.exitCode, 2) << arguments.front() << ": " << result.err;
        EXPECT_THAT(result.err, HasSubstr("bitloom: error:"));
        EXPECT_EQ(result.out, "");
    }
    EXPECT_THAT(runBitloom({"trian"}).err, HasSubstr("did you mean train?"));
}

TEST(Cli, MissingFilesExitWithOneAndAreNamed) {
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"inspect", "none.pth"},
                                               {"evaluate", "--weights", "none.pth", "--data", "generated"},
                                               {"train", "none.pth", "--out", "run.h5"},
                                               {"train", "--resume", "none.pth"},
                                               {"report", "none.pth"},
                                               {"export", "none.pth", "--to", "hdf5", "--out", "x.h5"}}) {
        const ProcessResult result = runBitloom(arguments);
        EXPECT_EQ(result.exitCode, 1) << arguments.front() << ": " << result.err;
        EXPECT_THAT(result.err, HasSubstr("none.pth"));
    }
}

TEST(Cli, JobMistakesExitWithTwoAndNameTheNearestKey) {
    const testing::TemporaryFolder folder;
    writeSmallJob(folder / "job.toml");
    std::ofstream(folder / "typo.toml") << "[train]\nepocs = 3\n";
    const ProcessResult typo = runBitloom({"train", folder / "typo.toml", "--out", folder / "run.h5"});
    EXPECT_EQ(typo.exitCode, 2);
    EXPECT_THAT(typo.err, AllOf(HasSubstr("typo.toml:2"), HasSubstr("did you mean train.epochs?")));
    const ProcessResult set =
        runBitloom({"train", folder / "job.toml", "--out", folder / "run.h5", "--set", "quantizer.bits=12"});
    EXPECT_EQ(set.exitCode, 2);
    EXPECT_THAT(set.err, HasSubstr("from 1 to 8"));
}

TEST(Cli, KeysOfAJobAreListed) {
    const ProcessResult text = runBitloom({"train", "--keys"});
    EXPECT_EQ(text.exitCode, 0);
    EXPECT_THAT(text.out, AllOf(HasSubstr("quantizer.bits"), HasSubstr("train.rate_mu")));
    const Json keys = Json::parse(runBitloom({"train", "--keys", "--json"}).out);
    EXPECT_GT(keys.size(), 40u);
}

TEST(Cli, ARunFromTrainingToExport) {
    const testing::TemporaryFolder folder;
    writeSmallJob(folder / "job.toml");
    const std::string run = folder / "run.h5";
    const ProcessResult trained = runBitloom({"train", folder / "job.toml", "--out", run, "--set",
                                              "quantizer.bits=2", "--set", "train.steps=2", "--json"});
    ASSERT_EQ(trained.exitCode, 0) << trained.err;
    const Json summary = Json::parse(trained.out);
    EXPECT_EQ(summary["bits"], 2.0);
    EXPECT_EQ(summary["steps"], 2);
    EXPECT_EQ(summary["status"], "finished");
    EXPECT_THAT(summary["command"].get<std::string>(), HasSubstr("--set quantizer.bits=2"));

    const ProcessResult reported = runBitloom({"report", run, "--json"});
    ASSERT_EQ(reported.exitCode, 0) << reported.err;
    const Json report = Json::parse(reported.out);
    for (const char* key : {"top1_fp32", "top1_soft", "top1_hard", "bits", "sparsity", "nonzero_params",
                            "compression_rate", "file_bytes", "file_compression", "mse", "layers"}) {
        EXPECT_TRUE(report.contains(key)) << key;
    }
    EXPECT_EQ(report["hash"], summary["hash"]);
    EXPECT_EQ(report["layers"].size(), 20u);
    EXPECT_THAT(runBitloom({"report", run}).out, AllOf(HasSubstr("Top-1 hard"), HasSubstr("layer3.2.conv2")));

    const std::string net = folder / "net.safetensors";
    const ProcessResult exported = runBitloom({"export", run, "--to", "safetensors", "--out", net, "--json"});
    ASSERT_EQ(exported.exitCode, 0) << exported.err;
    const Json file = Json::parse(exported.out);
    EXPECT_EQ(file["identical"], true);
    EXPECT_EQ(file["bytes"], report["file_bytes"]);
    EXPECT_EQ(file["top1_file"], report["top1_hard"]);

    const Json inspected = Json::parse(runBitloom({"inspect", net, "--json"}).out);
    EXPECT_EQ(inspected["arch"], "resnet20");
    EXPECT_EQ(inspected["format"], "safetensors");
    const ProcessResult evaluated =
        runBitloom({"evaluate", "--weights", net, "--data", "generated:1,64,64", "--images", "32", "--json"});
    ASSERT_EQ(evaluated.exitCode, 0) << evaluated.err;
    const Json accuracy = Json::parse(evaluated.out);
    EXPECT_EQ(accuracy["arch"], "resnet20");
    EXPECT_EQ(accuracy["images"], 32);
    EXPECT_TRUE(accuracy["top1"].is_number() && accuracy["top5"].is_number() &&
                accuracy["seconds"].is_number());
}

}  // namespace
}  // namespace bitloom::app
