// `devices`, `bench`, `tune`, `parity` and `export --to bundle`, through the program itself: exit codes and
// the JSON that they promise. What they compute is tested in tests/jobs, tests/device and tests/qsimd.
#include <cstdlib>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/app/cli_bad_input.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "tests/support/onednn_script.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;

const std::string kRunnerProgram = fs::path(BITLOOM_PROGRAM).parent_path() / "bitloom_runner";

std::set<std::string> keysOf(const nlohmann::json& object) {
    std::set<std::string> keys;
    for (const auto& entry : object.items())
        keys.insert(entry.key());
    return keys;
}

class CliDevice : public ::testing::Test {
  protected:
    // Schedules of a test's own; no adb server of this computer is started, no oneDNN of it is timed.
    void SetUp() override {
        set("XDG_CACHE_HOME", m_folder.path());
        set("BITLOOM_ADB", "/nowhere/adb");
        testing::writeOnednnScript(m_folder / "onednn");
        set("BITLOOM_ONEDNN_RIVAL", m_folder / "onednn");
    }
    void TearDown() override {
        for (const auto& [name, value] : m_before)
            value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    }

    std::string trainedRun() {
        const ProcessResult trained = runBitloom(trainCommand(m_folder.path()));
        EXPECT_EQ(trained.exitCode, 0) << trained.err;
        return m_folder / "run.h5";
    }

    /// What a command prints that is to succeed; null when it does not.
    static nlohmann::json jsonOf(Arguments arguments) {
        arguments.emplace_back("--json");
        const ProcessResult result = runBitloom(arguments);
        EXPECT_EQ(result.exitCode, 0) << result.err;
        return result.exitCode == 0 ? nlohmann::json::parse(result.out) : nlohmann::json();
    }

    testing::TemporaryFolder m_folder;

  private:
    void set(const std::string& name, const std::string& value) {
        const char* before = std::getenv(name.c_str());
        m_before.emplace(name, before == nullptr ? "" : before);
        ::setenv(name.c_str(), value.c_str(), 1);
    }

    std::map<std::string, std::string> m_before;
};

const std::set<std::string> kDeviceKeys = {"id",       "name",    "abi",      "state",
                                           "os",       "cores",   "features", "memory_bytes",
                                           "emulated", "problem", "kernels"};

/// The list tells clocks and temperatures as well.
std::set<std::string> withConditions(std::set<std::string> keys) {
    keys.insert("conditions");
    return keys;
}

TEST_F(CliDevice, DevicesListsThisComputerAndSaysWhyNoPhone) {
    const nlohmann::json json = jsonOf({"devices"});
    ASSERT_EQ(keysOf(json), (std::set<std::string>{"devices", "adb_problem"}));
    EXPECT_THAT(json["adb_problem"].get<std::string>(),
                AllOf(HasSubstr("/nowhere/adb"), HasSubstr("apt install adb")));
    ASSERT_EQ(json["devices"].size(), 1u);
    const nlohmann::json& host = json["devices"][0];
    EXPECT_EQ(keysOf(host), withConditions(kDeviceKeys));
    EXPECT_EQ(host["id"], "host");
    EXPECT_EQ(host["emulated"], false);
    EXPECT_EQ(host["problem"], "");
    EXPECT_GT(host["memory_bytes"].get<std::int64_t>(), 0);
    ASSERT_FALSE(host["cores"].empty());
    EXPECT_EQ(keysOf(host["cores"][0]), (std::set<std::string>{"index", "capacity", "part", "max_mhz",
                                                               "governor", "allowed", "first_sibling"}));
    EXPECT_THAT(runBitloom({"devices"}).out, AllOf(HasSubstr("host"), HasSubstr("Phones: ")));
}

