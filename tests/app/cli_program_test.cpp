// The real program: what only a process of its own can show, and one run from training to export.
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

TEST(CliProgram, HelpVersionAndExitCodes) {
    const ProcessResult help = runBitloom({"--help"});
    EXPECT_EQ(help.exitCode, 0);
    EXPECT_THAT(help.out, HasSubstr("bitloom inspect net.pth"));
    const ProcessResult version = runBitloom({"--version"});
    EXPECT_EQ(version.exitCode, 0);
    EXPECT_THAT(version.out, ::testing::MatchesRegex("bitloom [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    const ProcessResult usage = runBitloom({"train", "job.toml"});
    EXPECT_EQ(usage.exitCode, 2);
    EXPECT_THAT(usage.err, HasSubstr("--out run.h5"));
    const ProcessResult missing = runBitloom({"inspect", "none.pth", "--json"});
    EXPECT_EQ(missing.exitCode, 1);
    EXPECT_THAT(missing.err, HasSubstr("none.pth"));
    EXPECT_EQ(missing.out, "");
}

TEST(CliProgram, ARunFromTrainingToExport) {
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

TEST(CliProgram, ActivationsFromTrainingToExport) {
    const testing::TemporaryFolder folder;
    writeSmallJob(folder / "job.toml");
    EXPECT_THAT(runBitloom({"train", "--keys"}).out,
                AllOf(HasSubstr("activation.method"), HasSubstr("train.rate_activation_step")));
    const std::string run = folder / "run.h5";
    const std::vector<std::string> train = {"train", folder / "job.toml",     "--out", run,
                                            "--set", "activation.method=lsq", "--set", "activation.bits=4",
                                            "--set", "activation.images=16",  "--json"};
    const ProcessResult trained = runBitloom(train);
    ASSERT_EQ(trained.exitCode, 0) << trained.err;
    const Json summary = Json::parse(trained.out);
    EXPECT_EQ(summary["layers"][0]["activation_bits"], 8);
    EXPECT_EQ(summary["layers"][2]["activation_bits"], 4);
    EXPECT_THAT(runBitloom({"report", run}).out, HasSubstr("activation"));

    const std::string plain = folder / "plain.h5";
    ASSERT_EQ(runBitloom({"train", folder / "job.toml", "--out", plain}).exitCode, 0);
    const std::string net = folder / "net.safetensors";
    const std::vector<std::string> rounding = {"export", plain, "--to",  "safetensors",
                                               "--out",  net,   "--json"};
    std::vector<std::string> good = rounding;
    for (const char* text : {"activation.bits=8", "activation.images=16", "activation.iterations=1"})
        good.insert(good.end(), {"--set", text});
    const ProcessResult exported = runBitloom(good);
    ASSERT_EQ(exported.exitCode, 0) << exported.err;
    const Json file = Json::parse(exported.out);
    EXPECT_EQ(file["identical"], true);
    const ProcessResult evaluated = runBitloom({"evaluate", "--weights", net, "--data", "generated:1,64,64",
                                                "--images", "32", "--batch", "8", "--json"});
    ASSERT_EQ(evaluated.exitCode, 0) << evaluated.err;
    EXPECT_EQ(Json::parse(evaluated.out)["top1"], file["top1_file"]);

    std::vector<std::string> wrong = rounding;
    wrong.insert(wrong.end(), {"--set", "train.epochs=2"});
    const ProcessResult refused = runBitloom(wrong);
    EXPECT_EQ(refused.exitCode, 2);
    EXPECT_THAT(refused.err, HasSubstr("keys of [activation] alone"));
}

}  // namespace
}  // namespace bitloom::app
