// A bundle is a project of its own: it builds without Bitloom, for this machine and for ARM, and computes
// what Bitloom computes, to the bit, on every processor.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "engine/qsimd/bundle_files.h"
#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/emit.h"
#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/hashes.h"
#include "engine/qsimd/runtime/model_file.h"
#include "tests/qsimd/reference_network.h"
#include "tests/support/test_paths.h"

namespace bitloom::qsimd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
    int code = -1;
    std::string text;  ///< both streams
};

/// Paths in `command` are in single quotes and hold none themselves.
Outcome run(const std::string& command) {
    Outcome outcome;
    std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return outcome;
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        outcome.text.append(buffer, got);
    const int status = ::pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
}

std::string contentOf(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

Model int8ResNet() {
    const DeployedNetwork source = testing::sourceOf(testing::zooGraph("resnet20"), 16);
    JobControl control;
    const std::vector<std::vector<float>> images = {testing::randomImage(source.graph, 1)};
    LoweringOptions options;
    options.contract = Contract::Int8;
    options.contracts["layer2.0.conv1"] = Contract::Exact;  // floats and bytes in one network
    options.activations = calibrate(source, images, 1, control).value();
    return lower(source, options).value();
}

const BundleText kText = {"a test", "bitloom export run.h5 --to bundle --out net", "0.0.0"};

class BundleTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        sharedFolder = fs::path(::testing::TempDir()) / ("bundle of \xc3\xbc " + std::to_string(::getpid()));
        fs::remove_all(sharedFolder);
        const auto image = testing::randomImage(testing::zooGraph("resnet20"), 3);
        const auto bundle = writeBundle(int8ResNet(), image, kText, sharedFolder);
        ASSERT_TRUE(bundle.ok()) << bundle.error().message;
    }
    static void TearDownTestSuite() { fs::remove_all(sharedFolder); }

    static std::string quote(const fs::path& path) { return "'" + path.string() + "'"; }
    static std::string file(const char* name) { return quote(sharedFolder / name); }

    /// The runner's path. Optimised less than a person's build: the numbers are the same, the test is
    /// shorter.
    static fs::path build(const std::string& preset) {
        const Outcome outcome = run("cd " + quote(sharedFolder) + " && cmake --preset " + preset +
                                    " -DCMAKE_CXX_FLAGS_RELEASE=-O1"
                                    " && cmake --build --preset " +
                                    preset + " --parallel 2");
        EXPECT_EQ(outcome.code, 0) << outcome.text;
        return sharedFolder / "build" / preset / "bitloom_runner";
    }

    static void expectTheSameOutput(const std::string& runner) {
        const fs::path output = sharedFolder / "output.bin";
        fs::remove(output);
        const Outcome outcome = run(runner + " " + file("model.bitloom") + " --input " +
                                    file("test_image.bin") + " --output " + quote(output));
        ASSERT_EQ(outcome.code, 0) << runner << ": " << outcome.text;
        EXPECT_EQ(contentOf(output), contentOf(sharedFolder / "test_output.bin")) << runner;
    }

    static std::string hashes(const std::string& runner) {
        const Outcome outcome =
            run(runner + " " + file("model.bitloom") + " --input " + file("test_image.bin") + " --hashes");
        EXPECT_EQ(outcome.code, 0) << outcome.text;
        return outcome.text;
    }

    static std::string floatsOf(const std::vector<float>& values) {
        return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
    }

    /// A network of every kind of step and kernel on ARM against this process. The paper's kernel rounds in
    /// another order where this processor has no FMA, softmax asks the system's library for exp.
    static void expectEveryFamilyOnArm(const std::string& arm, int components) {
        const DeployedNetwork source = testing::sourceOf(testing::graphOfEverything(), components);
        const std::vector<float> image = testing::randomImage(source.graph, 5);
        std::ofstream(sharedFolder / "everything.bin", std::ios::binary) << floatsOf(image);
        JobControl control;
        for (const Family family : kFamilies) {
            LoweringOptions options;
            if (family == Family::K2) {
                options.contract = Contract::Int8;
                options.activations = calibrate(source, {{image}}, 1, control).value();
            } else {
                options.exactFamily = family;
            }
            const Model model = lower(source, options).value();
            const std::vector<std::byte> bytes = toBytes(model);
            std::ofstream(sharedFolder / "everything.bitloom", std::ios::binary)
                << std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            Network network(model, {}, 1);
            std::vector<float> output(network.values(model.output).size());
            network.run(image.data(), output.data());
            const auto expected = hashesOf(network, image.data());
            for (const char* cpu : {"cortex-a57", "cortex-a76", "max"}) {
                SCOPED_TRACE(std::string(familyName(family)) + " on " + cpu);
                const std::string command = "qemu-aarch64 -cpu " + std::string(cpu) + " " + arm + " " +
                                            file("everything.bitloom") + " --input " + file("everything.bin");
                if (family == Family::PaperCodebook)
                    expectNearOutputs(command, output);
                else
                    expectHashes(run(command + " --hashes --json").text, expected);
                if (cpu != std::string("max")) continue;  // timing is slow there, names are the same
                expectKernels(run(command + " --json --per-layer --warmup 0 --repeat 1 --threads 2").text,
                              family, components);
            }
        }
    }

    static void expectHashes(const std::string& printed, const std::vector<StepHashes>& expected) {
        const auto steps = nlohmann::json::parse(printed, nullptr, false);
        ASSERT_EQ(steps.size(), expected.size()) << printed;
        for (std::size_t i = 0; i + 1 < expected.size(); ++i) {  // the last is softmax
            EXPECT_EQ(steps[i]["name"], expected[i].name);
            EXPECT_EQ(steps[i]["output"], hashText(expected[i].output)) << expected[i].name;
            EXPECT_EQ(steps[i]["sums"], expected[i].sums ? hashText(*expected[i].sums) : "")
                << expected[i].name;
        }
    }

    static void expectNearOutputs(const std::string& command, const std::vector<float>& expected) {
        const fs::path path = sharedFolder / "near.bin";
        ASSERT_EQ(run(command + " --output " + quote(path)).code, 0);
        const std::string bytes = contentOf(path);
        ASSERT_EQ(bytes.size(), expected.size() * sizeof(float));
        for (std::size_t i = 0; i < expected.size(); ++i) {
            float value = 0;
            std::memcpy(&value, bytes.data() + i * sizeof(float), sizeof(float));
            EXPECT_NEAR(value, expected[i], 1e-5) << i;
        }
    }

    /// That the family's own kernels ran, not others in their place.
    static void expectKernels(const std::string& printed, Family family, int components) {
        const auto json = nlohmann::json::parse(printed, nullptr, false);
        ASSERT_TRUE(json.is_object()) << printed;
        std::map<std::string, std::string> kernels;
        for (const auto& step : json["models"][0]["steps"])
            kernels[step["name"]] = step["kernel"];
        const std::string wide = kernels["wide"];
        switch (family) {
            case Family::NaiveFp32:
                EXPECT_EQ(wide, "fp32_neon_naive");
                EXPECT_EQ(kernels["depthwise"], "fp32_neon_naive");
                return;
            case Family::PaperCodebook:
                EXPECT_EQ(wide, components == 16 ? "fp32_neon_paper4" : "fp32_neon_paper2");
                break;
            case Family::K2:
                EXPECT_THAT(wide, ::testing::StartsWith("int8_neon"));
                EXPECT_EQ(kernels["depthwise"], "int8_neon_depthwise");
                return;
            default:
                EXPECT_THAT(wide, ::testing::StartsWith("fp32_neon_"));
        }
        EXPECT_EQ(kernels["depthwise"], "fp32_neon_depthwise");
    }

    static inline fs::path sharedFolder;
};