TEST_F(CliDevice, DevicesListsAPhoneWhichIsEmulated) {
    if (!testing::AdbServer::available()) GTEST_SKIP() << "adb or qemu-aarch64 is missing";
    testing::AdbServer server;
    const testing::EmulatedPhone phone;
    server.connect(phone.serial());
    const nlohmann::json json = jsonOf({"devices"});
    EXPECT_EQ(json["adb_problem"], "");
    ASSERT_EQ(json["devices"].size(), 2u);
    const nlohmann::json& listed = json["devices"][1];
    EXPECT_EQ(keysOf(listed), withConditions(kDeviceKeys));
    EXPECT_EQ(listed["id"], phone.serial());
    EXPECT_EQ(listed["emulated"], true);
    EXPECT_EQ(listed["abi"], "arm64-v8a");
    EXPECT_EQ(listed["cores"].size(), 8u);
    EXPECT_THAT(listed["features"].get<std::vector<std::string>>(), Contains("asimddp"));

    expectRefusal(runBitloom({"bench", "--arch", "resnet20", "--device", "0123456789"}), 4,
                  {"0123456789", "no such device", "host", phone.serial()});
    const testing::EmulatedPhone stranger("unauthorized");
    server.connect(stranger.serial());
    expectRefusal(runBitloom({"tune", "--arch", "resnet20", "--device", stranger.serial()}), 4,
                  {stranger.serial(), "accept the prompt"});
}

TEST_F(CliDevice, WithoutTheDeviceTheExitCodeIsFour) {
    for (const Arguments& start :
         {Arguments{"bench", "--arch", "resnet20"}, {"tune", "--arch", "resnet20"}, {"parity", "run.h5"}}) {
        Arguments arguments = start;
        arguments.insert(arguments.end(), {"--device", "$(reboot)", "--json"});
        SCOPED_TRACE(arguments.front());
        expectRefusal(runBitloom(arguments), 4, {"/nowhere/adb", "apt install adb"});
    }
}

/// Times of one family, of a network or of a layer.
void expectTiming(const nlohmann::json& timing, std::size_t samples, const std::string& where) {
    SCOPED_TRACE(where);
    for (const char* key : {"median_ms", "p10_ms", "p90_ms", "gmacs", "percent_of_peak", "weight_bytes"}) {
        ASSERT_TRUE(timing.contains(key)) << key;
        EXPECT_GT(timing[key].get<double>(), 0) << key;
    }
    ASSERT_EQ(timing["samples"].size(), samples);
    EXPECT_LE(timing["p10_ms"].get<double>(), timing["median_ms"].get<double>());
    EXPECT_LE(timing["median_ms"].get<double>(), timing["p90_ms"].get<double>());
    EXPECT_THAT(timing["verdict"].get<std::string>(), AnyOf("stable", "unstable", "throttled"));
}

TEST_F(CliDevice, BenchTimesARunBesideItsRivals) {
    const nlohmann::json json = jsonOf(
        {"bench", trainedRun(), "--device", "host", "--threads", "1", "--repeat", "3", "--calibration", "4"});
    ASSERT_TRUE(json.contains("network"));
    EXPECT_EQ(json["device"]["id"], "host");
    EXPECT_EQ(keysOf(json["device"]), kDeviceKeys);
    EXPECT_EQ(json["emulated"], false);
    EXPECT_EQ(json["threads"], 1);
    EXPECT_EQ(json["arch"], "resnet20");
    EXPECT_EQ(json["weights"], "run.h5");
    EXPECT_THAT(json["verdict"].get<std::string>(), AnyOf("stable", "unstable", "throttled"));
    EXPECT_NE(json["reason"], "");
    const std::set<std::string> own = {"naive_fp32", "tuned_fp32", "paper_codebook", "k0", "k2"};
    const std::set<std::string> rivals = {"onednn_fp32", "onednn_fp32_direct", "onednn_int8"};
    std::set<std::string> all = own;
    all.insert(rivals.begin(), rivals.end());
    EXPECT_EQ(keysOf(json["network"]), all);
    for (const std::string& family : all) {
        expectTiming(json["network"][family], 3, family);
        EXPECT_GT(json["network"][family]["peak_bytes"], json["network"][family]["weight_bytes"]) << family;
    }
    ASSERT_EQ(json["layers"].size(), 20u);
    EXPECT_EQ(json["layers"][0]["name"], "conv1");
    for (const nlohmann::json& layer : json["layers"]) {
        const std::string name = layer["name"];
        EXPECT_THAT(layer["shape"].get<std::string>(), HasSubstr(" -> ")) << name;
        for (const std::string& family : all)
            expectTiming(layer[family], 3, fmt::format("{} {}", name, family));
        for (const std::string& family : own)
            EXPECT_NE(layer[family]["kernel"], "") << name << " " << family;
    }
    // 3000 ns for each of 20 layers in the first sample, 9000 in the third.
    EXPECT_NEAR(json["network"]["onednn_fp32"]["samples"][0].get<double>(), 0.06, 1e-9);
    EXPECT_NEAR(json["network"]["onednn_fp32"]["samples"][2].get<double>(), 0.18, 1e-9);
}

