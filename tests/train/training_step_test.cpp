// One pass: the loss is cross-entropy, label smoothing is PyTorch's, the hard forward has hard values and
// soft gradients.
#include "engine/train/training_step.h"

#include <functional>
#include <limits>

#include <gmock/gmock.h>

#include "engine/train/optimizer.h"
#include "engine/train/parameter_groups.h"
#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Fixture {
    std::unique_ptr<Executor> executor;
    quant::QuantizerMap quantizers;
    data::Batch batch;
};

Fixture makeFixture() {
    const SmallTraining training;
    Fixture fixture;
    fixture.executor = std::move(Executor::create(smallGraph(), "cpu")).value();
    fixture.executor->initialize(5);
    fixture.quantizers =
        std::move(quant::makeQuantizers(smallGraph(), fixture.executor->state(), training.quantizer, 1))
            .value();
    data::LoaderOptions options;
    options.batchSize = 8;
    options.augment = false;
    fixture.batch = std::move(data::Loader(training.train, options).next()).value();
    return fixture;
}

constexpr data::ImageShape kShape{3, 8, 8};

TEST(TrainingStep, LossIsMeanCrossEntropy) {
    Fixture fixture = makeFixture();
    const auto loss = forwardBackward(*fixture.executor, fixture.quantizers, fixture.batch, kShape, {});
    ASSERT_TRUE(loss.ok());
    const torch::NoGradGuard guard;
    const torch::Tensor images = torch::tensor(fixture.batch.images).reshape({8, 3, 8, 8});
    const torch::Tensor logits = fixture.executor->forward(
        images, true, trainingWeights(*fixture.executor, fixture.quantizers, false));
    const torch::Tensor logProbabilities = torch::log_softmax(logits, 1);
    double expected = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        expected -=
            logProbabilities[static_cast<std::int64_t>(i)][fixture.batch.labels[i]].item<double>() / 8;
    }
    EXPECT_NEAR(*loss, expected, 1e-6);
}

TEST(TrainingStep, LabelSmoothingMixesInTheUniformTarget) {
    Fixture fixture = makeFixture();
    TrainOptions smoothing;
    smoothing.labelSmoothing = 0.2;
    const auto smoothed =
        forwardBackward(*fixture.executor, fixture.quantizers, fixture.batch, kShape, smoothing);
    ASSERT_TRUE(smoothed.ok());
    const torch::NoGradGuard guard;
    const torch::Tensor images = torch::tensor(fixture.batch.images).reshape({8, 3, 8, 8});
    const torch::Tensor logProbabilities =
        torch::log_softmax(fixture.executor->forward(
                               images, true, trainingWeights(*fixture.executor, fixture.quantizers, false)),
                           1);
    double plain = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        plain -= logProbabilities[static_cast<std::int64_t>(i)][fixture.batch.labels[i]].item<double>() / 8;
    }
    const double uniform = -logProbabilities.mean().item<double>();
    EXPECT_NEAR(*smoothed, 0.8 * plain + 0.2 * uniform, 1e-6);
}

TEST(TrainingStep, DistillationMixesInTheDivergenceFromTheTeacher) {
    Fixture fixture = makeFixture();
    auto teacher = std::move(Executor::create(smallGraph(), "cpu")).value();
    teacher->initialize(9);
    TrainOptions options;
    options.distillation = 0.7;
    options.distillationTemperature = 2;
    const auto loss =
        forwardBackward(*fixture.executor, fixture.quantizers, fixture.batch, kShape, options, teacher.get());
    ASSERT_TRUE(loss.ok()) << loss.error().message;
    EXPECT_FALSE(teacher->weight("conv2").grad().defined()) << "the teacher does not learn";
    const torch::NoGradGuard guard;
    const torch::Tensor images = torch::tensor(fixture.batch.images).reshape({8, 3, 8, 8});
    const torch::Tensor logits =
        fixture.executor->forward(images, true, trainingWeights(*fixture.executor, fixture.quantizers, false))
            .to(torch::kFloat64);
    const torch::Tensor taught = teacher->forward(images, false).to(torch::kFloat64);
    const torch::Tensor target = torch::softmax(taught / 2, 1);
    const torch::Tensor divergence =
        (target * (target.log() - torch::log_softmax(logits / 2, 1))).sum(1).mean();
    double crossEntropy = 0;
    const torch::Tensor logProbabilities = torch::log_softmax(logits, 1);
    for (std::size_t i = 0; i < 8; ++i) {
        crossEntropy -=
            logProbabilities[static_cast<std::int64_t>(i)][fixture.batch.labels[i]].item<double>() / 8;
    }
    EXPECT_NEAR(*loss, 0.3 * crossEntropy + 0.7 * 4 * divergence.item<double>(), 1e-5);
}

