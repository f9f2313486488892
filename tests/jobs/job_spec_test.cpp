// Job files: what they mean, and how mistakes in them are told.
#include "engine/jobs/job_spec.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

JobSpec parsed(const std::string& toml, const std::vector<std::string>& overrides = {}) {
    auto job = parseJob(toml, "job.toml", "/jobs", overrides);
    if (job) return std::move(job).value();
    ADD_FAILURE() << job.error().message;
    return {};
}

std::string errorOf(const std::string& toml, const std::vector<std::string>& overrides = {}) {
    const auto job = parseJob(toml, "job.toml", "/jobs", overrides);
    EXPECT_FALSE(job.ok());
    if (job.ok()) return {};
    EXPECT_EQ(job.error().kind, ErrorKind::Usage);
    return job.error().message;
}

TEST(JobSpec, EmptyJobIsTheShortRecipe) {
    const JobSpec job = parsed("");
    EXPECT_EQ(job.quantizer.layer.method, "dgms");
    EXPECT_EQ(job.quantizer.layer.components, 16);
    EXPECT_DOUBLE_EQ(job.train.rates.weight, 1e-3);
    EXPECT_DOUBLE_EQ(job.train.rates.mu, 2e-5);
    EXPECT_EQ(job.train.rates.tau, 0);
    EXPECT_EQ(job.quantizer.weightGradient, quant::WeightGradient::StraightThrough);
}

TEST(JobSpec, ShortRecipeTakesLargerStepsBelowFourBits) {
    EXPECT_DOUBLE_EQ(parsed("[quantizer]\nbits = 2").train.rates.weight, 3e-2);
    EXPECT_DOUBLE_EQ(parsed("[quantizer]\nbits = 3").train.rates.batchNorm, 1e-2);
    EXPECT_DOUBLE_EQ(parsed("[quantizer]\nbits = 4").train.rates.full, 1e-3);
    EXPECT_DOUBLE_EQ(parsed("", {"quantizer.bits=2"}).train.rates.full, 3e-2);
    EXPECT_DOUBLE_EQ(parsed("[quantizer]\nmethod = 'none'").train.rates.full, 1e-2);
    EXPECT_TRUE(parsed("[quantizer]\nbits = 2").train.hardForward);
    EXPECT_FALSE(parsed("[quantizer]\nbits = 2\n[train]\nhard_forward = false").train.hardForward);
    EXPECT_FALSE(parsed("[quantizer]\nmethod = 'none'").train.hardForward);
    EXPECT_FALSE(parsed("[train]\nrecipe = 'paper'").train.hardForward);
}

TEST(JobSpec, PaperRecipeIsThePublishedSettings) {
    const JobSpec job = parsed("[train]\nrecipe = 'paper'");
    EXPECT_DOUBLE_EQ(job.train.epochs, 350);
    EXPECT_DOUBLE_EQ(job.train.rates.weight, 2e-5);
    EXPECT_DOUBLE_EQ(job.train.rates.sigma, 2e-5);
    EXPECT_DOUBLE_EQ(job.train.decayBatchNorm, 5e-4);
    EXPECT_DOUBLE_EQ(job.train.decayMixture, 0) << "it would act on logarithms";
    EXPECT_TRUE(job.train.cycleMomentum);
    EXPECT_EQ(job.quantizer.weightGradient, quant::WeightGradient::Exact);
    EXPECT_EQ(job.quantizer.initSigma, quant::SigmaInit::Empirical);
    EXPECT_DOUBLE_EQ(parsed("[train]\nrecipe = 'paper'\nepochs = 2\nrate_mu = 0").train.epochs, 2);
}

TEST(JobSpec, PaperRecipeOfLevelsAndLearnedBitsIsSdqs) {
    for (const char* method : {"sdq", "uniform", "dgms-mixed"}) {
        const JobSpec job =
            parsed(std::string("[train]\nrecipe = 'paper'\n[quantizer]\nmethod = '") + method + "'");
        EXPECT_DOUBLE_EQ(job.train.epochs, 200) << method;
        EXPECT_EQ(job.train.schedule, train::Schedule::Cosine);
        for (const double rate : {job.train.rates.weight, job.train.rates.full, job.train.rates.batchNorm})
            EXPECT_DOUBLE_EQ(rate, 0.01) << method;
        EXPECT_FALSE(job.train.cycleMomentum);
        EXPECT_TRUE(job.train.hardForward) << "what is trained is what is deployed";
        EXPECT_DOUBLE_EQ(job.quantizer.sdq.errorWeight, 0.3);
        EXPECT_DOUBLE_EQ(job.quantizer.sdq.budgetWeight, 0.3);
    }
}

