// Runs whose activations are rounded: after the last step, or trained with the network; stopped and
// continued.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>

#include "engine/train/deployed_model.h"
#include "engine/train/scoring.h"
#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

using quant::ActivationMethod;
using ::testing::HasSubstr;

SmallTraining small(ActivationMethod method, int bits) {
    SmallTraining training;
    training.recordEvery = 1;
    training.quantizer.activation.method = method;
    training.quantizer.activation.bits = bits;
    training.quantizer.activation.images = 64;
    training.quantizer.activation.iterations = 20;
    training.options.rates.activationStep = 0.01;
    return training;
}

struct WholeRun {
    std::unique_ptr<Trainer> trainer;
    KeepingSink sink;
    KeptCheckpoint kept;
};

void runToEnd(WholeRun& run) {
    JobControl control;
    const Status status = run.trainer->run(run.sink, control, run.kept.callback());
    ASSERT_TRUE(status.ok()) << status.error().message;
}

/// Until the step `step`, or until activations are looked at where that is 0; then to the end
/// with a new trainer. The hash of the end.
std::uint64_t interrupted(const SmallTraining& training, std::int64_t step) {
    WholeRun first{training.make(), {}, {}};
    JobControl control;
    first.sink.onMetric = [&](const report::MetricSample& sample) {
        if (step > 0 && sample.step == step) control.stop();
    };
    first.sink.onProgress = [&](const report::Progress& progress) {
        if (step == 0 && progress.phase == "quantizing activations") control.stop();
    };
    const Status status = first.trainer->run(first.sink, control, first.kept.callback());
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::Cancelled);
    WholeRun second{training.make(), {}, {}};
    EXPECT_TRUE(second.trainer->restore(first.kept.state).ok());
    runToEnd(second);
    return trainedHash(second.kept.state);
}

class RoundedTraining : public ::testing::TestWithParam<ActivationMethod> {};

INSTANTIATE_TEST_SUITE_P(Methods, RoundedTraining,
                         ::testing::Values(ActivationMethod::Ptq, ActivationMethod::Lsq),
                         [](const auto& method) {
                             return method.param == ActivationMethod::Ptq ? "Ptq" : "Lsq";
                         });

TEST_P(RoundedTraining, EndsRoundedAndScoresWhatItDeploys) {
    const SmallTraining training = small(GetParam(), 4);
    WholeRun run{training.make(), {}, {}};
    runToEnd(run);
    const auto model = run.trainer->quantizedModel();
    ASSERT_TRUE(model.ok());
    ASSERT_EQ(model->activations.size(), 3u);
    TrainerData data;
    data.train = &training.train;
    data.test = &training.test;
    data.normalization = {{0.5F, 0.5F, 0.5F}, {0.25F, 0.25F, 0.25F}};
    data.batchSize = training.batch;
    auto scorer = Scorer::create(model->graph, data, training.options);
    ASSERT_TRUE(scorer.ok());
    EXPECT_EQ(scorer->evaluate(*model, {})->top1, run.trainer->lastEvaluation().top1Hard);
    const auto deployed =
        deployedModel(smallGraph(), training.quantizer, training.options.seed, run.kept.state);
    ASSERT_TRUE(deployed.ok()) << deployed.error().message;
    EXPECT_EQ(deployed->model.activations, model->activations);
    // Two bits would hurt: that rounding is what is scored.
    quant::QuantizedModel coarse = *model;
    for (auto& [node, rounding] : coarse.activations)
        rounding = {2, rounding.scale * 40, 0};
    EXPECT_LT(scorer->evaluate(coarse, {})->top1, run.trainer->lastEvaluation().top1Hard);
}

TEST_P(RoundedTraining, EveryStopEndsWithTheSameBits) {
    const SmallTraining training = small(GetParam(), 3);
    WholeRun whole{training.make(), {}, {}};
    runToEnd(whole);
    const std::uint64_t hash = trainedHash(whole.kept.state);
    for (const std::int64_t step : {0, 1, 7, 11})
        EXPECT_EQ(interrupted(training, step), hash) << "stopped at step " << step;
}

TEST_P(RoundedTraining, TooFewImagesAreRefusedBeforeTraining) {
    SmallTraining training = small(GetParam(), 4);
    training.quantizer.activation.images = 97;
    const auto trainer = training.tryMake();
    ASSERT_FALSE(trainer.ok());
    EXPECT_EQ(trainer.error().kind, ErrorKind::Usage);
    EXPECT_THAT(trainer.error().message, HasSubstr("lower activation.images"));
}