TEST_F(CliDevice, BenchPrintsTablesOfWhatIsAsked) {
    const ProcessResult timed = runBitloom({"bench", "--arch", "resnet20", "--bits", "2", "--kernels",
                                            "k2,tuned_fp32", "--repeat", "2", "--threads", "2"});
    ASSERT_EQ(timed.exitCode, 0) << timed.err;
    EXPECT_THAT(timed.out,
                AllOf(HasSubstr("random weights, 2 bits"), HasSubstr("Verdict"), HasSubstr("tuned_fp32 ms"),
                      HasSubstr("k2 ms"), HasSubstr("layer3.2.conv2")));
    EXPECT_THAT(timed.out, ::testing::Not(AnyOf(HasSubstr("k0 ms"), HasSubstr("onednn"))))
        << "who names kernels gets those alone";
}

TEST_F(CliDevice, TuneFindsSchedulesAndBenchUsesThem) {
    const nlohmann::json json =
        jsonOf({"tune", "--arch", "resnet20", "--kernels", "k2", "--repeat", "1", "--device", "host"});
    EXPECT_EQ(keysOf(json),
              (std::set<std::string>{"arch", "device", "isa", "threads", "rounds", "network", "layers"}));
    EXPECT_GT(json["rounds"].get<int>(), 0);
    EXPECT_EQ(json["device"]["id"], "host");
    EXPECT_EQ(keysOf(json["network"]), std::set<std::string>{"k2"});
    expectTiming(json["network"]["k2"]["before"], 1, "before");
    expectTiming(json["network"]["k2"]["after"], 1, "after");
    ASSERT_EQ(json["layers"].size(), 20u);
    for (const nlohmann::json& layer : json["layers"]) {
        EXPECT_EQ(keysOf(layer), (std::set<std::string>{"name", "family", "shape", "schedule", "chosen_ms",
                                                        "tuned_ms", "candidates"}));
        EXPECT_GT(layer["candidates"].get<int>(), 1);
        EXPECT_LE(layer["tuned_ms"].get<double>(), layer["chosen_ms"].get<double>());
    }
    EXPECT_EQ(jsonOf({"bench", "--arch", "resnet20", "--kernels", "k2", "--repeat", "1"})["tuned_layers"],
              20);

    const ProcessResult two = runBitloom({"tune", "--arch", "resnet20", "--kernels", "k2", "--repeat", "1",
                                          "--device", "host,nowhere", "--json"});
    EXPECT_EQ(two.exitCode, 4);
    EXPECT_THAT(two.err, HasSubstr("/nowhere/adb"));
    const nlohmann::json those = nlohmann::json::parse(two.out);
    ASSERT_EQ(those.size(), 1u) << "the device that is there is tuned";
    EXPECT_EQ(those[0]["rounds"], 0) << "everything is known";
}

