// Jobs of several trainings in a row: how they are written, how each begins where the one before ended, how a
// stopped one goes on.
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/export_job.h"
#include "engine/jobs/report_job.h"
#include "engine/jobs/run_playback.h"
#include "engine/jobs/strategy_file.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kTwoStages = R"([quantizer]
method = "sdq"
bits = 8
target = 3
[train]
steps = 20
rate = 0.02

[[stage]]
name = "bits"

[[stage]]
quantizer.method = "uniform"
quantizer.strategy = "learned"
train.steps = 12
train.distillation = 0.5
)";

JobSpec parsedStages(const std::string& text, const std::vector<std::string>& overrides = {}) {
    auto job = parseJob(text, "job.toml", "/jobs", overrides);
    EXPECT_TRUE(job.ok()) << job.error().message;
    return job ? *job : JobSpec{};
}

std::string stageError(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto job = parseJob(text, "job.toml", "/jobs", overrides);
    EXPECT_FALSE(job.ok()) << text;
    return job ? "" : job.error().message;
}

TEST(Stages, TakeOverWhatTheJobSays) {
    const JobSpec job = parsedStages(kTwoStages);
    ASSERT_EQ(job.stages.size(), 2u);
    EXPECT_EQ(job.stages[0].name, "bits");
    EXPECT_EQ(job.stages[0].quantizer.layer.method, "sdq");
    EXPECT_EQ(job.stages[0].train.steps, 20);
    EXPECT_EQ(job.stages[1].name, "uniform") << "its method, where it has no name";
    EXPECT_EQ(job.stages[1].quantizer.layer.method, "uniform");
    EXPECT_EQ(job.stages[1].quantizer.layer.components, 256);
    EXPECT_EQ(job.stages[1].quantizer.strategy, quant::kLearnedStrategy);
    EXPECT_EQ(job.stages[1].train.steps, 12);
    EXPECT_EQ(job.stages[1].train.distillation, 0.5);
    EXPECT_EQ(job.stages[1].train.rates.weight, 0.02);
    const std::vector<JobSpec> stages = stagesOf(job);
    ASSERT_EQ(stages.size(), 2u);
    EXPECT_TRUE(stages[1].stages.empty());
    EXPECT_EQ(stages[1].data.batch, job.data.batch);
    EXPECT_EQ(stagesOf(JobSpec{}).size(), 1u);
}

TEST(Stages, EpochsOfAStageReplaceTheJobsSteps) {
    const JobSpec job = parsedStages("[train]\nsteps = 20\n[[stage]]\ntrain.epochs = 3\n[[stage]]\n");
    EXPECT_EQ(job.stages[0].train.steps, 0);
    EXPECT_EQ(job.stages[0].train.epochs, 3);
    EXPECT_EQ(job.stages[1].train.steps, 20);
}

TEST(Stages, AStageHasTheRecipeOfItsMethod) {
    const JobSpec job = parsedStages(
        "[quantizer]\nmethod = \"none\"\n[[stage]]\n[[stage]]\nquantizer.method = \"rdhs\"\nquantizer.bits = "
        "1\n");
    EXPECT_EQ(job.stages[1].train.rates.alpha, 3);
    EXPECT_NE(job.stages[0].train.rates.alpha, 3);
}

TEST(Stages, AreWrittenSoThatTheyReadTheSame) {
    std::string text = kTwoStages;
    text += "[stage.quantizer.layers.\"layer1.0.conv1\"]\nbits = 6\n";
    text += "[[stage]]\nquantizer.method = \"rdhs\"\nquantizer.values = [-1, 0, 1]\ntrain.epochs = 2\n";
    const JobSpec job = parsedStages(text);
    const JobSpec again = parsedStages(toToml(job));
    EXPECT_EQ(toToml(again), toToml(job));
    ASSERT_EQ(again.stages.size(), 3u);
    EXPECT_EQ(again.stages[1].quantizer.layers.at("layer1.0.conv1").components, 64);
    EXPECT_EQ(again.stages[1].quantizer.layers.at("layer1.0.conv1").method, "uniform");
    EXPECT_EQ(again.stages[2].quantizer.layer.values, (std::vector<double>{-1, 0, 1}));
    EXPECT_EQ(again.stages[2].train.epochs, 2);
    EXPECT_EQ(again.stages[2].train.rates.alpha, job.stages[2].train.rates.alpha);
}

