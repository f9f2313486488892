// Interrupted runs end with the same bits as uninterrupted ones.
#include <cmath>

#include <gtest/gtest.h>

#include "engine/base/random.h"
#include "engine/train/deployed_model.h"
#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

std::uint64_t finalHash(const SmallTraining& training) {
    const auto trainer = training.make();
    KeepingSink sink;
    JobControl control;
    KeptCheckpoint kept;
    EXPECT_TRUE(trainer->run(sink, control, kept.callback()).ok());
    return trainedHash(kept.state);
}

/// Stops after step `stop`, restores into a new trainer that starts from the checkpoint's weights, runs to
/// the end.
std::uint64_t interruptedHash(const SmallTraining& training, std::int64_t stop) {
    KeptCheckpoint kept;
    {
        const auto trainer = training.make();
        KeepingSink sink;
        JobControl control;
        sink.onMetric = [&](const report::MetricSample& sample) {
            if (sample.step == stop) control.stop();
        };
        const Status status = trainer->run(sink, control, kept.callback());
        EXPECT_FALSE(status.ok());
        EXPECT_EQ(status.error().kind, ErrorKind::Cancelled);
        EXPECT_EQ(kept.state.step, stop);
    }
    const auto resumed = training.make();
    const Status restored = resumed->restore(kept.state);
    EXPECT_TRUE(restored.ok()) << (restored ? "" : restored.error().message);
    KeepingSink sink;
    JobControl control;
    EXPECT_TRUE(resumed->run(sink, control, kept.callback()).ok());
    EXPECT_GT(sink.metrics.front().step, stop) << "nothing is reported twice";
    return trainedHash(kept.state);
}

TEST(TrainerResume, EveryStopEndsWithTheSameBits) {
    SmallTraining training;
    training.recordEvery = 1;
    const std::uint64_t whole = finalHash(training);
    for (const std::int64_t stop : {1, 5, 6, 11}) {
        EXPECT_EQ(interruptedHash(training, stop), whole) << "stopped after step " << stop;
    }
}

TEST(TrainerResume, EverythingTrainedAndAugmented) {
    SmallTraining training;
    training.recordEvery = 1;
    training.options.rates = {0.05, 0.05, 0.05, 1e-3, 1e-3, 1e-3, 1e-4};
    training.options.nesterov = true;
    training.options.cycleMomentum = true;
    training.quantizer.trainTemperature = true;
    training.quantizer.weightGradient = quant::WeightGradient::Exact;
    training.quantizer.granularity = quant::Granularity::Filter;
    EXPECT_EQ(interruptedHash(training, 7), finalHash(training));
}

TEST(TrainerResume, AStopDuringEvaluationRepeatsTheEvaluation) {
    SmallTraining training;
    const std::uint64_t whole = finalHash(training);
    KeptCheckpoint kept;
    {
        const auto trainer = training.make();
        KeepingSink sink;
        JobControl control;
        sink.onProgress = [&](const report::Progress& progress) {
            if (progress.phase == "evaluating" && progress.step == 6) control.stop();
        };
        EXPECT_FALSE(trainer->run(sink, control, kept.callback()).ok());
        EXPECT_EQ(kept.state.step, 6);
    }
    const auto resumed = training.make();
    ASSERT_TRUE(resumed->restore(kept.state).ok());
    KeepingSink sink;
    JobControl control;
    ASSERT_TRUE(resumed->run(sink, control, kept.callback()).ok());
    EXPECT_EQ(sink.metrics.front().step, 6);
    EXPECT_TRUE(std::isfinite(sink.metrics.front().loss));
    EXPECT_EQ(trainedHash(kept.state), whole);
}

