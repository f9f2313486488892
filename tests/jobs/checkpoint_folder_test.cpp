// The folder of a run's checkpoints.
#include "engine/jobs/checkpoint_folder.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

train::TrainerState stateOf(std::int64_t step) {
    return {{{"model/w", graph::Tensor::fromFloats({2}, {static_cast<float>(step), 1})}}, step};
}

struct Warnings {
    std::vector<std::string> texts;
    std::function<void(const std::string&)> sink() {
        return [this](const std::string& text) { texts.push_back(text); };
    }
};

TEST(CheckpointFolder, KeepsTheNewestTwoByNumber) {
    const testing::TemporaryFolder folder;
    CheckpointFolder checkpoints(folder / "run.h5", "a");
    ASSERT_TRUE(checkpoints.claim().ok());
    for (const std::int64_t step : {0, 9, 10, 100})
        ASSERT_TRUE(checkpoints.save(stateOf(step)).ok());
    EXPECT_FALSE(fs::exists(checkpoints.path() / "step-9.safetensors"));
    EXPECT_TRUE(fs::exists(checkpoints.path() / "step-10.safetensors"));
    Warnings warnings;
    const auto newest = checkpoints.newest(warnings.sink());
    ASSERT_TRUE(newest.ok() && newest->has_value());
    EXPECT_EQ((*newest)->step, 100);
    EXPECT_EQ(graph::hashState((*newest)->tensors), graph::hashState(stateOf(100).tensors));
    EXPECT_TRUE(warnings.texts.empty());
}

TEST(CheckpointFolder, NothingThereIsNoError) {
    const testing::TemporaryFolder folder;
    const CheckpointFolder checkpoints(folder / "run.h5", "a");
    Warnings warnings;
    const auto newest = checkpoints.newest(warnings.sink());
    ASSERT_TRUE(newest.ok());
    EXPECT_FALSE(newest->has_value());
}

TEST(CheckpointFolder, AnotherRunsCheckpointsAreNotOurs) {
    const testing::TemporaryFolder folder;
    CheckpointFolder first(folder / "run.h5", "a");
    ASSERT_TRUE(first.claim().ok());
    ASSERT_TRUE(first.save(stateOf(7)).ok());
    CheckpointFolder second(folder / "run.h5", "b");
    Warnings warnings;
    EXPECT_FALSE((*second.newest(warnings.sink())).has_value());
    EXPECT_EQ(warnings.texts.size(), 1u);
    ASSERT_TRUE(second.claim().ok());
    EXPECT_FALSE(fs::exists(first.path() / "step-7.safetensors"));
}

TEST(CheckpointFolder, OtherFilesAreLeftAlone) {
    const testing::TemporaryFolder folder;
    CheckpointFolder checkpoints(folder / "run.h5", "a");
    ASSERT_TRUE(checkpoints.claim().ok());
    for (const char* name : {"notes.txt", "step-x.safetensors", "step-.safetensors"}) {
        std::ofstream(checkpoints.path() / name) << "mine";
    }
    ASSERT_TRUE(checkpoints.save(stateOf(1)).ok());
    ASSERT_TRUE(checkpoints.claim().ok());
    EXPECT_TRUE(fs::exists(checkpoints.path() / "notes.txt"));
    EXPECT_TRUE(fs::exists(checkpoints.path() / "step-x.safetensors"));
}

TEST(CheckpointFolder, IdentityFollowsJobAndStart) {
    report::RunInfo info;
    info.jobToml = "[train]";
    info.started = "2025-01-01T00:00:00.000Z";
    const std::string first = CheckpointFolder::identityOf(info);
    EXPECT_EQ(CheckpointFolder::identityOf(info), first);
    info.started = "2025-01-01T00:00:00.001Z";
    EXPECT_NE(CheckpointFolder::identityOf(info), first);
}

}  // namespace
}  // namespace bitloom::jobs