TEST(JobSpec, TheEndsHaveBitsOfTheirOwn) {
    EXPECT_EQ(parsed("").quantizer.firstLastBits, 0);
    EXPECT_EQ(parsed("[quantizer]\nfirst_last_bits = 8").quantizer.firstLastBits, 8);
    for (const char* bits : {"1", "9", "-1", "'8'"}) {
        EXPECT_THAT(errorOf(std::string("[quantizer]\nfirst_last_bits = ") + bits),
                    HasSubstr("an integer from 2 to 8, or 0"));
    }
}

TEST(JobSpec, EveryKeyIsRead) {
    const JobSpec job = parsed(R"(
[model]
arch = "resnet32"
weights = "net.th"
classes = 100
[data]
source = "cifar10:images"
batch = 64
normalize = "imagenet"
augment = false
threads = 2
[quantizer]
method = "dgms"
components = 5
init_sigma = "empirical"
temperature = 0.1
train_temperature = true
granularity = "filter"
parity = true
weight_gradient = "exact"
exclude = ["conv1", "linear"]
[quantizer.layers."layer1.0.conv1"]
bits = 8
[train]
steps = 70
schedule = "multi-step"
warmup = 0.1
milestones = [0.25, 0.5]
momentum = 0.8
cycle_momentum = true
nesterov = true
weight_decay = 1e-3
decay_batch_norm = 1e-4
decay_mixture = 1e-5
label_smoothing = 0.1
hard_forward = true
rate = 0.5
rate_full = 0.25
rate_mu = 1e-4
rate_sigma = 1e-5
rate_pi = 1e-6
rate_tau = 1e-7
seed = 7
threads = 3
device = "cuda:1"
precision = "bfloat16"
evaluate_every = 2
evaluate_images = 500
batch_norm_batches = 5
checkpoint_every_seconds = 30
[record]
every = 3
bins = 128
)");
    EXPECT_EQ(job.model.arch, "resnet32");
    EXPECT_EQ(job.model.weights, "/jobs/net.th");
    EXPECT_EQ(job.model.classes, 100);
    EXPECT_EQ(job.data.source, "cifar10:/jobs/images");
    EXPECT_EQ(job.data.batch, 64);
    EXPECT_EQ(job.data.normalize, "imagenet");
    EXPECT_FALSE(job.data.augment);
    EXPECT_EQ(job.data.threads, 2);
    EXPECT_EQ(job.quantizer.layer.components, 5);
    EXPECT_EQ(job.quantizer.initSigma, quant::SigmaInit::Empirical);
    EXPECT_DOUBLE_EQ(job.quantizer.temperature, 0.1);
    EXPECT_TRUE(job.quantizer.trainTemperature);
    EXPECT_EQ(job.quantizer.granularity, quant::Granularity::Filter);
    EXPECT_TRUE(job.quantizer.parity);
    EXPECT_EQ(job.quantizer.weightGradient, quant::WeightGradient::Exact);
    EXPECT_EQ(job.quantizer.exclude, (std::vector<std::string>{"conv1", "linear"}));
    EXPECT_EQ(job.quantizer.layers.at("layer1.0.conv1").components, 256);
    EXPECT_EQ(job.train.steps, 70);
    EXPECT_EQ(job.train.schedule, train::Schedule::MultiStep);
    EXPECT_DOUBLE_EQ(job.train.warmup, 0.1);
    EXPECT_EQ(job.train.milestones, (std::vector<double>{0.25, 0.5}));
    EXPECT_DOUBLE_EQ(job.train.momentum, 0.8);
    EXPECT_TRUE(job.train.cycleMomentum && job.train.nesterov && job.train.hardForward);
    EXPECT_DOUBLE_EQ(job.train.weightDecay, 1e-3);
    EXPECT_DOUBLE_EQ(job.train.decayBatchNorm, 1e-4);
    EXPECT_DOUBLE_EQ(job.train.decayMixture, 1e-5);
    EXPECT_DOUBLE_EQ(job.train.labelSmoothing, 0.1);
    EXPECT_DOUBLE_EQ(job.train.rates.weight, 0.5);
    EXPECT_DOUBLE_EQ(job.train.rates.full, 0.25);
    EXPECT_DOUBLE_EQ(job.train.rates.batchNorm, 0.5);
    EXPECT_DOUBLE_EQ(job.train.rates.mu, 1e-4);
    EXPECT_DOUBLE_EQ(job.train.rates.sigma, 1e-5);
    EXPECT_DOUBLE_EQ(job.train.rates.pi, 1e-6);
    EXPECT_DOUBLE_EQ(job.train.rates.tau, 1e-7);
    EXPECT_EQ(job.train.seed, 7u);
    EXPECT_EQ(job.train.threads, 3);
    EXPECT_EQ(job.train.precision, train::Precision::BFloat16);
    EXPECT_EQ(job.train.device, "cuda:1");
    EXPECT_EQ(job.train.evaluateEvery, 2);
    EXPECT_EQ(job.train.evaluateImages, 500);
    EXPECT_EQ(job.train.batchNormBatches, 5);
    EXPECT_EQ(job.train.checkpointEverySeconds, 30);
    EXPECT_EQ(job.record.every, 3);
    EXPECT_EQ(job.record.bins, 128);
    EXPECT_EQ(parsed(toToml(job)), job) << toToml(job);
}