TEST(Stages, AreOverriddenByNumber) {
    const JobSpec job = parsedStages(kTwoStages, {"stage.2.train.epochs=4", "quantizer.target=2"});
    EXPECT_EQ(job.stages[1].train.epochs, 4);
    EXPECT_EQ(job.stages[1].train.steps, 0);
    EXPECT_EQ(job.stages[0].quantizer.sdq.target, 2) << "of all stages that do not say otherwise";
    EXPECT_THAT(stageError(kTwoStages, {"stage.3.train.epochs=4"}), HasSubstr("the job has 2 [[stage]]"));
    EXPECT_THAT(stageError(kTwoStages, {"stage.zero.train.epochs=4"}), HasSubstr("stage.NUMBER.KEY"));
    EXPECT_THAT(stageError(kTwoStages, {"stage=2"}), HasSubstr("stage.NUMBER.KEY"));
}

TEST(Stages, ErrorsNameLineAndKey) {
    EXPECT_THAT(stageError("[[stage]]\n[[stage]]\ntrain.epoch = 2"),
                HasSubstr("job.toml:3: unknown key train.epoch"));
    EXPECT_THAT(stageError("[[stage]]\ntrain.epochs = \"two\""),
                HasSubstr("job.toml:2: stage 1: train.epochs"));
    EXPECT_THAT(stageError("[[stage]]\ndata.batch = 2"), HasSubstr("[data] is of the whole job"));
    EXPECT_THAT(stageError("[[stage]]\ntrain.seed = 2"), HasSubstr("train.seed is of the whole job"));
    EXPECT_THAT(stageError("[[stage]]\nname = 3"), HasSubstr("expected a string"));
    EXPECT_THAT(stageError("stage = 3"), HasSubstr("write [[stage]]"));
    EXPECT_THAT(stageError("stage = [3]"), HasSubstr("write [[stage]]"));
}

TEST(Stages, PathsAreThoseOfTheJobFile) {
    const JobSpec job =
        parsedStages("[quantizer]\nstrategy = \"a.toml\"\n[[stage]]\nquantizer.strategy = \"b/c.toml\"\n");
    EXPECT_EQ(job.quantizer.strategy, "/jobs/a.toml");
    EXPECT_EQ(job.stages[0].quantizer.strategy, "/jobs/b/c.toml");
}

class StagesJob : public ::testing::Test {
  protected:
    StagesJob() {
        writeSmallWeights(m_folder / "net.safetensors");
        m_job = smallJob();
        m_job.model.weights = (m_folder / "net.safetensors").string();
        m_job.quantizer.layer = {"sdq", 256, {}};
        m_job.quantizer.sdq.target = 3;
        m_job.train.steps = 10;
        stage("sdq", 10);
        stage("uniform", 6).quantizer.strategy = quant::kLearnedStrategy;
        m_job.stages[1].train.distillation = 0.5;
    }
    StageSpec& stage(const std::string& method, std::int64_t steps) {
        StageSpec& added = m_job.stages.emplace_back();
        added = {method, m_job.quantizer, m_job.train};
        added.quantizer.layer.method = method;
        added.train.steps = steps;
        return added;
    }
    [[nodiscard]] std::string refusal() const {
        TrainRequest request;
        request.spec = m_job;
        request.out = m_folder / "refused.h5";
        report::ProgressSink silent;
        JobControl control;
        const auto summary = runTrainJob(request, silent, control);
        EXPECT_FALSE(summary.ok());
        EXPECT_FALSE(fs::exists(m_folder / "refused.h5"));
        return summary ? "" : summary.error().message;
    }
    [[nodiscard]] fs::path exportStrategy(const fs::path& run) const {
        ExportRequest request;
        request.run = run;
        request.to = "strategy";
        request.out = m_folder / "bits.toml";
        report::ProgressSink silent;
        JobControl control;
        const auto result = runExportJob(request, silent, control);
        EXPECT_TRUE(result.ok()) << result.error().message;
        EXPECT_TRUE(result->identical);
        return request.out;
    }
    testing::TemporaryFolder m_folder;
    JobSpec m_job;
};

