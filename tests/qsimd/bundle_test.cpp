// A bundle is a project of its own: it builds without Bitloom, for this machine and for ARM, and computes
// what Bitloom computes, to the bit, on every processor.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "engine/qsimd/bundle_files.h"
#include "engine/qsimd/calibrate.h"
#include "engine/qsimd/emit.h"
#include "engine/qsimd/lower.h"
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
    // A processor without dot products refuses them instead of dying of an illegal instruction.
    const Outcome weak =
        run("qemu-aarch64 -cpu cortex-a57 " + arm + " " + file("model.bitloom") + " --isa neondot");
    EXPECT_EQ(weak.code, 2);
    EXPECT_THAT(weak.text, HasSubstr("this processor lacks it; its strongest is neon"));
}

}  // namespace
}  // namespace bitloom::qsimd