TEST(JobSpec, WritingAndReadingAgainChangesNothing) {
    for (const char* toml :
         {"", "[train]\nrecipe = 'paper'", "[train]\nsteps = 12\nrecipe = 'paper'",
          "[quantizer]\nexclude = []", "[quantizer]\nbits = 1\n[quantizer.layers.'a \"b\"']\nmethod = 'none'",
          "[model]\nweights = 'a\\b \"c\".th'", "[train]\nwarmup = 0.1234567890123"}) {
        const JobSpec job = parsed(toml);
        EXPECT_EQ(parsed(toToml(job)), job) << toml << "\n" << toToml(job);
        EXPECT_EQ(toToml(parsed(toToml(job))), toToml(job));
    }
}

TEST(JobSpec, DifferentJobsDiffer) {
    EXPECT_FALSE(parsed("") == parsed("[train]\nseed = 2"));
    EXPECT_FALSE(parsed("") == parsed("[quantizer.layers.conv1]\nbits = 3"));
}

TEST(JobSpec, UnknownKeysNameTheNearest) {
    EXPECT_THAT(errorOf("[train]\n\nepocs = 3"), AllOf(HasSubstr("job.toml:3"), HasSubstr("train.epochs")));
    EXPECT_THAT(errorOf("[quantiser]\nbits = 3"), HasSubstr("did you mean quantizer?"));
    EXPECT_THAT(errorOf("bits = 3"), HasSubstr("unknown key bits"));
    EXPECT_THAT(errorOf("[quantizer.layers.conv1]\nbit = 3"),
                AllOf(HasSubstr("conv1"), HasSubstr("\"conv1\".bits?")));
    EXPECT_THAT(errorOf("", {"quantizer.bitz=2"}), AllOf(HasSubstr("--set"), HasSubstr("quantizer.bits")));
}

TEST(JobSpec, WrongTypesNameKeyValueAndWhatWasExpected) {
    EXPECT_THAT(errorOf("[train]\nepochs = 'ten'"), AllOf(HasSubstr("job.toml:2"), HasSubstr("train.epochs"),
                                                          HasSubstr("ten"), HasSubstr("a number")));
    EXPECT_THAT(errorOf("[data]\nbatch = 1.5"), AllOf(HasSubstr("data.batch"), HasSubstr("an integer")));
    EXPECT_THAT(errorOf("[data]\naugment = 1"), HasSubstr("true or false"));
    EXPECT_THAT(errorOf("[train]\nmomentum = true"), HasSubstr("a number"));
    EXPECT_THAT(errorOf("[model]\narch = 20"), HasSubstr("a string"));
    EXPECT_THAT(errorOf("[train]\nmilestones = 0.5"), HasSubstr("an array of numbers"));
    EXPECT_THAT(errorOf("[quantizer]\nexclude = [1]"), HasSubstr("layer names"));
    EXPECT_THAT(errorOf("train = 3"), HasSubstr("[train]"));
    EXPECT_THAT(errorOf("[quantizer]\nlayers = 3"), HasSubstr("quantizer.layers"));
    EXPECT_THAT(errorOf("[quantizer.layers]\nconv1 = 3"), HasSubstr("conv1"));
}