TEST_F(StagesJob, TheSecondKeepsTheBitsOfTheFirst) {
    const report::RunSummary summary = trainToEnd(m_job, m_folder / "run.h5");
    EXPECT_EQ(summary.steps, 16);
    EXPECT_LE(summary.bits, 3);
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    ASSERT_TRUE(playback.ok());
    EXPECT_EQ((*playback)->info().totalSteps, 16);
    EXPECT_EQ(*parseJob((*playback)->info().jobToml, "recorded", "/"), m_job);
    const auto before = (*playback)->layers(10);
    const auto after = (*playback)->layers(16);
    ASSERT_TRUE(before.ok() && after.ok());
    int quantized = 0;
    for (std::size_t i = 0; i < before->size(); ++i) {
        EXPECT_EQ((*before)[i]->bits, (*after)[i]->bits) << (*before)[i]->layer;
        quantized += (*after)[i]->mixtures.empty() ? 0 : 1;
    }
    EXPECT_EQ(quantized, 18);
    const auto steps = (*playback)->steps();
    EXPECT_TRUE(std::ranges::is_sorted(*steps));
    EXPECT_EQ(std::ranges::adjacent_find(*steps), steps->end()) << "each step once";
    const auto events = (*playback)->events();
    ASSERT_TRUE(events.ok());
    EXPECT_EQ(std::ranges::count(*events, report::EventKind::Stage, &report::RunEvent::kind), 1);
    EXPECT_EQ(std::ranges::count(*events, report::EventKind::Finished, &report::RunEvent::kind), 1);
    const auto report = reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_NEAR(report->summary.bits, summary.bits, 1e-12);
}

TEST_F(StagesJob, AStoppedRunEndsWithTheSameHash) {
    expectResumesToTheBit(m_job, m_folder.path(), {4, 10, 11, 14});
}

TEST_F(StagesJob, FullPrecisionFirstThenMixtures) {
    m_job.stages.clear();
    stage("none", 3);
    stage("dgms", 3).quantizer.layer.components = 8;
    const report::RunSummary summary = trainToEnd(m_job, m_folder / "run.h5");
    EXPECT_DOUBLE_EQ(summary.bits, 3);
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    ASSERT_TRUE(playback.ok());
    EXPECT_EQ(std::ranges::count((*playback)->info().network.layers, true, &report::LayerInfo::quantized), 18)
        << "by any stage";
    const auto before = (*playback)->layers(2);
    const auto after = (*playback)->layers(6);
    ASSERT_TRUE(before.ok() && after.ok());
    for (const auto& layer : *before)
        EXPECT_TRUE(layer->mixtures.empty()) << layer->layer;
    int mixtures = 0;
    for (const auto& layer : *after)
        mixtures += static_cast<int>(layer->mixtures.size());
    EXPECT_EQ(mixtures, 18);
}

TEST_F(StagesJob, AStrategyIsExportedEditedAndFollowed) {
    m_job.stages.resize(1);
    trainToEnd(m_job, m_folder / "bits.h5");
    const fs::path file = exportStrategy(m_folder / "bits.h5");
    auto strategy = readStrategy(file);
    ASSERT_TRUE(strategy.ok()) << strategy.error().message;
    EXPECT_EQ(strategy->network, "resnet20");
    EXPECT_EQ(strategy->bits.size(), 18u);
    const auto learned = reportRun(m_folder / "bits.h5");
    ASSERT_TRUE(learned.ok());
    for (const LayerReport& layer : learned->layers) {
        if (layer.info.quantized) {
            EXPECT_EQ(strategy->bits[layer.info.name], layer.info.bits) << layer.info.name;
        }
    }
    std::ofstream(m_folder / "edited.toml")
        << "network = \"resnet20\"\n[bits]\n\"conv1\" = 8\n\"layer3.2.conv2\" = 1\n";
    m_job.stages.clear();
    m_job.train.steps = 2;
    m_job.quantizer.layer = {"uniform", 4, {}};
    m_job.quantizer.strategy = (m_folder / "edited.toml").string();
    trainToEnd(m_job, m_folder / "run.h5");
    const auto report = reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report.ok());
    for (const LayerReport& layer : report->layers) {
        const double bits = layer.info.name == "conv1"            ? 8
                            : layer.info.name == "layer3.2.conv2" ? 1
                            : layer.info.name == "linear"         ? 32
                                                                  : 2;
        EXPECT_EQ(layer.info.bits, bits) << layer.info.name;
    }
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    EXPECT_THAT((*playback)->info().jobToml, Not(HasSubstr("edited.toml")))
        << "the run holds the bits itself";
}

