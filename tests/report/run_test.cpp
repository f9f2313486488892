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

TEST(LayerInfo, BlockIsThePathWithoutItsLastPart) {
    LayerInfo layer;
    layer.name = "layer1.0.conv1";
    EXPECT_EQ(layer.block(), "layer1.0");
    layer.name = "conv1";
    EXPECT_EQ(layer.block(), "");
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