TEST(JobSpec, ValuesOutOfRangeNameTheRange) {
    EXPECT_THAT(errorOf("[quantizer]\nbits = 9"),
                AllOf(HasSubstr("quantizer.bits"), HasSubstr("from 1 to 8")));
    EXPECT_THAT(errorOf("[quantizer]\ncomponents = 1"), HasSubstr("from 2 to 256"));
    EXPECT_THAT(errorOf("[quantizer]\ntemperature = 0.0001"), HasSubstr("from 0.001 to 1"));
    EXPECT_THAT(errorOf("[train]\nepochs = -1"), HasSubstr("from 0"));
    EXPECT_THAT(errorOf("[train]\nwarmup = nan"), HasSubstr("train.warmup"));
    EXPECT_THAT(errorOf("[train]\nschedule = 'linear'"), HasSubstr("\"one-cycle\", \"cosine\""));
    EXPECT_THAT(errorOf("[record]\nbins = 100"), HasSubstr("32, 64, 128 or 256"));
    EXPECT_THAT(errorOf("[train]\nrecipe = 'long'"), HasSubstr("\"short\", \"paper\""));
}

TEST(JobSpec, TwoWaysToSayOneThingAreAnError) {
    EXPECT_THAT(errorOf("[quantizer]\nbits = 2\ncomponents = 4"), HasSubstr("keep one"));
    EXPECT_THAT(errorOf("[train]\nepochs = 2\nsteps = 4"), HasSubstr("keep one"));
    EXPECT_THAT(errorOf("[quantizer.layers.conv1]\nbits = 2\ncomponents = 4"), HasSubstr("keep one"));
}

TEST(JobSpec, OverridesReplaceWhatTheFileSays) {
    EXPECT_EQ(parsed("[quantizer]\ncomponents = 5", {"quantizer.bits=2"}).quantizer.layer.components, 4);
    EXPECT_EQ(parsed("[quantizer]\nbits = 2", {"quantizer.components=7"}).quantizer.layer.components, 7);
    EXPECT_EQ(parsed("[train]\nepochs = 5", {"train.steps=9"}).train.steps, 9);
    const JobSpec job = parsed("[train]\nsteps = 9", {"train.epochs=0.5"});
    EXPECT_EQ(job.train.steps, 0);
    EXPECT_DOUBLE_EQ(job.train.epochs, 0.5);
    const JobSpec rates = parsed("[train]\nrate_full = 1\nrate_mu = 0.5", {"train.rate=0.25"});
    EXPECT_DOUBLE_EQ(rates.train.rates.full, 0.25);
    EXPECT_DOUBLE_EQ(rates.train.rates.mu, 0.5);
    EXPECT_EQ(parsed("", {"train.seed=1", "train.seed=2"}).train.seed, 2u);
    const std::vector<std::string> layer = {"quantizer.layers.\"layer1.0.conv1\".bits=3"};
    EXPECT_EQ(parsed("[quantizer.layers.'layer1.0.conv1']\ncomponents = 5", layer)
                  .quantizer.layers.at("layer1.0.conv1")
                  .components,
              8);
}

TEST(JobSpec, OverridesTakeBareWordsAsStrings) {
    EXPECT_EQ(parsed("", {"data.source=generated:1,256,128"}).data.source, "generated:1,256,128");
    EXPECT_EQ(parsed("", {"data.normalize=none"}).data.normalize, "none");
    EXPECT_EQ(parsed("", {"quantizer.exclude=[\"conv1\"]"}).quantizer.exclude,
              std::vector<std::string>{"conv1"});
    EXPECT_EQ(parsed("", {"model.arch=\"resnet20\""}).model.arch, "resnet20");
}

TEST(JobSpec, BrokenOverridesAreErrors) {
    EXPECT_THAT(errorOf("", {"quantizer.bits"}), HasSubstr("KEY=VALUE"));
    EXPECT_THAT(errorOf("", {"=2"}), HasSubstr("KEY=VALUE"));
    EXPECT_THAT(errorOf("", {"a b=2"}), HasSubstr("is not a key"));
}

