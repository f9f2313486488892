// What a whole run does: it learns, reports, repeats itself bit for bit, and leaves frozen groups alone.
#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "engine/train/runtime.h"
#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

struct Finished {
    std::unique_ptr<Trainer> trainer;
    KeepingSink sink;
    KeptCheckpoint checkpoint;
};

/// Runs to the end.
Finished runToEnd(const SmallTraining& training, const graph::StateDict& state = {}) {
    Finished finished;
    finished.trainer = training.make(state);
    JobControl control;
    const Status status = finished.trainer->run(finished.sink, control, finished.checkpoint.callback());
    EXPECT_TRUE(status.ok()) << (status ? "" : status.error().message);
    return finished;
}

std::vector<std::int64_t> metricSteps(const KeepingSink& sink) {
    std::vector<std::int64_t> steps;
    for (const report::MetricSample& sample : sink.metrics)
        steps.push_back(sample.step);
    return steps;
}

TEST(Trainer, LearnsToTellTheQuadrantsApart) {
    SmallTraining training;
    training.options.epochs = 6;
    const Finished finished = runToEnd(training);
    const report::MetricSample& last = finished.trainer->lastEvaluation();
    EXPECT_EQ(last.step, 36);
    EXPECT_GE(last.top1Soft, 90);
    EXPECT_GE(last.top1Hard, 90);
    EXPECT_LT(last.loss, 0.5);
    EXPECT_GT(finished.sink.metrics.at(1).loss, 1) << "that of step 1";
}

TEST(Trainer, FullPrecisionTrainsWithoutQuantizers) {
    SmallTraining training;
    training.quantizer.layer.method = "none";
    training.options.epochs = 6;
    const Finished finished = runToEnd(training);
    const report::MetricSample& last = finished.trainer->lastEvaluation();
    EXPECT_GE(last.top1Hard, 90);
    EXPECT_EQ(last.top1Soft, last.top1Hard);
    EXPECT_TRUE(std::isnan(last.quantMse));
    EXPECT_TRUE(finished.trainer->quantizedModel()->layers.empty());
}

TEST(Trainer, HardForwardLearnsToo) {
    SmallTraining training;
    training.options.hardForward = true;
    training.options.epochs = 6;
    EXPECT_GE(runToEnd(training).trainer->lastEvaluation().top1Hard, 90);
}

TEST(Trainer, LearnsInBFloat16AndRepeatsItself) {
    SmallTraining training;
    training.options.epochs = 6;
    training.options.precision = Precision::BFloat16;
    const Finished finished = runToEnd(training);
    EXPECT_GE(finished.trainer->lastEvaluation().top1Hard, 90);
    EXPECT_EQ(trainedHash(finished.checkpoint.state), trainedHash(runToEnd(training).checkpoint.state));
    const bool warned = std::ranges::any_of(finished.sink.events, [](const report::RunEvent& event) {
        return event.kind == report::EventKind::Warning && event.text.find("bfloat16") != std::string::npos;
    });
    EXPECT_NE(warned, multipliesBFloat16(torch::kCPU)) << "slow on processors that lack it";
}

TEST(Trainer, ReportsTheStepsItPromises) {
    const Finished finished = runToEnd(SmallTraining());  // 12 steps, evaluations at 0, 6 and 12, every 4
    EXPECT_EQ(metricSteps(finished.sink), (std::vector<std::int64_t>{0, 1, 4, 6, 8, 12}));
    std::set<std::int64_t> conv2Steps;
    std::set<std::string> layers;
    for (const report::LayerSnapshotPtr& snapshot : finished.sink.layers) {
        layers.insert(snapshot->layer);
        if (snapshot->layer == "conv2") conv2Steps.insert(snapshot->step);
    }
    EXPECT_EQ(conv2Steps, (std::set<std::int64_t>{0, 1, 4, 6, 8, 12}));
    EXPECT_EQ(layers, (std::set<std::string>{"conv1", "conv2", "fc"}));
    for (const report::MetricSample& sample : finished.sink.metrics) {
        EXPECT_EQ(std::isfinite(sample.loss), sample.step > 0);
        EXPECT_EQ(std::isfinite(sample.top1Soft), sample.step > 0 && sample.step % 6 == 0) << sample.step;
        EXPECT_GT(sample.learningRate, 0);
        EXPECT_GT(sample.quantMse, 0);
        EXPECT_DOUBLE_EQ(sample.epoch, static_cast<double>(sample.step) / 6);
        EXPECT_EQ(std::isfinite(sample.top1Hard), sample.step % 6 == 0) << sample.step;
    }
    EXPECT_EQ(finished.sink.events.back().kind, report::EventKind::Finished);
}