TEST(TrainingStep, HardForwardHasHardValuesAndSoftGradients) {
    Fixture fixture = makeFixture();
    const torch::Tensor& latent = fixture.executor->weight("conv2");
    const torch::Tensor direction = torch::linspace(-1, 1, latent.numel()).reshape(latent.sizes());
    const auto gradients = [&](bool hardForward) {
        torch::Tensor weights =
            trainingWeights(*fixture.executor, fixture.quantizers, hardForward).at("conv2");
        if (hardForward) {
            const quant::QuantizedTensor hard = fixture.quantizers.at("conv2")->hard(latent);
            EXPECT_TRUE(
                torch::equal(weights.contiguous(), torch::tensor(hard.dequantize()).reshape(latent.sizes())));
        }
        (weights * direction).sum().backward();
        std::vector<torch::Tensor> result = {latent.grad().clone()};
        latent.mutable_grad().reset();
        for (auto& own : fixture.quantizers.at("conv2")->parameters()) {
            if (own.tensor.grad().defined()) result.push_back(own.tensor.grad().clone());
            own.tensor.mutable_grad().reset();
        }
        return result;
    };
    const auto soft = gradients(false);
    const auto hard = gradients(true);
    ASSERT_EQ(soft.size(), hard.size());
    ASSERT_GE(soft.size(), 2u);
    for (std::size_t i = 0; i < soft.size(); ++i)
        EXPECT_TRUE(torch::equal(soft[i], hard[i])) << i;
}

/// What forwardBackward says of a step in which `plant` has spoiled something.
std::string diagnosisAfter(const char* method, const std::function<void(Fixture&)>& plant) {
    Fixture fixture = makeFixture();
    SmallTraining training;
    training.quantizer.layer = {method, 4};
    training.quantizer.search.halfLogits = true;
    fixture.quantizers =
        std::move(quant::makeQuantizers(smallGraph(), fixture.executor->state(), training.quantizer, 1))
            .value();
    plant(fixture);
    TrainOptions options;
    options.hardForward = true;
    const auto loss = forwardBackward(*fixture.executor, fixture.quantizers, fixture.batch, kShape, options);
    EXPECT_FALSE(loss.ok());
    return loss ? std::string() : loss.error().message;
}

void spoil(const Fixture& fixture, const std::string& name, float value) {
    const torch::NoGradGuard guard;
    for (const TrainedParameter& parameter : fixture.executor->parameters()) {
        if (parameter.name == name) parameter.tensor.select(0, 1).fill_(value);
    }
}