TEST_F(StagesJob, StrategiesThatDoNotFitAreRefused) {
    m_job.stages.clear();
    m_job.quantizer.layer = {"uniform", 4, {}};
    const auto refused = [&](const std::string& text) {
        std::ofstream(m_folder / "bad.toml") << text;
        m_job.quantizer.strategy = (m_folder / "bad.toml").string();
        return refusal();
    };
    EXPECT_THAT(refused("network = \"resnet32\"\n[bits]\nconv1 = 8\n"), HasSubstr("the bits of resnet32"));
    EXPECT_THAT(refused("network = \"resnet20\"\n[bits]\n\"layer1.0.conv9\" = 8\n"),
                HasSubstr("did you mean \"layer1.0.conv"));
    EXPECT_THAT(refused("network = \"resnet20\"\n[bits]\nconv1 = 9\n"),
                HasSubstr("bad.toml:3: \"conv1\": expected"));
    EXPECT_THAT(refused("network = \"resnet20\"\n"), HasSubstr("--to strategy writes one"));
    EXPECT_THAT(refused("network = \"resnet20\"\nbit = 3\n[bits]\nconv1 = 1\n"),
                HasSubstr("unknown key bit"));
    EXPECT_THAT(refused("network = "), HasSubstr("bad.toml:1"));
    m_job.quantizer.strategy = (m_folder / "absent.toml").string();
    EXPECT_THAT(refusal(), HasSubstr("absent.toml"));
}

TEST_F(StagesJob, StagesThatCannotFollowEachOtherAreRefusedAtOnce) {
    std::swap(m_job.stages[0], m_job.stages[1]);
    EXPECT_THAT(refusal(), HasSubstr("stage 1 (uniform): strategy = \"learned\""));
    std::swap(m_job.stages[0], m_job.stages[1]);
    m_job.stages[0].quantizer.layer.method = "none";
    EXPECT_THAT(refusal(), HasSubstr("quantizes no layer"));
    m_job.stages[0].quantizer.layer = {"uniform", 5, {}};
    EXPECT_THAT(refusal(), HasSubstr("stage 1 (sdq): quantizer: components = 5"));
}

TEST_F(StagesJob, WhatALaterStageCannotDoIsRefusedAtOnce) {
    const JobSpec good = m_job;
    m_job.stages[1].quantizer.layer = {"sdq", 256, {}};
    m_job.stages[1].quantizer.sdq.target = 0.5;
    m_job.stages[1].quantizer.strategy.clear();
    EXPECT_THAT(refusal(), AllOf(HasSubstr("stage 2 (uniform)"), HasSubstr("one bit a weight is the least")));
    m_job.stages[1].quantizer.layer.method = "dgms-mixed";
    EXPECT_THAT(refusal(), AllOf(HasSubstr("stage 2 (uniform)"), HasSubstr("one bit a weight is the least")));
    m_job = good;
    m_job.stages[1].quantizer.layer = {"rdhs", 4, {}};
    EXPECT_THAT(refusal(), AllOf(HasSubstr("may keep the bits that stage 1 (sdq) starts with"),
                                 HasSubstr("components = 256")));
    m_job = good;
    m_job.stages[0].quantizer.activation.method = quant::ActivationMethod::Ptq;
    m_job.stages[0].quantizer.activation.images = 16;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("stage 1 (sdq)"), HasSubstr("say so in stage 2 (uniform)")));
    m_job = good;
    m_job.model.weights.clear();
    m_job.model.arch = "resnet20";
    EXPECT_THAT(refusal(), HasSubstr("train.distillation needs a teacher"));
}

TEST(Stages, LearnedBitsDoNotInheritWhereTheyBegan) {
    const std::string layers =
        "[quantizer.layers.a]\nbits = 4\n[quantizer.layers.b]\nmethod = \"dgms\"\nbits = 2\n"
        "[quantizer.layers.c]\nbits = 4\n[quantizer.layers.d]\nbits = 4\n";
    const std::string own = "[stage.quantizer.layers.c]\nbits = 4\n[stage.quantizer.layers.d]\nbits = 6\n";
    for (const char* method : {"sdq", "uniform"}) {  // of the job: the stage that learns says sdq
        std::string text = kTwoStages;
        text.replace(text.find("\"sdq\""), 5, fmt::format("\"{}\"", method));
        text.replace(text.find("name = \"bits\""), 13, "name = \"bits\"\nquantizer.method = \"sdq\"");
        const JobSpec job = parsedStages(text + own + layers);
        EXPECT_EQ(job.stages[0].quantizer.layers.size(), 4u);
        EXPECT_EQ(job.stages[0].quantizer.layers.at("a").method, "sdq");
        const auto& learned = job.stages[1].quantizer.layers;
        EXPECT_FALSE(learned.contains("a")) << "where it began";
        EXPECT_EQ(learned.at("b"), (quant::LayerOptions{"dgms", 4, {}})) << "it never learned";
        EXPECT_EQ(learned.at("c"), (quant::LayerOptions{"uniform", 16, {}})) << "the stage says so";
        EXPECT_EQ(learned.at("d").components, 64);
        const JobSpec again = parsedStages(toToml(job));
        EXPECT_EQ(again.stages[1].quantizer.layers, learned);
        EXPECT_EQ(again, job);
    }
}

