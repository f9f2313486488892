// The runner's command line: what it refuses and how it says so.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "engine/qsimd/lower.h"
#include "engine/qsimd/runtime/model_file.h"
#include "tests/qsimd/reference_network.h"

namespace bitloom::qsimd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RunnerTest : public ::testing::Test {
  public:
    ~RunnerTest() override { fs::remove_all(m_folder); }

  protected:
    RunnerTest() {
        fs::create_directories(m_folder);
        writeModel("net.bitloom", testing::zooGraph("resnet20"));
    }

    void writeModel(const char* name, const graph::Graph& graph, int components = 16) {
        const std::vector<std::byte> bytes = toBytes(*lower(testing::sourceOf(graph, components), {}));
        write(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }

    void write(const char* name, const std::string& text) {
        std::ofstream(m_folder / name, std::ios::binary) << text;
    }
    std::string path(const char* name) { return "'" + (m_folder / name).string() + "'"; }

    /// Exit code; the output of both streams in m_text. `environment`: assignments of variables before it.
    int run(const std::string& arguments, const std::string& environment = "") {
        m_text.clear();
        std::FILE* pipe =
            ::popen((environment + " '" BITLOOM_RUNNER "' " + arguments + " 2>&1").c_str(), "r");
        char buffer[4096];
        for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
            m_text.append(buffer, got);
        const int status = ::pclose(pipe);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    fs::path m_folder = fs::path(::testing::TempDir()) / ("runner " + std::to_string(::getpid()));
    std::string m_text;
};

// Under a clock whose n-th reading is n x n, a time of 2 n + 1 was taken between readings n and n + 1.
TEST_F(RunnerTest, TimesModelsInTurns) {
    writeModel("other.bitloom", testing::zooGraph("resnet20"), 4);
    ASSERT_EQ(
        run(path("net.bitloom") + " " + path("other.bitloom") + " --repeat 5 --block 2 --warmup 1 --json",
            "ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD='" BITLOOM_COUNTING_CLOCK "'"),
        0)
        << m_text;
    const auto printed = nlohmann::json::parse(m_text);
    std::map<std::int64_t, char> order;
    const auto add = [&order](const nlohmann::json& times, char name) {
        for (const nlohmann::json& time : times)
            EXPECT_TRUE(order.emplace(time.get<std::int64_t>(), name).second) << "two at a time";
    };
    ASSERT_EQ(printed["models"].size(), 2u);
    add(printed["models"][0]["samples_ns"], 'a');
    add(printed["models"][1]["samples_ns"], 'b');
    add(printed["sentinel_ns"], '|');
    std::string turns;
    for (const auto& [time, name] : order)
        turns += name;
    EXPECT_EQ(turns, "|aabb|aabb|ab|");
}

TEST_F(RunnerTest, TimesEveryLayerAndCopy) {
    ASSERT_EQ(run(path("net.bitloom") + " --per-layer --repeat 4 --copies 3 --json"), 0) << m_text;
    const auto printed = nlohmann::json::parse(m_text);
    EXPECT_EQ(printed["copies"], 3);
    const auto& model = printed["models"][0];
    ASSERT_EQ(model["samples_ns"].size(), 4u);
    for (std::size_t sample = 0; sample < 4; ++sample) {
        std::int64_t sum = 0;
        for (const auto& step : model["steps"])
            sum += step.at("samples_ns").at(sample).get<std::int64_t>();
        EXPECT_EQ(sum, model["samples_ns"][sample]) << "the network's time is that of its steps";
    }
    ASSERT_EQ(run(path("net.bitloom") + " --per-layer --repeat 2 --copies 3"), 0);
    EXPECT_THAT(m_text, HasSubstr("layer3.2.conv2"));
    EXPECT_THAT(m_text, HasSubstr("GMAC/s"));
}

TEST_F(RunnerTest, OutputsOfAnotherNetworkAreNoticed) {
    writeModel("other.bitloom", testing::zooGraph("resnet32"));
    writeModel("large.bitloom", testing::zooGraph("resnet18", 32));
    ASSERT_EQ(run(path("net.bitloom") + " --output " + path("own.bin")), 0) << m_text;
    ASSERT_EQ(run(path("other.bitloom") + " --output " + path("others.bin")), 0) << m_text;
    write("short.bin", "12345678");
    EXPECT_EQ(run(path("net.bitloom") + " --expect " + path("own.bin")), 0) << m_text;
    EXPECT_THAT(m_text, HasSubstr("10 values are equal to the bit"));
    EXPECT_EQ(run(path("net.bitloom") + " --expect " + path("others.bin")), 1);
    EXPECT_THAT(m_text, HasSubstr("others.bin: value 0 is "));
    EXPECT_THAT(m_text, HasSubstr("belongs to another network"));
    EXPECT_EQ(run(path("net.bitloom") + " --expect " + path("short.bin")), 1);
    EXPECT_THAT(m_text, HasSubstr("does not hold the 10 values"));
    ASSERT_EQ(run(path("large.bitloom") + " --output " + path("thousand.bin")), 0) << m_text;
    EXPECT_EQ(run(path("net.bitloom") + " --expect " + path("thousand.bin")), 1);
    EXPECT_THAT(m_text, HasSubstr("thousand.bin does not hold the 10 values"));
    EXPECT_EQ(run(path("large.bitloom") + " --expect " + path("own.bin")), 1);
    EXPECT_THAT(m_text, HasSubstr("own.bin does not hold the 1000 values"));
    EXPECT_EQ(run(path("net.bitloom") + " --expect /nowhere"), 1);
    EXPECT_THAT(m_text, HasSubstr("/nowhere: cannot be opened"));
}

TEST_F(RunnerTest, ListsTheMicrokernelsThatRunHere) {
    ASSERT_EQ(run("--list"), 0) << m_text;
    EXPECT_THAT(m_text, HasSubstr("\"name\":\"int8_scalar_1x8\",\"bytes\":true,\"pixels\":1,\"channels\":8"));
    ASSERT_EQ(run("--list --isa scalar"), 0);
    EXPECT_THAT(m_text, HasSubstr("\"isa\":\"scalar\""));
    EXPECT_THAT(m_text, ::testing::Not(HasSubstr("avx")));
}

TEST_F(RunnerTest, AScheduleChoosesTheMicrokernel) {
    write("schedule.txt",
          "k0 layer1.0.conv1 fp32_scalar_4x8 rows skip\n\nk0 layer1.0.conv2 auto channels keep\n");
    ASSERT_EQ(run(path("net.bitloom") + " --per-layer --repeat 1 --schedule " + path("schedule.txt")), 0)
        << m_text;
    EXPECT_THAT(m_text, ::testing::ContainsRegex("layer1.0.conv1 .*fp32_scalar_4x8"));
    EXPECT_THAT(m_text, ::testing::Not(::testing::ContainsRegex("layer1.0.conv2 .*fp32_scalar")));
}

TEST_F(RunnerTest, AScheduleMaySayMoreAndWhatItCannotSayIsNamed) {
    write("schedule.txt",
          "k0 layer1.0.conv1 auto auto skip ahead=2 part=16 tiles=4\n"
          "k0 layer1.0.conv2 auto auto skip decoded\n");
    ASSERT_EQ(run(path("net.bitloom") + " --json --repeat 1 --schedule " + path("schedule.txt")), 0)
        << m_text;
    EXPECT_THAT(m_text, HasSubstr("\"family\":\"tuned_fp32\"")) << "decoded: what runs is no longer k0";
    for (const auto& [word, message] : std::vector<std::pair<std::string, std::string>>{
             {"ahead=", "ahead=: not a number from 0"},
             {"part=-1", "part=-1: not a number from 0"},
             {"tiles=4x", "tiles=4x: not a number from 0"},
             {"tiles=9999999", "tiles=9999999: not a number from 0 to 1048576"},
             {"fused", "schedule.txt, line 2: unknown word fused; this program knows ahead=KB"}}) {
        write("schedule.txt", "\nk0 layer1.0.conv1 auto auto skip " + word + "\n");
        EXPECT_EQ(run(path("net.bitloom") + " --schedule " + path("schedule.txt")), 1) << word;
        EXPECT_THAT(m_text, HasSubstr(message));
    }
}

TEST_F(RunnerTest, UsageErrorsExitWithTwo) {
    for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
             {"", "no model"},
             {path("net.bitloom") + " --threads 0", "--threads 0: not a number from 1 to 256"},
             {path("net.bitloom") + " --threads 3 --cores 0,1", "--cores: needs one core a thread"},
             {path("net.bitloom") + " --repeat many", "--repeat many: not a number"},
             {path("net.bitloom") + " --cores 1,,2", "not numbers with commas"},
             {path("net.bitloom") + " --isa abacus", "--isa abacus: unknown; known are scalar"},
             {path("net.bitloom") + " --fast", "--fast: unknown"}}) {
        EXPECT_EQ(run(arguments), 2) << arguments;
        EXPECT_THAT(m_text, HasSubstr(message));
    }
    EXPECT_EQ(run("--help"), 0);
}