TEST(JobSpec, PathsInOverridesAreRelativeToTheCurrentFolder) {
    const std::string here = std::filesystem::current_path().string();
    EXPECT_EQ(parsed("", {"model.weights=nets/a.th"}).model.weights, here + "/nets/a.th");
    EXPECT_EQ(parsed("[data]\nsource = 'folder:/images'").data.source, "folder:/images");
}

TEST(JobSpec, TransfersArePathsOfTheJobAndOfSingleLayers) {
    const JobSpec job = parsed(
        "[quantizer]\ntransfer = 'runs/a.h5'\ntransfer_scale = true\n"
        "[quantizer.layers.'layer1.0.conv1']\ntransfer = 'b.h5'\ntransfer_scale = false\n"
        "[quantizer.layers.'layer1.0.conv2']\ntransfer = ''\n"
        "[[stage]]\nquantizer.transfer = 'c.h5'\n"
        "[stage.quantizer.layers.'layer1.0.conv1']\ntransfer = 'd.h5'\n",
        {"quantizer.layers.conv1.transfer=e.h5"});
    EXPECT_EQ(job.quantizer.layer.transfer, "/jobs/runs/a.h5");
    EXPECT_TRUE(job.quantizer.layer.transferScale);
    EXPECT_EQ(job.quantizer.layers.at("layer1.0.conv1").transfer, "/jobs/b.h5");
    EXPECT_FALSE(job.quantizer.layers.at("layer1.0.conv1").transferScale);
    EXPECT_EQ(job.quantizer.layers.at("layer1.0.conv2").transfer, "");
    EXPECT_TRUE(job.quantizer.layers.at("layer1.0.conv2").transferScale) << "the job's";
    EXPECT_EQ(job.quantizer.layers.at("conv1").transfer, (std::filesystem::current_path() / "e.h5").string());
    EXPECT_EQ(job.stages[0].quantizer.layer.transfer, "/jobs/c.h5");
    EXPECT_EQ(job.stages[0].quantizer.layers.at("layer1.0.conv1").transfer, "/jobs/d.h5");
    EXPECT_EQ(parsed(toToml(job)), job) << toToml(job);
    EXPECT_EQ(parsed("").quantizer.layer.transfer, "");
    EXPECT_FALSE(parsed("").quantizer.layer.transferScale) << "as published";
}

TEST(JobSpec, ALayerOverrideQuantizesEvenWhenTheRestStays) {
    const JobSpec job = parsed("[quantizer]\nmethod = 'none'\n[quantizer.layers.conv1]\nbits = 3");
    EXPECT_EQ(job.quantizer.layers.at("conv1").method, "dgms");
}

TEST(JobSpec, SyntaxErrorsNameFileAndLine) {
    EXPECT_THAT(errorOf("[train]\nepochs = = 3"), HasSubstr("job.toml:2"));
}

TEST(JobSpec, FilesAreReadRelativeToTheirFolder) {
    const testing::TemporaryFolder folder;
    std::ofstream(folder / "a.toml") << "[model]\nweights = 'net.th'\n";
    const auto job = readJob(folder / "a.toml");
    ASSERT_TRUE(job.ok()) << job.error().message;
    EXPECT_EQ(job->model.weights, (folder / "net.th").string());
    const auto missing = readJob(folder / "b.toml");
    ASSERT_FALSE(missing.ok());
    EXPECT_THAT(missing.error().message, HasSubstr("b.toml"));
}

TEST(JobSpec, HelpListsEveryWrittenKey) {
    const std::vector<JobKeyHelp> keys = jobKeys();
    const std::string toml = toToml(parsed(""));
    for (const JobKeyHelp& key : keys) {
        EXPECT_FALSE(key.help.empty()) << key.name;
        EXPECT_FALSE(key.expected.empty()) << key.name;
        if (key.name == "train.recipe") {
            EXPECT_EQ(key.standard, "\"short\"");
        } else if (!key.standard.empty()) {
            EXPECT_THAT(toml, HasSubstr(key.name.substr(key.name.find('.') + 1) + " = " + key.standard));
        }
    }
}

}  // namespace
}  // namespace bitloom::jobs
