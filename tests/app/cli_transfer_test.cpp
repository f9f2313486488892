// Jobs that start with the mixtures of another run, from the command line.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/app/cli_bad_input.h"
#include "tests/support/test_paths.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class CliTransfer : public ::testing::Test {
  protected:
    CliTransfer() {
        const ProcessResult trained = runBitloom(trainCommand(m_folder.path()));
        EXPECT_EQ(trained.exitCode, 0) << trained.err;
        fs::rename(m_folder / "run.h5", m_folder / "source.h5");
        fs::rename(m_folder / "run.h5.ckpt", m_folder / "source.h5.ckpt");
    }
    [[nodiscard]] Arguments transferCommand(const Arguments& settings) const {
        Arguments all = {"quantizer.transfer=" + (m_folder / "source.h5").string()};
        all.insert(all.end(), settings.begin(), settings.end());
        return trainCommand(m_folder.path(), all);
    }
    testing::TemporaryFolder m_folder;
};

TEST_F(CliTransfer, SaysWhatFeedsWhatAndByHowMuch) {
    const std::string source = m_folder / "source.h5";
    const ProcessResult raw = runBitloom(transferCommand({}));
    EXPECT_EQ(raw.exitCode, 0) << raw.err;
    EXPECT_THAT(raw.err, Not(HasSubstr("starts with the mixture")));
    const ProcessResult deeper = runBitloom(
        transferCommand({"model.arch=resnet32", "quantizer.transfer_scale=true", "train.evaluate_every=0"}));
    EXPECT_EQ(deeper.exitCode, 0) << deeper.err;
    EXPECT_THAT(deeper.err, HasSubstr("layer1.4.conv2 starts with the mixture of layer1.2.conv2 in " +
                                      source + " (weights of the same shape), scaled by "));
}

TEST_F(CliTransfer, TheZeroShotScoreIsAReportOfItsOwn) {
    const ProcessResult scored = runBitloom(transferCommand({"train.epochs=0"}));
    ASSERT_EQ(scored.exitCode, 0) << scored.err;
    EXPECT_THAT(scored.err, HasSubstr("step 0: top-1"));
    const Json report = Json::parse(runBitloom({"report", m_folder / "run.h5", "--json"}).out);
    EXPECT_EQ(report["status"], "finished");
    EXPECT_EQ(report["steps"], 0);
    EXPECT_TRUE(report["top1_hard"].is_number());
    EXPECT_TRUE(report["top1_soft"].is_null()) << "batch norm before training fits no soft weights";
}

TEST_F(CliTransfer, MistakesExitWithTheirCodeAndNameFileLayerAndRemedy) {
    const std::string source = m_folder / "source.h5";
    expectRefusal(runCommand(transferCommand({"quantizer.bits=2"})), 2,
                  {source, "layer1.0.conv1 has 8 components", "set quantizer.bits = 3"});
    expectRefusal(runCommand(transferCommand({"quantizer.method=sgt"})), 2,
                  {"quantizer.transfer: sgt does not start", "set method = \"dgms\""});
    expectRefusal(runCommand(transferCommand({"quantizer.granularity=filter"})), 2,
                  {"quantizer.transfer", "granularity = \"layer\""});
    const fs::path absent = m_folder / "absent.h5";
    expectRefusal(runCommand(trainCommand(m_folder.path(), {"quantizer.transfer=" + absent.string()})), 1,
                  {absent, "layer1.0.conv1", "name a run of method \"dgms\""});
    EXPECT_FALSE(fs::exists(m_folder / "run.h5"));
}

TEST(CliTransferKeys, AreListed) {
    EXPECT_THAT(runBitloom({"train", "--keys"}).out,
                AllOf(HasSubstr("quantizer.transfer "), HasSubstr("quantizer.transfer_scale")));
}

}  // namespace
}  // namespace bitloom::app
