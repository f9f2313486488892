// An emulated phone as the program names it: once, wherever it is named.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/app/cli_bad_input.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

using ::testing::HasSubstr;

int timesIn(const std::string& text, const std::string& word) {
    int count = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
        ++count;
    return count;
}

class CliEmulated : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!testing::AdbServer::available())
            GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
        // Runners are built once for all test programs of this build.
        ::setenv("XDG_CACHE_HOME", BITLOOM_TEST_CACHE, 1);
        m_server = std::make_unique<testing::AdbServer>();
        m_phone = std::make_unique<testing::EmulatedPhone>();
        m_server->connect(m_phone->serial());
    }

    void TearDown() override { ::unsetenv("XDG_CACHE_HOME"); }

    std::unique_ptr<testing::AdbServer> m_server;
    std::unique_ptr<testing::EmulatedPhone> m_phone;
};

TEST_F(CliEmulated, DevicesSaysItOnceWithTemperaturesAndKernels) {
    const ProcessResult text = runBitloom({"devices"});
    ASSERT_EQ(text.exitCode, 0) << text.err;
    EXPECT_EQ(timesIn(text.out, "(emulated)"), 1) << text.out;
    const ProcessResult printed = runBitloom({"devices", "--json"});
    ASSERT_EQ(printed.exitCode, 0) << printed.err;
    const nlohmann::json phone = nlohmann::json::parse(printed.out)["devices"][1];
    EXPECT_EQ(timesIn(phone["name"], "(emulated)"), 1);
    EXPECT_EQ(phone["emulated"], true);
    EXPECT_NEAR(phone["conditions"]["hottest_celsius"].get<double>(), 39.1, 0.01);
    EXPECT_EQ(phone["conditions"]["zones"].size(), 3u) << "the sensor that is off has no temperature";
    EXPECT_NEAR(phone["conditions"]["core_mhz"][7].get<double>(), 2802, 0.5);
    EXPECT_EQ(phone["cores"][7]["governor"], "schedutil");
    EXPECT_THAT(phone["kernels"].get<std::vector<std::string>>(), ::testing::Contains("int8_neondot_8x8"));
}

TEST_F(CliEmulated, BenchSaysItOnceBesideWhatTheTimesRestOn) {
    const ProcessResult text =
        runBitloom({"bench", "--arch", "resnet20", "--device", m_phone->serial(), "--repeat", "1",
                    "--kernels", "k2", "--contract", "exact", "--int8", "conv1"});
    ASSERT_EQ(text.exitCode, 0) << text.err;
    EXPECT_EQ(timesIn(text.out, "mulated"), 2) << "of the phone's name and its label\n" << text.out;
    for (const char* part :
         {"times say nothing about hardware", "1, not pinned", "schedutil", "2802 MHz", "39.1 -> 39.1 C"})
        EXPECT_THAT(text.out, HasSubstr(part));
}

}  // namespace
}  // namespace bitloom::app