TEST_P(RoundedTraining, CombinesWithEveryMethodOfTheWeights) {
    for (const char* method : {"none", "dgms", "dgms-mixed", "rdhs", "sgt", "uniform", "sdq"}) {
        SmallTraining training = small(GetParam(), 8);
        training.quantizer.layer.method = method;
        training.quantizer.sdq.target = 3;
        training.options.steps = 2;
        WholeRun run{training.make(), {}, {}};
        runToEnd(run);
        EXPECT_EQ(run.trainer->quantizedModel()->activations.size(), 3u) << method;
        EXPECT_TRUE(std::isfinite(run.trainer->lastEvaluation().top1Hard)) << method;
        EXPECT_TRUE(std::isfinite(run.trainer->lastEvaluation().top1Soft)) << method;
    }
}

TEST(PtqTraining, ComesAfterTheLastStepAndSaysWhatItCost) {
    SmallTraining training = small(ActivationMethod::Ptq, 8);
    WholeRun run{training.make(), {}, {}};
    runToEnd(run);
    const auto inFloat = std::ranges::find_if(run.sink.events, [](const report::RunEvent& event) {
        return event.text.find("activations in float") != std::string::npos;
    });
    ASSERT_NE(inFloat, run.sink.events.end());
    EXPECT_EQ(inFloat->step, 12);
    // What is trained is what it would be without.
    training.quantizer.activation = {};
    WholeRun plain{training.make(), {}, {}};
    runToEnd(plain);
    EXPECT_EQ(run.sink.metrics[5].loss, plain.sink.metrics[5].loss);
    EXPECT_EQ(run.kept.state.tensors.at("model/conv2.weight").bytes,
              plain.kept.state.tensors.at("model/conv2.weight").bytes);
    EXPECT_NEAR(run.trainer->lastEvaluation().top1Hard, plain.trainer->lastEvaluation().top1Hard, 5);
}

TEST(LsqTraining, MovesItsStepsUnlessTheirRateIsZero) {
    SmallTraining training = small(ActivationMethod::Lsq, 3);
    const auto stepsOf = [&] {
        KeptCheckpoint start;
        JobControl control;
        KeepingSink sink;
        const auto trainer = training.make();
        sink.onMetric = [&](const report::MetricSample& sample) {
            if (sample.step == 1) control.stop();
        };
        (void)trainer->run(sink, control, start.callback());
        const double first = start.state.tensors.at("activation/relu1").toFloats()[0];
        const double image = start.state.tensors.at("activation/input").toFloats()[0];
        WholeRun run{training.make(), {}, {}};
        runToEnd(run);
        EXPECT_EQ(run.kept.state.tensors.at("activation/input").toFloats()[0], image);
        return std::pair(first,
                         static_cast<double>(run.kept.state.tensors.at("activation/relu1").toFloats()[0]));
    };
    const auto [first, last] = stepsOf();
    EXPECT_NE(first, last);
    EXPECT_NEAR(last, first, 0.5 * first);
    training.options.rates.activationStep = 0;
    const auto [frozenFirst, frozenLast] = stepsOf();
    EXPECT_EQ(frozenFirst, frozenLast);
}

TEST(LsqTraining, AnImageWithoutNegativeValuesKeepsItsRange) {
    SmallTraining training = small(ActivationMethod::Lsq, 4);
    training.normalization = {{0, 0, 0}, {1, 1, 1}};
    WholeRun run{training.make(), {}, {}};
    runToEnd(run);
    const auto model = run.trainer->quantizedModel();
    ASSERT_TRUE(model.ok());
    const quant::QuantizedActivation& image = model->activations.at("input");
    EXPECT_EQ(image.zeroPoint, 0);
    EXPECT_NEAR(image.scale * static_cast<double>(image.highest()), 1, 0.1) << "pixels go from 0 to 1";
}

TEST(LsqTraining, LearnsAtTwoBitsWhatFloatLearns) {
    SmallTraining training = small(ActivationMethod::Lsq, 2);
    training.options.epochs = 6;
    WholeRun run{training.make(), {}, {}};
    runToEnd(run);
    EXPECT_GT(run.trainer->lastEvaluation().top1Hard, 80);
}

}  // namespace
}  // namespace bitloom::train
