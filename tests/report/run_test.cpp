#include "engine/report/run.h"

#include <set>

#include <gtest/gtest.h>

#include "engine/report/histogram.h"

namespace bitloom::report {
namespace {

TEST(RunStatus, TextIsReversible) {
    std::set<std::string> texts;
    for (const RunStatus status :
         {RunStatus::Running, RunStatus::Finished, RunStatus::Stopped, RunStatus::Failed}) {
        EXPECT_EQ(runStatusFromText(toText(status)), status);
        texts.insert(toText(status));
    }
    EXPECT_EQ(texts.size(), 4u);
    EXPECT_STREQ(toText(RunStatus::Running), "running");
    EXPECT_EQ(runStatusFromText("melted"), RunStatus::Failed);
    EXPECT_EQ(runStatusFromText(""), RunStatus::Failed);
}

TEST(EventKind, TextIsReversible) {
    std::set<std::string> texts;
    for (const EventKind kind :
         {EventKind::Epoch, EventKind::Evaluation, EventKind::Checkpoint, EventKind::Paused,
          EventKind::Resumed, EventKind::Warning, EventKind::Finished}) {
        EXPECT_EQ(eventKindFromText(toText(kind)), kind);
        texts.insert(toText(kind));
    }
    EXPECT_EQ(texts.size(), 7u);
    EXPECT_EQ(eventKindFromText("eclipse"), EventKind::Warning);
}

TEST(BlockOf, IsThePathToTheFirstNumberedPart) {
    EXPECT_EQ(blockOf("layer1.0.conv1"), "layer1.0");
    EXPECT_EQ(blockOf("layer2.0.downsample.0"), "layer2.0") << "a shortcut belongs to its residual block";
    EXPECT_EQ(blockOf("layer2.10.downsample.0"), "layer2.10");
    EXPECT_EQ(blockOf("features.3"), "features") << "the last part is the layer itself";
    EXPECT_EQ(blockOf("head.classifier.out"), "head.classifier");
    EXPECT_EQ(blockOf("conv1"), "");
}

TEST(Histogram, BinsAreUniform) {
    Histogram histogram;
    EXPECT_EQ(histogram.binWidth(), 0);
    histogram.low = -1;
    histogram.high = 1;
    histogram.counts.resize(8);
    EXPECT_DOUBLE_EQ(histogram.binWidth(), 0.25);
    EXPECT_DOUBLE_EQ(histogram.binCentre(0), -0.875);
    EXPECT_DOUBLE_EQ(histogram.binCentre(7), 0.875);
}

}  // namespace
}  // namespace bitloom::report
