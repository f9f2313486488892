// Real public checkpoints, and the time that opening a large file takes.
#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/name_matching.h"
#include "engine/graph/zoo/zoo.h"
#include "tests/checkpoint/builders.h"
#include "tests/support/test_paths.h"

namespace bitloom::checkpoint {
namespace {

using bitloom::testing::PickleBuilder;
using bitloom::testing::TemporaryFolder;
using bitloom::testing::torchZip;
using bitloom::testing::writeFile;

struct SharedFile {
    const char* arch;
    const char* file;
    std::size_t tensors;
    const char* best;
};

class SharedWeights : public ::testing::TestWithParam<SharedFile> {};

TEST_P(SharedWeights, MapsCompletely) {
    const auto& [arch, file, tensors, best] = GetParam();
    BITLOOM_SHARED_OR_SKIP(path, std::string("weights/") + file);
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->format, Format::PyTorchLegacy);
    EXPECT_EQ(checkpoint->tensors.size(), tensors);
    EXPECT_EQ(checkpoint->metadata, (std::map<std::string, std::string>{{"best_prec1", best}}));
    EXPECT_EQ(guessArchitecture(*checkpoint), arch);

    const auto graph = graph::zoo::makeModel(arch);
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    const auto mapped = mapWeights(*graph, *checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_TRUE(mapped->report.fits()) << mapped->report.toText();
    EXPECT_EQ(mapped->report.strippedPrefix, "state_dict.module.");
    EXPECT_EQ(mapped->report.matched.size(), tensors);
    EXPECT_TRUE(mapped->report.unexpected.empty());
    EXPECT_TRUE(mapped->report.reshaped.empty());
    EXPECT_EQ(mapped->state.size(), graph->parameters().size());
}

TEST_P(SharedWeights, DoesNotFitAnotherNetwork) {
    BITLOOM_SHARED_OR_SKIP(path, std::string("weights/") + GetParam().file);
    const std::string other = std::string(GetParam().arch) == "resnet20" ? "resnet56" : "resnet20";
    const auto graph = graph::zoo::makeModel(other);
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    const auto checkpoint = readCheckpoint(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    const auto mapped = mapWeights(*graph, *checkpoint);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message;
    EXPECT_FALSE(mapped->report.fits());
}

INSTANTIATE_TEST_SUITE_P(
    Files, SharedWeights,
    ::testing::Values(SharedFile{"resnet20", "resnet20-12fca82f.th", 97, "91.78000183105469"},
                      SharedFile{"resnet44", "resnet44-014dd654.th", 217, "93.1400016784668"},
                      SharedFile{"resnet56", "resnet56-4bfd9763.th", 277, "93.62"}),
    [](const auto& instance) { return std::string(instance.param.arch); });

TEST(LargeFiles, OpenInWellUnderASecond) {
    constexpr std::int64_t kElements = 25'000'000;  // 100 MB, a ResNet-50
    const TemporaryFolder folder;
    const auto path = folder / "large.pt";
    const std::string bytes(static_cast<std::size_t>(kElements) * 4, '\0');
    writeFile(path, torchZip(PickleBuilder().tensor("0", kElements, {kElements}, {1}).finish(),
                             {{"0", kElements, bytes}}));
    const std::clock_t start = std::clock();  // processor time: a busy machine does not fail the test
    const auto checkpoint = readCheckpoint(path);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensors.at("tensor").count(), kElements);
    RecordProperty("milliseconds", static_cast<int>(seconds * 1e3));
    EXPECT_LT(seconds, 1.0);
}

}  // namespace
}  // namespace bitloom::checkpoint
