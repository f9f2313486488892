// The command line inside this process: help, usage, errors, tables. The program itself:
// cli_program_test.cpp.
#include "app/cli.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "app/cli_output.h"
#include "app/cli_progress.h"
#include "app/cli_report.h"
#include "tests/app/cli_job.h"
#include "tests/app/cli_process.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

/// Runs one command here, with a window that tells what it was given.
ProcessResult runHere(std::vector<std::string> arguments) {
    FrontEnd frontEnd;
    frontEnd.window = [](const WindowOptions& options) {
        printText(fmt::format("window open={} job={} start={} capture={} until={} theme={}\n", options.open,
                              options.job, options.start, options.captureFolder, options.untilStep,
                              options.theme));
        return 0;
    };
    frontEnd.plot = [](const PlotOptions& options, report::ProgressSink&, JobControl&) -> Result<PlotResult> {
        if (options.view == "landscape") return PlotResult{{}, -1, {{"images", 1000}, {"loss", 0.5}}};
        if (options.layer == "none") return fail("no layer none");
        if (options.theme == "dark") return PlotResult{"conv1", 7, {}};
        printText(fmt::format("plot {} {} {} {} {}x{}\n", options.run, options.view, options.step,
                              options.out, options.width, options.height));
        return PlotResult{};
    };
    arguments.insert(arguments.begin(), "bitloom");
    std::vector<char*> argv;
    argv.reserve(arguments.size());
    for (std::string& argument : arguments)
        argv.push_back(argument.data());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exitCode = runCli(static_cast<int>(argv.size()), argv.data(), frontEnd);
    return {exitCode, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

TEST(Cli, HelpListsTheVerbsWithExamples) {
    const ProcessResult help = runHere({"--help"});
    EXPECT_EQ(help.exitCode, 0);
    for (const char* verb : {"inspect", "evaluate", "train", "sweep", "report", "plot", "export", "devices",
                             "bench", "tune", "parity", "window"}) {
        EXPECT_THAT(help.out, HasSubstr(verb));
        const ProcessResult own = runHere({verb, "--help"});
        EXPECT_EQ(own.exitCode, 0) << verb;
        EXPECT_THAT(own.out, HasSubstr(std::string("bitloom ") + verb)) << verb;
    }
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
        {"train", "--resume", "run.h5", "--replace"},
        {"trian", "job.toml"},
        {"export", "run.h5", "--to", "onyx", "--out", "x"},
        {"plot", "run.h5"},
        {"window", "--theme", "pink"},
        {"window", "--capture", "pictures"},
        {"window", "run.h5", "--capture", "pictures", "--until-step", "3"},
    };
    for (const auto& arguments : wrong) {
        const ProcessResult result = runHere(arguments);
        EXPECT_EQ(result.exitCode, 2) << arguments.front() << ": " << result.err;
        EXPECT_THAT(result.err, HasSubstr("bitloom: error:"));
        EXPECT_EQ(result.out, "");
    }
    EXPECT_THAT(runHere({"trian"}).err, HasSubstr("did you mean train?"));
    EXPECT_THAT(runHere({"trian", "job.toml", "--out", "run.h5"}).err,
                AllOf(HasSubstr("'trian'"), HasSubstr("did you mean train?")));
    EXPECT_THAT(runHere({"train", "job.toml", "--otu=run.h5"}).err,
                HasSubstr("did you mean --out instead of --otu?"));
    EXPECT_THAT(runHere({"plot", "run.h5", "--veiw", "mixture", "--out", "a.svg"}).err,
                HasSubstr("did you mean --view instead of --veiw?"));
    EXPECT_THAT(runHere({"train", "--resume", "run.h5", "--replace"}).err, HasSubstr("--replace"));
}

TEST(Cli, MissingFilesExitWithOneAndAreNamed) {
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"inspect", "none.pth"},
                                               {"evaluate", "--weights", "none.pth", "--data", "generated"},
                                               {"train", "none.pth", "--out", "run.h5"},
                                               {"train", "--resume", "none.pth"},
                                               {"report", "none.pth"},
                                               {"export", "none.pth", "--to", "hdf5", "--out", "x.h5"}}) {
        const ProcessResult result = runHere(arguments);
        EXPECT_EQ(result.exitCode, 1) << arguments.front() << ": " << result.err;
        EXPECT_THAT(result.err, HasSubstr("none.pth"));
    }
}

