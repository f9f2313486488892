// Schedules against values that PyTorch's schedulers give for the same arguments.
#include "engine/train/schedule.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

namespace bitloom::train {
namespace {

TEST(Schedule, OneCycleMatchesPyTorch) {
    // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10), pct_start 0.3, cosine
    constexpr std::array kExpected = {0.04,
                                      0.52,
                                      1.0,
                                      0.9504846320134737,
                                      0.8117456539497631,
                                      0.6112620219362893,
                                      0.38874197806371075,
                                      0.18825834605023697,
                                      0.049519367986526286,
                                      4e-06};
    const TrainOptions options;
    for (std::size_t step = 0; step < kExpected.size(); ++step) {
        EXPECT_NEAR(rateFactor(options, static_cast<std::int64_t>(step), 10), kExpected[step], 1e-12) << step;
    }
}

TEST(Schedule, OneCycleStartsPeaksAndEndsWhereItShould) {
    const TrainOptions options;
    EXPECT_NEAR(rateFactor(options, 0, 1000), 1.0 / 25, 1e-12);
    EXPECT_NEAR(rateFactor(options, 299, 1000), 1.0, 1e-12);
    EXPECT_NEAR(rateFactor(options, 999, 1000), 1.0 / 250000, 1e-12);
}

TEST(Schedule, OneCycleOfVeryShortRunsIsFiniteAndPositive) {
    TrainOptions options;
    for (const double warmup : {0.0, 0.3, 0.5, 1.0}) {
        options.warmup = warmup;
        for (std::int64_t total = 1; total <= 4; ++total) {
            for (std::int64_t step = 0; step < total; ++step) {
                const double factor = rateFactor(options, step, total);
                EXPECT_GT(factor, 0) << warmup << " " << step << "/" << total;
                EXPECT_LE(factor, 1) << warmup << " " << step << "/" << total;
            }
        }
    }
}

TEST(Schedule, CycledMomentumMirrorsTheRate) {
    TrainOptions options;
    EXPECT_EQ(momentumAt(options, 0, 10), 0.9);
    options.cycleMomentum = true;
    EXPECT_NEAR(momentumAt(options, 0, 10), 0.95, 1e-12);
    EXPECT_NEAR(momentumAt(options, 2, 10), 0.85, 1e-12);
    EXPECT_NEAR(momentumAt(options, 9, 10), 0.95, 1e-12);
    options.schedule = Schedule::Cosine;
    EXPECT_EQ(momentumAt(options, 2, 10), 0.9);
}

TEST(Schedule, CosineFallsFromOneTowardsZero) {
    TrainOptions options;
    options.schedule = Schedule::Cosine;
    EXPECT_NEAR(rateFactor(options, 0, 8), 1, 1e-12);
    EXPECT_NEAR(rateFactor(options, 2, 8), 0.8535533905932737, 1e-12);
    EXPECT_NEAR(rateFactor(options, 4, 8), 0.5, 1e-12);
}

TEST(Schedule, OnlyNoEpochsAreNoSteps) {
    TrainOptions options;
    options.epochs = 0;
    EXPECT_EQ(stepsOf(options, 100), 0);
    options.epochs = 1e-6;
    EXPECT_EQ(stepsOf(options, 100), 1);
    options.epochs = 0;
    options.steps = 7;
    EXPECT_EQ(stepsOf(options, 100), 7);
    for (const Schedule schedule :
         {Schedule::OneCycle, Schedule::Cosine, Schedule::MultiStep, Schedule::Constant}) {
        options.schedule = schedule;
        EXPECT_TRUE(std::isfinite(rateFactor(options, 0, 0)));
    }
}

TEST(Schedule, MultiStepDropsAtItsMilestones) {
    TrainOptions options;
    options.schedule = Schedule::MultiStep;
    EXPECT_DOUBLE_EQ(rateFactor(options, 49, 100), 1);
    EXPECT_DOUBLE_EQ(rateFactor(options, 50, 100), 0.1);
    EXPECT_DOUBLE_EQ(rateFactor(options, 74, 100), 0.1);
    EXPECT_DOUBLE_EQ(rateFactor(options, 75, 100), 0.01);
}

TEST(Schedule, ConstantStays) {
    TrainOptions options;
    options.schedule = Schedule::Constant;
    EXPECT_EQ(rateFactor(options, 0, 10), 1);
    EXPECT_EQ(rateFactor(options, 9, 10), 1);
}

}  // namespace
}  // namespace bitloom::train
