// Stop, pause, resume, and runs that go numerically wrong.
#include <chrono>
#include <future>
#include <limits>

#include <gtest/gtest.h>

#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

bool hasEvent(const KeepingSink& sink, report::EventKind kind) {
    for (const report::RunEvent& event : sink.events) {
        if (event.kind == kind) return true;
    }
    return false;
}

TEST(TrainerControl, StopBeforeTheStartSavesStepZero) {
    const SmallTraining training;
    const auto trainer = training.make();
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    control.stop();
    const Status status = trainer->run(sink, control, kept.callback());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::Cancelled);
    EXPECT_EQ(kept.saves, 1);
    EXPECT_EQ(kept.state.step, 0);
}

TEST(TrainerControl, StopTakesEffectWithinOneStep) {
    SmallTraining training;
    training.recordEvery = 1;
    const auto trainer = training.make();
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 3) control.stop();
    };
    EXPECT_FALSE(trainer->run(sink, control, kept.callback()).ok());
    EXPECT_EQ(trainer->step(), 3);
}

TEST(TrainerControl, PauseHoldsTheRunUntilItResumes) {
    SmallTraining training;
    training.recordEvery = 1;
    const auto trainer = training.make();
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    std::promise<void> paused;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 2) control.pause();
    };
    sink.onEvent = [&](const report::RunEvent& event) {
        if (event.kind == report::EventKind::Paused) paused.set_value();
    };
    std::future<Status> running =
        std::async(std::launch::async, [&] { return trainer->run(sink, control, kept.callback()); });
    ASSERT_EQ(paused.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(running.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    control.resume();
    EXPECT_TRUE(running.get().ok());
    EXPECT_EQ(trainer->step(), trainer->lastStep());
    EXPECT_TRUE(hasEvent(sink, report::EventKind::Resumed));
}

TEST(TrainerControl, TimeLeftDoesNotExpectAnotherPauseAtEveryEvaluation) {
    constexpr std::chrono::milliseconds kPause(1000);
    SmallTraining training;
    training.options.epochs = 200;
    training.options.evaluateEvery = 1;
    const auto trainer = training.make();
    const std::int64_t firstEvaluation = trainer->stepsPerEpoch();
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    std::promise<void> paused;
    double secondsLeft = report::kNoValue;
    sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase == "evaluating" && progress.step == firstEvaluation &&
            !hasEvent(sink, report::EventKind::Paused))
            control.pause();
        if (progress.phase != "training" || progress.step <= firstEvaluation) return;
        secondsLeft = progress.secondsLeft;
        control.stop();
    };
    sink.onEvent = [&](const report::RunEvent& event) {
        if (event.kind == report::EventKind::Paused) paused.set_value();
    };
    std::future<Status> running =
        std::async(std::launch::async, [&] { return trainer->run(sink, control, kept.callback()); });
    ASSERT_EQ(paused.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(running.wait_for(kPause), std::future_status::timeout);
    control.resume();
    EXPECT_FALSE(running.get().ok());
    EXPECT_LT(secondsLeft, 199 * std::chrono::duration<double>(kPause).count());
}

TEST(TrainerControl, StopWhilePausedEndsTheRun) {
    SmallTraining training;
    const auto trainer = training.make();
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    control.pause();
    sink.onEvent = [&](const report::RunEvent& event) {
        if (event.kind == report::EventKind::Paused) control.stop();
    };
    const Status status = trainer->run(sink, control, kept.callback());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::Cancelled);
}

TEST(TrainerControl, ProgressIsReportedSparingly) {
    SmallTraining training;
    training.options.epochs = 20;
    training.options.evaluateEvery = 0;
    const auto trainer = training.make();
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(trainer->run(sink, control, kept.callback()).ok());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    ASSERT_FALSE(sink.progressed.empty());
    EXPECT_LE(static_cast<double>(sink.progressed.size()), took.count() * 10 + 4)
        << "ten a second, and one a phase";
}

TEST(TrainerControl, NotANumberInTheWeightsIsNamed) {
    const SmallTraining training;
    const auto trainer = training.make();
    TrainerState state = *trainer->save();
    std::vector<float> values = state.tensors.at("model/bn2.weight").toFloats();
    values[1] = std::numeric_limits<float>::quiet_NaN();
    state.tensors.at("model/bn2.weight") = graph::Tensor::fromFloats({12}, values);
    ASSERT_TRUE(trainer->restore(state).ok());
    KeepingSink sink;
    KeptCheckpoint kept;
    JobControl control;
    const Status status = trainer->run(sink, control, kept.callback());
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::Failed);
    EXPECT_NE(status.error().message.find("bn2.weight"), std::string::npos) << status.error().message;
    EXPECT_EQ(kept.saves, 0) << "the last good checkpoint must stay";
}

TEST(TrainerControl, ADivergingRunFailsAndNeverSavesBrokenWeights) {
    SmallTraining training;
    training.quantizer.layer.method = "none";
    training.options.rates.full = 1e30;
    training.options.rates.batchNorm = 1e30;
    training.options.schedule = Schedule::Constant;
    training.options.checkpointEverySeconds = 0;
    const auto trainer = training.make();
    KeepingSink sink;
    JobControl control;
    bool finite = true;
    const Status status = trainer->run(sink, control, [&](const TrainerState& state) -> Status {
        for (const auto& [name, tensor] : state.tensors) {
            if (name.starts_with("model/")) finite = finite && tensor.firstNonFinite() < 0;
        }
        return {};
    });
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message.find("rate"), std::string::npos) << status.error().message;
    EXPECT_NE(status.error().message.find("is the first layer"), std::string::npos) << status.error().message;
    EXPECT_TRUE(finite);
}

}  // namespace
}  // namespace bitloom::train