TEST(TrainingStep, TheLayerThatWentFirstIsNamed) {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    const auto nanIn = [](const char* name) {
        return [name](Fixture& fixture) { spoil(fixture, name, kNan); };
    };
    EXPECT_THAT(diagnosisAfter("none", nanIn("conv2.weight")),
                AllOf(HasSubstr("conv2 is the first layer"), HasSubstr("conv2.weight holds NaN")));
    EXPECT_THAT(diagnosisAfter("none", nanIn("bn2.bias")),
                AllOf(HasSubstr("bn2 is the first layer"), HasSubstr("bn2.bias holds NaN")));
    EXPECT_THAT(diagnosisAfter("none", nanIn("fc.weight")), HasSubstr("fc is the first layer"));
    // Of two the one that is computed first, wherever it stands among the parameters.
    EXPECT_THAT(diagnosisAfter("none",
                               [](Fixture& fixture) {
                                   spoil(fixture, "fc.bias", kNan);
                                   spoil(fixture, "bn1.weight", kNan);
                               }),
                HasSubstr("bn1 is the first layer"));
    for (const char* method : {"dgms", "dgms-mixed", "uniform", "sdq"}) {
        EXPECT_THAT(diagnosisAfter(method, nanIn("bn2.weight")), HasSubstr("bn2 is the first layer"))
            << method;
        EXPECT_THAT(diagnosisAfter(method, nanIn("conv2.weight")), HasSubstr("conv2 is the first layer"))
            << method << ": weights that are rounded";
    }
}

TEST(TrainingStep, AnOverflowIsNamedWhereItHappens) {
    // Finite weights, infinite sums.
    const std::string message = diagnosisAfter("none", [](Fixture& fixture) {
        const torch::NoGradGuard guard;
        for (const TrainedParameter& parameter : fixture.executor->parameters()) {
            if (parameter.name == "fc.weight") parameter.tensor.fill_(3e38F);
        }
    });
    EXPECT_THAT(message, AllOf(HasSubstr("fc is the first layer"), HasSubstr("though its parameters are")));
}

TEST(TrainingStep, OutputsTooFarApartForALossAreTheLastLayers) {
    // Every output is finite, their differences are not. Half-precision logits have a backward pass of their
    // own alone, which a diagnosis does not take.
    for (const char* method : {"none", "rdhs", "sgt"}) {
        const std::string message = diagnosisAfter(method, [](Fixture& fixture) {
            const torch::NoGradGuard guard;
            for (const TrainedParameter& parameter : fixture.executor->parameters()) {
                if (parameter.name == "fc.weight") parameter.tensor.zero_();
                if (parameter.name == "fc.bias")
                    parameter.tensor.copy_(torch::tensor({3e38F, -3e38F, 0.F, 0.F}));
            }
        });
        EXPECT_THAT(message,
                    AllOf(HasSubstr("the loss is inf"), HasSubstr("fc"), HasSubstr("learning rates")))
            << method;
    }
}

TEST(TrainingStep, BrokenImagesAreSaidToBe) {
    EXPECT_THAT(diagnosisAfter("none",
                               [](Fixture& fixture) {
                                   fixture.batch.images[5] = std::numeric_limits<float>::infinity();
                               }),
                HasSubstr("the images hold NaN or infinity"));
}

TEST(TrainingStep, ADiagnosisTrainsNothing) {
    for (const char* method : {"rdhs", "sgt"}) {
        SmallTraining training;
        training.quantizer.layer = {method, 4};
        Fixture fixture = makeFixture();
        fixture.quantizers =
            std::move(quant::makeQuantizers(smallGraph(), fixture.executor->state(), training.quantizer, 1))
                .value();
        training.options.rates.alpha = 1;
        auto groups = makeParameterGroups(*fixture.executor, fixture.quantizers, training.options, {});
        ASSERT_TRUE(groups.ok());
        Sgd optimizer(std::move(groups).value(), false);
        const auto logits = [&] { return fixture.quantizers.at("conv2")->parameters().front(); };
        const torch::Tensor before = logits().tensor.detach().clone();
        spoil(fixture, "bn2.weight", std::numeric_limits<float>::quiet_NaN());
        optimizer.beginStep(1, 0.9);
        ASSERT_TRUE(logits().stream->active());
        const auto loss =
            forwardBackward(*fixture.executor, fixture.quantizers, fixture.batch, kShape, training.options);
        ASSERT_FALSE(loss.ok());
        EXPECT_THAT(loss.error().message, HasSubstr("bn2 is the first layer")) << method;
        EXPECT_TRUE(torch::equal(before, logits().tensor.detach())) << method;
        EXPECT_FALSE(logits().stream->active());
    }
}

}  // namespace
}  // namespace bitloom::train