TEST(Stages, LearnedBitsTakeNoMixturesOfOtherRuns) {
    std::string text = kTwoStages;
    text.replace(text.find("\"sdq\""), 5, "\"dgms-mixed\"\ntransfer = \"/runs/a.h5\"");
    text.replace(text.find("\"uniform\""), 9, "\"dgms-mixed\"");
    const JobSpec job = parsedStages(text);
    EXPECT_EQ(job.stages[0].quantizer.layer.transfer, "/runs/a.h5");
    EXPECT_TRUE(job.stages[1].quantizer.layer.transfer.empty());
    EXPECT_EQ(parsedStages(toToml(job)), job);
    const std::string own = "[stage.quantizer.layers.c]\nbits = 4\n";
    EXPECT_TRUE(parsedStages(text + own).stages[1].quantizer.layers.at("c").transfer.empty());
}

TEST_F(StagesJob, LearnedBitsWithOtherMixturesAreRefusedAtTheStart) {
    m_job.stages[1].quantizer.layer = {"dgms-mixed", 256, {}, (m_folder / "other.h5").string()};
    EXPECT_THAT(refusal(), AllOf(HasSubstr("stage 2"), HasSubstr("found anew")));
}

TEST_F(StagesJob, AStrategyOfTheJobIsOfItsStagesAlone) {
    std::ofstream(m_folder / "bits.toml") << "network = \"resnet20\"\n[bits]\n\"layer3.1.conv1\" = 4\n";
    m_job.quantizer.strategy = m_job.stages[0].quantizer.strategy = (m_folder / "bits.toml").string();
    trainToEnd(m_job, m_folder / "run.h5");
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    ASSERT_TRUE(playback.ok());
    const JobSpec recorded = parsedStages((*playback)->info().jobToml);
    EXPECT_EQ(recorded.stages[0].quantizer.layers.at("layer3.1.conv1").components, 16);
    EXPECT_TRUE(recorded.stages[1].quantizer.layers.empty());
    EXPECT_TRUE(recorded.quantizer.strategy.empty());
    EXPECT_TRUE(fs::exists(exportStrategy(m_folder / "run.h5"))) << "its checkpoint can be read";
}

TEST_F(StagesJob, ALayersStartingBitsAreNotWhereItStays) {
    // As the window puts it: for the job and for every stage but the one that follows.
    const quant::LayerOptions start{"sdq", 16, {}};
    m_job.quantizer.layers["layer3.1.conv1"] = start;
    m_job.stages[0].quantizer.layers["layer3.1.conv1"] = start;
    expectResumesToTheBit(m_job, m_folder.path(), {13});
    const fs::path run = m_folder / "whole.h5";
    EXPECT_TRUE(fs::exists(exportStrategy(run))) << "its checkpoint can be read";
    const auto playback = RunPlayback::open(run);
    ASSERT_TRUE(playback.ok());
    EXPECT_LE((*playback)->summary()->bits, 3);
    const auto before = (*playback)->layers(10);
    const auto after = (*playback)->layers(16);
    ASSERT_TRUE(before.ok() && after.ok());
    for (std::size_t i = 0; i < before->size(); ++i)
        EXPECT_EQ((*before)[i]->bits, (*after)[i]->bits) << (*before)[i]->layer;
    // What the second stage says itself is another matter.
    m_job.stages[1].quantizer.layers["layer3.1.conv1"] = {"uniform", 64, {}};
    trainToEnd(m_job, m_folder / "own.h5");
    const auto own = RunPlayback::open(m_folder / "own.h5");
    const auto layers = (*own)->layers(16);
    ASSERT_TRUE(layers.ok());
    const auto found =
        std::ranges::find(*layers, "layer3.1.conv1", [](const auto& layer) { return layer->layer; });
    ASSERT_NE(found, layers->end());
    EXPECT_EQ((*found)->bits, 6);
}

}  // namespace
}  // namespace bitloom::jobs