TEST_F(BundleTest, HoldsTheSourcesThatThisProgramWasBuiltFrom) {
    const fs::path root = testing::projectRoot() / "engine/qsimd";
    std::size_t compared = 0;
    for (const BundleFile& file : bundleFiles()) {
        EXPECT_EQ(file.text, contentOf(root / file.path)) << file.path;
        ++compared;
    }
    EXPECT_GT(compared, 30u);
    EXPECT_THAT(contentOf(sharedFolder / "README.md"), HasSubstr(kText.command));
}

TEST_F(BundleTest, TheSameInputGivesTheSameBytes) {
    const fs::path again = sharedFolder.string() + " again";
    const auto image = testing::randomImage(testing::zooGraph("resnet20"), 3);
    const auto bundle = writeBundle(int8ResNet(), image, kText, again);
    ASSERT_TRUE(bundle.ok());
    for (const std::string& name : bundle->files)
        EXPECT_EQ(contentOf(again / name), contentOf(sharedFolder / name)) << name;
    fs::remove_all(again);
}

TEST_F(BundleTest, AFolderInUseIsNotTouched) {
    const auto image = testing::randomImage(testing::zooGraph("resnet20"), 3);
    const auto bundle = writeBundle(int8ResNet(), image, kText, sharedFolder);
    ASSERT_FALSE(bundle.ok());
    EXPECT_THAT(bundle.error().message, HasSubstr("not empty; name a new folder"));
}

TEST_F(BundleTest, AnUnknownTargetIsAUsageError) {
    const auto image = testing::randomImage(testing::zooGraph("resnet20"), 3);
    BundleText text = kText;
    text.target = "toaster";
    const auto bundle = writeBundle(int8ResNet(), image, text, sharedFolder.string() + " new");
    ASSERT_FALSE(bundle.ok());
    EXPECT_EQ(bundle.error().kind, ErrorKind::Usage);
    EXPECT_FALSE(fs::exists(sharedFolder.string() + " new"));
}

TEST_F(BundleTest, RunsHereAndOnArmWithTheSameNumbers) {
    const std::string host = quote(build("host"));
    expectTheSameOutput(host);
    const std::string expected = hashes(host);
    EXPECT_THAT(expected, HasSubstr("layer3.2.conv2"));
    const Outcome json =
        run(host + " " + file("model.bitloom") + " --json --per-layer --repeat 3 --threads 2");
    EXPECT_EQ(json.code, 0);
    EXPECT_THAT(json.text, HasSubstr("\"samples_ns\":["));

    if (run("aarch64-linux-gnu-g++ --version").code != 0 || run("qemu-aarch64 --version").code != 0)
        GTEST_SKIP() << "ARM part: aarch64-linux-gnu-g++ or qemu-aarch64 is missing (.ci/install tests)";
    const std::string arm = quote(build("aarch64"));
    for (const char* cpu : {"cortex-a57", "cortex-a76", "max"}) {
        const std::string runner = "qemu-aarch64 -cpu " + std::string(cpu) + " " + arm;
        expectTheSameOutput(runner);
        EXPECT_EQ(hashes(runner), expected) << cpu;
    }
    for (const int components : {16, 4})
        expectEveryFamilyOnArm(arm, components);
    // A processor without dot products refuses them instead of dying of an illegal instruction.
    const Outcome weak =
        run("qemu-aarch64 -cpu cortex-a57 " + arm + " " + file("model.bitloom") + " --isa neondot");
    EXPECT_EQ(weak.code, 2);
    EXPECT_THAT(weak.text, HasSubstr("this processor lacks it; its strongest is neon"));
}

}  // namespace
}  // namespace bitloom::qsimd