TEST(Cli, JobMistakesExitWithTwoAndNameTheNearestKey) {
    const testing::TemporaryFolder folder;
    writeSmallJob(folder / "job.toml");
    std::ofstream(folder / "typo.toml") << "[train]\nepocs = 3\n";
    const ProcessResult typo = runHere({"train", folder / "typo.toml", "--out", folder / "run.h5"});
    EXPECT_EQ(typo.exitCode, 2);
    EXPECT_THAT(typo.err, AllOf(HasSubstr("typo.toml:2"), HasSubstr("did you mean train.epochs?")));
    const ProcessResult set =
        runHere({"train", folder / "job.toml", "--out", folder / "run.h5", "--set", "quantizer.bits=12"});
    EXPECT_EQ(set.exitCode, 2);
    EXPECT_THAT(set.err, HasSubstr("from 1 to 8"));
}

TEST(Cli, KeysOfAJobAreListed) {
    const ProcessResult text = runHere({"train", "--keys"});
    EXPECT_EQ(text.exitCode, 0);
    EXPECT_THAT(text.out, AllOf(HasSubstr("quantizer.bits"), HasSubstr("train.rate_mu")));
    const Json keys = Json::parse(runHere({"train", "--keys", "--json"}).out);
    EXPECT_GT(keys.size(), 40u);
}

TEST(Cli, WindowAndPlotGetTheirOptions) {
    const testing::TemporaryFolder folder;
    const std::string job = folder / "job.toml";
    writeSmallJob(job);
    EXPECT_THAT(runHere({}).out, HasSubstr("window open= job= start=false"));
    EXPECT_THAT(runHere({job}).out, HasSubstr("window open=" + job));
    EXPECT_THAT(runHere({"window", "--job", job, "--start", "--capture", "pictures", "--until-step", "200",
                         "--theme", "dark"})
                    .out,
                HasSubstr("job=" + job + " start=true capture=pictures until=200 theme=dark"));
    EXPECT_EQ(runHere({"window", "--start"}).exitCode, 2);
    EXPECT_THAT(runHere({"plot", "run.h5", "--view", "mixture", "--out", "a.svg"}).out,
                HasSubstr("plot run.h5 mixture last a.svg 1200x800"));
    const ProcessResult failed =
        runHere({"plot", "run.h5", "--view", "mixture", "--layer", "none", "--out", "a.svg"});
    EXPECT_EQ(failed.exitCode, 1);
    EXPECT_THAT(failed.err, HasSubstr("no layer none"));
}

TEST(Cli, PlotTellsWhatItDrewAsJson) {
    const ProcessResult drawn =
        runHere({"plot", "run.h5", "--view", "mixture", "--theme", "dark", "--out", "a.svg", "--json"});
    EXPECT_EQ(drawn.exitCode, 0) << drawn.err;
    const Json json = Json::parse(drawn.out);
    const Json expected = {{"out", "a.svg"}, {"view", "mixture"}, {"layer", "conv1"}, {"step", 7}};
    EXPECT_EQ(json, expected);
}

TEST(Cli, PlotTellsTheFiguresOfWhatItComputed) {
    const ProcessResult drawn = runHere({"plot", "run.h5", "--view", "landscape", "--grid", "11", "--range",
                                         "0.5", "--seed", "3", "--out", "a.svg", "--json"});
    EXPECT_EQ(drawn.exitCode, 0) << drawn.err;
    const Json expected = {{"out", "a.svg"},  {"view", "landscape"}, {"layer", nullptr},
                           {"step", nullptr}, {"images", 1000},      {"loss", 0.5}};
    EXPECT_EQ(Json::parse(drawn.out), expected);
}