TEST(Trainer, WithoutStepsItScoresTheStart) {
    for (const char* method : {"dgms", "none"}) {
        SmallTraining training;
        training.quantizer.layer.method = method;
        training.options.epochs = 0;
        training.options.evaluateEvery = 0;
        training.options.schedule = Schedule::Cosine;
        const Finished finished = runToEnd(training);
        EXPECT_EQ(finished.trainer->lastStep(), 0);
        EXPECT_EQ(metricSteps(finished.sink), std::vector<std::int64_t>{0}) << method;
        const report::MetricSample& score = finished.trainer->lastEvaluation();
        EXPECT_GT(score.top1Hard, 0) << method;
        EXPECT_TRUE(std::isnan(score.loss)) << "nothing was trained on";
        EXPECT_FALSE(std::isnan(score.learningRate));
        EXPECT_EQ(finished.sink.events.back().kind, report::EventKind::Finished);
        EXPECT_EQ(finished.checkpoint.state.step, 0);
        EXPECT_EQ(finished.checkpoint.saves, 1);
    }
}

TEST(Trainer, SnapshotsCarryMixturesAndGradients) {
    const Finished finished = runToEnd(SmallTraining());
    const auto conv2 =
        std::ranges::find_if(finished.sink.layers, [](const report::LayerSnapshotPtr& snapshot) {
            return snapshot->layer == "conv2" && snapshot->step == 4;
        });
    ASSERT_NE(conv2, finished.sink.layers.end());
    ASSERT_EQ((*conv2)->mixtures.size(), 1u);
    EXPECT_EQ((*conv2)->mixtures.front().components.size(), 8u);
    EXPECT_GT((*conv2)->gradients.weight, 0);
    EXPECT_GT((*conv2)->gradients.mu, 0);
    EXPECT_TRUE(std::isnan((*conv2)->gradients.sigma)) << "a frozen group has no gradient";
}

TEST(Trainer, HistogramBinsAreMergedExactly) {
    const SmallTraining training;
    TrainerData data{&training.train, &training.test, {}, 16, false, 1};
    const auto fine = Trainer::create(smallGraph(), {}, training.quantizer, training.options, data, 100, 256);
    const auto coarse =
        Trainer::create(smallGraph(), {}, training.quantizer, training.options, data, 100, 64);
    ASSERT_TRUE(fine.ok() && coarse.ok());
    JobControl stopped;
    stopped.stop();
    KeepingSink fineSink;
    KeepingSink coarseSink;
    KeptCheckpoint kept;
    EXPECT_FALSE((*fine)->run(fineSink, stopped, kept.callback()).ok());
    EXPECT_FALSE((*coarse)->run(coarseSink, stopped, kept.callback()).ok());
    for (std::size_t layer = 0; layer < fineSink.layers.size(); ++layer) {
        const report::Histogram& many = fineSink.layers[layer]->weights;
        const report::Histogram& few = coarseSink.layers[layer]->weights;
        ASSERT_EQ(many.counts.size(), 256u);
        ASSERT_EQ(few.counts.size(), 64u);
        EXPECT_EQ(few.low, many.low);
        for (std::size_t bin = 0; bin < 64; ++bin) {
            EXPECT_EQ(few.counts[bin], many.counts[4 * bin] + many.counts[4 * bin + 1] +
                                           many.counts[4 * bin + 2] + many.counts[4 * bin + 3]);
        }
    }
}