TEST_F(RunnerTest, BadFilesExitWithOneAndAreNamed) {
    write("empty.bitloom", "");
    write("text.bitloom", "this is no model");
    std::string cut(fs::file_size(m_folder / "net.bitloom") / 2, '\0');
    std::ifstream(m_folder / "net.bitloom", std::ios::binary)
        .read(cut.data(), static_cast<std::streamsize>(cut.size()));
    write("cut.bitloom", cut);
    write("image.bin", "12345");
    write("schedule.txt", "k0 conv1 fp32_abacus_3x3 rows skip\n");
    for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
             {path("missing.bitloom"), "missing.bitloom: cannot be opened"},
             {path("empty.bitloom"), "empty.bitloom: is not a Bitloom model"},
             {path("text.bitloom"), "text.bitloom: is not a Bitloom model"},
             {path("cut.bitloom"), "it was cut off"},
             {path("net.bitloom") + " --input " + path("image.bin"),
              "image.bin: its size is no multiple of an image's 12288"},
             {path("net.bitloom") + " --input /nowhere", "/nowhere: cannot be opened"},
             {path("net.bitloom") + " --output /nowhere/out", "/nowhere/out: cannot be written"},
             {path("net.bitloom") + " --schedule " + path("schedule.txt"),
              "fp32_abacus_3x3 is no microkernel"},
             {path("net.bitloom") + " --cores 4000", "core 4000 is not to be had"}}) {
        EXPECT_EQ(run(arguments), 1) << arguments;
        EXPECT_THAT(m_text, HasSubstr(message));
    }
}

}  // namespace
}  // namespace bitloom::qsimd