TEST(Cli, ABuildWithoutAWindowSaysSo) {
    for (std::vector<std::string> arguments : std::vector<std::vector<std::string>>{
             {"bitloom"}, {"bitloom", "window"}, {"bitloom", "plot", "r", "--view", "v", "--out", "o"}}) {
        std::vector<char*> argv;
        argv.reserve(arguments.size());
        for (std::string& argument : arguments)
            argv.push_back(argument.data());
        ::testing::internal::CaptureStderr();
        EXPECT_EQ(runCli(static_cast<int>(argv.size()), argv.data(), {}), 2);
        EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("no window"));
    }
}

TEST(CliOutput, TablesAlignTextLeftAndNumbersRight) {
    Table table({"layer", "bits"});
    table.add({"conv1", "32"});
    table.add({"layer1.0.conv1", "3"});
    EXPECT_EQ(table.text(),
              "layer           bits\n"
              "conv1             32\n"
              "layer1.0.conv1     3\n");
    EXPECT_EQ(fieldsText({{"a", "1"}, {"long", "2"}}), "a     1\nlong  2\n");
}

TEST(CliReport, WhatWasNotMeasuredIsNotPrinted) {
    jobs::RunReport report;
    report.summary.bits = report.summary.sparsity = report.summary.mse = report::kNoValue;
    report.steps = -1;
    report.summary.nonzeroParameters = report.summary.fileBytes = -1;
    report::LayerInfo layer;
    layer.name = "conv1";
    layer.quantized = true;
    report.layers.push_back({layer, report::kNoValue, report::kNoValue, report::kNoValue, -1});
    const std::string text = toText(report);
    EXPECT_THAT(text, Not(HasSubstr("nan")));
    for (const char* name : {"Bits", "Sparsity", "Non-zero parameters", "Bit operations", "Packed file"})
        EXPECT_THAT(text, ContainsRegex(fmt::format("\n{} +-\n", name)));
    EXPECT_THAT(text, HasSubstr("running, - of 0 steps"));
    EXPECT_THAT(text, ContainsRegex("\nconv1 .* - +- +- +-\n"));
    const Json json = Json::parse(toJson(report).dump());
    for (const char* key :
         {"bits", "sparsity", "mse", "bitops", "bitops_of_mean_bits", "bytes_of_mean_bits", "wcr",
          "compression_rate", "file_compression", "nonzero_params", "file_bytes", "steps"})
        EXPECT_TRUE(json.at(key).is_null()) << key;
    EXPECT_TRUE(json.at("layers").at(0).at("sparsity").is_null());
    EXPECT_TRUE(json.at("layers").at(0).at("packed_bytes").is_null());
}

TEST(CliOutput, ValuesReadWell) {
    EXPECT_EQ(percentText(91.7349), "91.73 %");
    EXPECT_EQ(percentText(report::kNoValue), "-");
    EXPECT_EQ(numberText(13.5444), "13.54");
    EXPECT_EQ(bytesText(999), "999 bytes");
    EXPECT_EQ(bytesText(1082345), "1082.3 kB (1082345 bytes)");
    EXPECT_EQ(bytesText(138408), "138.4 kB (138408 bytes)");
    EXPECT_EQ(bytesText(46800000), "46.8 MB (46800000 bytes)");
}

TEST(CliOutput, ProgressTellsWhereTheJobStands) {
    EXPECT_EQ(progressText({"initialising", 0, 0, 0, report::kNoValue}), "initialising");
    EXPECT_EQ(progressText({"training", 120, 390, 4.125, 65.2}),
              "training 120/390, 4.12 steps/s, 01:06 left");
    EXPECT_EQ(progressText({"training", 1, 2, 0.5, 7265}), "training 1/2, 0.50 steps/s, 2:01:05 left");
}

}  // namespace
}  // namespace bitloom::app