TEST(Trainer, SameSeedSameBits) {
    const SmallTraining training;
    const std::uint64_t first = trainedHash(runToEnd(training).checkpoint.state);
    const std::uint64_t second = trainedHash(runToEnd(training).checkpoint.state);
    EXPECT_EQ(first, second);
    SmallTraining other;
    other.options.seed = 2;
    EXPECT_NE(trainedHash(runToEnd(other).checkpoint.state),
              trainedHash(runToEnd(training).checkpoint.state));
}

TEST(Trainer, ScoringDoesNotChangeTraining) {
    SmallTraining often;
    SmallTraining never;
    never.options.evaluateEvery = 0;
    EXPECT_EQ(trainedHash(runToEnd(often).checkpoint.state), trainedHash(runToEnd(never).checkpoint.state));
}

TEST(Trainer, FrozenGroupsKeepTheirBits) {
    SmallTraining training;
    training.options.rates = {};
    training.options.rates.weight = training.options.rates.full = training.options.rates.batchNorm = 0;
    training.options.rates.mu = 1e-3;
    const auto before = *training.make()->save();
    const auto after = runToEnd(training).checkpoint.state;
    EXPECT_EQ(before.tensors.at("model/conv2.weight").bytes, after.tensors.at("model/conv2.weight").bytes);
    EXPECT_EQ(before.tensors.at("model/fc.bias").bytes, after.tensors.at("model/fc.bias").bytes);
    EXPECT_EQ(before.tensors.at("model/bn1.weight").bytes, after.tensors.at("model/bn1.weight").bytes);
    EXPECT_EQ(before.tensors.at("quantizer/conv2/log_sigma").bytes,
              after.tensors.at("quantizer/conv2/log_sigma").bytes);
    EXPECT_NE(before.tensors.at("quantizer/conv2/mu").bytes, after.tensors.at("quantizer/conv2/mu").bytes);
}

TEST(Trainer, QuantizedModelScoresWhatTheEvaluationSaid) {
    const SmallTraining training;
    const Finished finished = runToEnd(training);
    const quant::QuantizedModel model = *finished.trainer->quantizedModel();
    ASSERT_EQ(model.layers.size(), 1u);
    EXPECT_EQ(model.layers.at("conv2").components, 8);
    const auto trained = finished.checkpoint.state.tensors;
    EXPECT_NE(model.rest.at("bn2.running_mean").bytes, trained.at("model/bn2.running_mean").bytes)
        << "batch norm of the deployed network is re-estimated for its hard weights";
    EXPECT_EQ(model.rest.at("bn2.running_mean").bytes, trained.at("scored/bn2.running_mean").bytes);
    EXPECT_EQ(model.rest.at("fc.weight").bytes, trained.at("model/fc.weight").bytes);
}

TEST(Trainer, AllRatesZeroIsAnError) {
    SmallTraining training;
    training.options.rates = {0, 0, 0, 0, 0, 0, 0};
    const auto trainer = training.tryMake();
    ASSERT_FALSE(trainer.ok());
    EXPECT_EQ(trainer.error().kind, ErrorKind::Usage);
    EXPECT_NE(trainer.error().message.find("train.rate"), std::string::npos);
}

TEST(Trainer, ABatchLargerThanTheDatasetIsAnError) {
    SmallTraining training;
    training.batch = 97;
    const auto trainer = training.tryMake();
    ASSERT_FALSE(trainer.ok());
    EXPECT_NE(trainer.error().message.find("97"), std::string::npos);
}

TEST(Trainer, ABrokenImageEndsTheRunWithItsName) {
    SmallTraining training;
    training.train.breakAt(40);
    const auto trainer = training.make();
    KeepingSink sink;
    JobControl control;
    KeptCheckpoint kept;
    const Status status = trainer->run(sink, control, kept.callback());
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message.find("image 40 is broken"), std::string::npos);
}

TEST(Trainer, AFailedCheckpointEndsTheRun) {
    SmallTraining training;
    training.options.checkpointEverySeconds = 0;
    const auto trainer = training.make();
    KeepingSink sink;
    JobControl control;
    const Status status =
        trainer->run(sink, control, [](const TrainerState&) -> Status { return fail("disk full"); });
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().message, "disk full");
}

}  // namespace
}  // namespace bitloom::train