TEST_F(CliDevice, ParityComparesStepsAndImages) {
    const nlohmann::json json = jsonOf({"parity", trainedRun(), "--images", "3"});
    EXPECT_EQ(json["passed"], true);
    EXPECT_EQ(json["device"]["id"], "host");
    EXPECT_EQ(json["weights"], "run.h5");
    ASSERT_EQ(keysOf(json["networks"]), (std::set<std::string>{"k0", "k2"}));
    for (const nlohmann::json& network : json["networks"]) {
        EXPECT_EQ(network["diverges"], nullptr);
        EXPECT_EQ(network["exceeds"], nullptr);
        EXPECT_EQ(network["images"], 3);
        EXPECT_EQ(network["same_outputs"], 3);
        EXPECT_GE(network["steps"].size(), 20u);
        for (const nlohmann::json& step : network["steps"]) {
            EXPECT_EQ(step["same_output"], true) << step["name"];
            EXPECT_EQ(step["same_sums"], true) << step["name"];
        }
    }
    EXPECT_EQ(json["networks"]["k0"]["top1_agreement"], 100.0);
}

TEST_F(CliDevice, ABundleHoldsAModelThatTheRunnerRuns) {
    const fs::path bundle = m_folder / "the bundle";
    const nlohmann::json json = jsonOf({"export", trainedRun(), "--to", "bundle", "--target", "aarch64",
                                        "--calibration", "4", "--out", bundle});
    EXPECT_EQ(json["path"], bundle.string());
    EXPECT_EQ(json["format"], "bundle");
    EXPECT_EQ(json["identical"], true);
    EXPECT_GE(json["top1_file"].get<double>(), 0);
    ASSERT_TRUE(fs::exists(bundle / "model.bitloom"));
    EXPECT_EQ(json["bytes"], fs::file_size(bundle / "model.bitloom"));
    EXPECT_TRUE(fs::exists(bundle / "CMakeLists.txt"));
    EXPECT_THAT(bytesOf(bundle / "README.md"),
                AllOf(HasSubstr("cmake --preset aarch64"), HasSubstr("bitloom export"), HasSubstr("run.h5")));
    const std::string repeated = "cd '" + bundle.string() + "' && '" + kRunnerProgram +
                                 "' model.bitloom --input test_image.bin --expect test_output.bin > said";
    EXPECT_EQ(std::system(repeated.c_str()), 0);
    EXPECT_THAT(bytesOf(bundle / "said"), HasSubstr("10 values are equal to the bit"));

    expectRefusal(
        runBitloom({"export", m_folder / "run.h5", "--to", "bundle", "--calibration", "4", "--out", bundle}),
        1, {bundle, "not empty", "name a new folder"});
}

TEST_F(CliDevice, WrongOptionsAreNamed) {
    const Arguments bench = {"bench", "--arch", "resnet20"};
    const auto with = [](Arguments arguments, const Arguments& more) {
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    };
    const std::vector<std::pair<Arguments, std::string>> wrong = {
        {{"bench"}, "name either a run or a network"},
        {with(bench, {"run.h5"}), "name either a run or a network"},
        {with(bench, {"--bits", "9"}), "--bits is 1 to 8, not 9"},
        {with(bench, {"--threads", "many"}), "--threads"},
        {with(bench, {"--threads", "0"}), "threads, repeat and copies are at least 1"},
        {with(bench, {"--cores", "0,1"}), "--cores names 2 cores for 1 threads"},
        {with(bench, {"--kernels", "k1"}), "unknown kernel family 'k1'; did you mean k"},
        {with(bench, {"--devise", "host"}), "did you mean --device instead of --devise?"},
        {{"bench", "--arch", "resnet21"}, "resnet20"},
        {{"tune", "--arch", "resnet20", "--kernels", "paper_codebook"}, "runs one way only"},
        {{"tune", "--arch", "resnet20", "--device", "host,host"}, "named twice"},
        {{"parity", "run.h5", "--images", "0"}, "--images is at least 1"},
        {{"parity"}, "RUN"},
        {{"export", "run.h5", "--to", "bundle"}, "--out"},
        {{"devices", "--jsn"}, "did you mean --json instead of --jsn?"},
    };
    for (const auto& [arguments, text] : wrong) {
        SCOPED_TRACE(::testing::PrintToString(arguments));
        expectRefusal(runCommand(arguments), 2, {text});
    }
}

}  // namespace
}  // namespace bitloom::app