TEST(TrainerResume, AStopDuringTheFirstEvaluationRepeatsIt) {
    const SmallTraining training;
    KeptCheckpoint kept;
    {
        const auto trainer = training.make();
        KeepingSink sink;
        JobControl control;
        control.stop();
        EXPECT_FALSE(trainer->run(sink, control, kept.callback()).ok());
        EXPECT_EQ(kept.state.step, 0);
        EXPECT_TRUE(sink.metrics.empty());
    }
    const auto resumed = training.make();
    ASSERT_TRUE(resumed->restore(kept.state).ok());
    KeepingSink sink;
    JobControl control;
    ASSERT_TRUE(resumed->run(sink, control, kept.callback()).ok());
    EXPECT_EQ(sink.metrics.front().step, 0);
    EXPECT_EQ(trainedHash(kept.state), finalHash(training));
}

TEST(TrainerResume, ADeployedModelNeedsOnlyTheCheckpoint) {
    const SmallTraining training;
    const auto trainer = training.make();
    KeepingSink sink;
    JobControl control;
    KeptCheckpoint kept;
    ASSERT_TRUE(trainer->run(sink, control, kept.callback()).ok());
    const auto deployed = deployedModel(smallGraph(), training.quantizer, training.options.seed, kept.state);
    ASSERT_TRUE(deployed.ok()) << deployed.error().message;
    EXPECT_TRUE(deployed->calibrated);
    const quant::QuantizedModel expected = *trainer->quantizedModel();
    EXPECT_EQ(graph::hashState(deployed->model.dequantize()), graph::hashState(expected.dequantize()));
    EXPECT_EQ(deployed->model.layers.at("conv2").indices, expected.layers.at("conv2").indices);
}

TEST(TrainerResume, FewDistinctWeightsReduceTheCodebookForGood) {
    SmallTraining training;
    training.recordEvery = 1;
    // Three distinct values in conv2, so that 8 components cannot be had at the start; training separates
    // them.
    graph::StateDict state;
    {
        SmallTraining plain;
        plain.quantizer.layer.method = "none";
        const TrainerState start = *plain.make()->save();
        for (const auto& [name, tensor] : start.tensors) {
            if (name.starts_with("model/")) state.emplace(name.substr(6), tensor);
        }
    }
    std::vector<float> values = state.at("conv2.weight").toFloats();
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = 0.1F * (static_cast<float>(i % 3) - 1);
    state.at("conv2.weight") = graph::Tensor::fromFloats(state.at("conv2.weight").shape, values);

    KeptCheckpoint kept;
    const auto trainer = training.make(state);
    const int components = trainer->quantizedModel()->layers.at("conv2").components;
    ASSERT_LT(components, 8);
    KeepingSink sink;
    JobControl control;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 5) control.stop();
    };
    ASSERT_FALSE(trainer->run(sink, control, kept.callback()).ok());
    const auto deployed = deployedModel(smallGraph(), training.quantizer, training.options.seed, kept.state);
    ASSERT_TRUE(deployed.ok()) << deployed.error().message;
    EXPECT_EQ(deployed->model.layers.at("conv2").components, components);
    EXPECT_FALSE(deployed->calibrated);
}

TEST(TrainerResume, ForeignStatesAreErrors) {
    const SmallTraining training;
    const auto trainer = training.make();
    TrainerState state = *trainer->save();
    state.step = 13;
    ASSERT_FALSE(trainer->restore(state).ok());
    EXPECT_NE(trainer->restore(state).error().message.find("0 to 12"), std::string::npos);
    state.step = 3;
    state.tensors.erase("optimizer/full/fc.weight");
    ASSERT_FALSE(trainer->restore(state).ok());
    EXPECT_NE(trainer->restore(state).error().message.find("full/fc.weight"), std::string::npos);
    state.tensors.erase("quantizer/conv2/mu");
    EXPECT_NE(trainer->restore(state).error().message.find("conv2"), std::string::npos);
    state.tensors.erase("model/fc.weight");
    EXPECT_NE(trainer->restore(state).error().message.find("fc.weight"), std::string::npos);
}

}  // namespace
}  // namespace bitloom::train
