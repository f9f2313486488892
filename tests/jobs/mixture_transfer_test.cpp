// Jobs that start with the mixtures of another run: which layer feeds which, the very codebook or one as wide
// as the weights, and what is wrong with a run.
#include "engine/jobs/mixture_transfer.h"

#include <fstream>
#include <map>

#include <gmock/gmock.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/jobs/run_playback.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Layers "0", "1", ... of these numbers of output channels.
std::vector<ShapedLayer> layersOf(const std::vector<std::int64_t>& channels) {
    std::vector<ShapedLayer> layers;
    layers.reserve(channels.size());
    for (const std::int64_t count : channels)
        layers.push_back({std::to_string(layers.size()), {count, 8, 3, 3}});
    return layers;
}

std::vector<std::size_t> sourcesOf(const std::vector<ShapedLayer>& targets,
                                   const std::vector<ShapedLayer>& sources) {
    std::vector<std::size_t> indices;
    for (const LayerMatch& match : matchLayers(targets, sources))
        indices.push_back(match.source);
    return indices;
}

TEST(MatchLayers, TheSameShapeAtTheSameRelativePosition) {
    const auto deep = layersOf({16, 16, 16, 16, 16, 16, 32, 32, 32});
    const auto shallow = layersOf({16, 16, 32});
    EXPECT_THAT(sourcesOf(deep, shallow), ElementsAre(0, 0, 0, 1, 1, 1, 2, 2, 2));
    EXPECT_THAT(sourcesOf(shallow, deep), ElementsAre(1, 4, 7)) << "the middle of each third";
    EXPECT_THAT(sourcesOf(shallow, shallow), ElementsAre(0, 1, 2));
    // Interleaved shapes are counted each for itself.
    EXPECT_THAT(sourcesOf(layersOf({16, 32, 16, 32}), layersOf({32, 16, 32})), ElementsAre(1, 0, 1, 2));
    for (const LayerMatch& match : matchLayers(deep, shallow))
        EXPECT_EQ(match.rule, MatchRule::Shape);
}

TEST(MatchLayers, WithoutTheShapeTheSamePlaceAmongAll) {
    const auto targets = layersOf({16, 99, 32, 98});
    const auto matches = matchLayers(targets, layersOf({16, 32, 64, 64, 64, 64}));
    ASSERT_EQ(matches.size(), 4u);
    EXPECT_EQ(matches[0].rule, MatchRule::Shape);
    EXPECT_EQ(matches[1].rule, MatchRule::Place);
    EXPECT_EQ(matches[1].source, 2u);
    EXPECT_EQ(matches[2].source, 1u);
    EXPECT_EQ(matches[3].source, 5u);
}

class TransferJob : public ::testing::Test {
  protected:
    TransferJob() {
        writeSmallWeights(m_folder / "net.safetensors");
        m_source = smallJob();
        m_source.model.weights = (m_folder / "net.safetensors").string();
        m_source.train.steps = 2;
        m_source.train.rates.weight = 0;  // scales are those of the weight files, to the bit
        m_source.train.rates.mu = 1e-2;   // far from k-means
        m_job = m_source;
        m_job.quantizer.layer.transfer = run().string();
    }
    [[nodiscard]] fs::path run() const { return m_folder / "source.h5"; }
    void trainSource() const { trainToEnd(m_source, run()); }

    /// Means of each quantized layer at a recorded step.
    using Codebooks = std::map<std::string, std::vector<double>>;
    [[nodiscard]] static Codebooks codebooks(const fs::path& file, std::int64_t step) {
        Codebooks codebooks;
        const auto playback = RunPlayback::open(file);
        EXPECT_TRUE(playback.ok()) << messageOf(playback);
        if (!playback) return codebooks;
        const auto layers = (*playback)->layers(step);
        EXPECT_TRUE(layers.ok()) << messageOf(layers);
        for (const report::LayerSnapshotPtr& layer : *layers) {
            for (const report::Mixture& mixture : layer->mixtures) {
                for (const report::MixtureComponent& component : mixture.components)
                    codebooks[layer->layer].push_back(component.mu);
            }
        }
        return codebooks;
    }
    /// What the job says while it trains into target.h5.
    [[nodiscard]] std::vector<std::string> trainTarget() const {
        SteeringSink sink;
        JobControl control;
        const auto summary = runTrainJob({m_job, m_folder / "target.h5", ""}, sink, control);
        EXPECT_TRUE(summary.ok()) << messageOf(summary);
        return sink.lines;
    }
    [[nodiscard]] Codebooks startOfTarget() const { return codebooks(m_folder / "target.h5", 0); }

    [[nodiscard]] Error refusal() const {
        report::ProgressSink silent;
        JobControl control;
        const auto summary = runTrainJob({m_job, m_folder / "refused.h5", ""}, silent, control);
        EXPECT_FALSE(summary.ok());
        EXPECT_FALSE(fs::exists(m_folder / "refused.h5"));
        return summary ? Error{} : summary.error();
    }
    /// Of a run of a method that cannot feed the job: what it says.
    [[nodiscard]] std::string refusalOfSource() const {
        trainSource();
        const Error error = refusal();
        EXPECT_EQ(error.kind, ErrorKind::Usage);
        EXPECT_THAT(error.message, AllOf(HasSubstr(run().string()), HasSubstr("quantizer.transfer")));
        return error.message;
    }
    /// The weights of net.safetensors, all quantized ones times `factor`.
    void scaleWeights(float factor) const {
        auto file = checkpoint::readCheckpoint(m_folder / "net.safetensors");
        ASSERT_TRUE(file.ok()) << messageOf(file);
        for (auto& [name, tensor] : file->tensors) {
            if (!name.starts_with("layer") || tensor.shape.size() != 4) continue;
            std::vector<float> values = tensor.toFloats();
            for (float& value : values)
                value *= factor;
            tensor = graph::Tensor::fromFloats(tensor.shape, values);
        }
        ASSERT_TRUE(checkpoint::writeSafetensors(m_folder / "net.safetensors", file->tensors).ok());
    }

    testing::TemporaryFolder m_folder;
    JobSpec m_source;
    JobSpec m_job;
};

TEST_F(TransferJob, RawTakesTheVeryCodebook) {
    trainSource();
    scaleWeights(2);
    EXPECT_THAT(trainTarget(), Not(Contains(HasSubstr("starts with the mixture"))))
        << "the same network: by name, nothing to tell";
    const Codebooks learned = codebooks(run(), 2);
    EXPECT_EQ(learned.size(), 18u);
    EXPECT_EQ(startOfTarget(), learned);
    EXPECT_NE(codebooks(run(), 0), learned) << "else k-means would do";
}

TEST_F(TransferJob, MatchedInScaleTwiceTheWeightsGetTwiceTheMeans) {
    trainSource();
    scaleWeights(2);
    m_job.quantizer.layer.transferScale = true;
    const std::vector<std::string> lines = trainTarget();
    EXPECT_EQ(
        std::ranges::count_if(lines, [](const std::string& line) { return line.ends_with("scaled by 2"); }),
        18);
    Codebooks expected = codebooks(run(), 2);
    for (auto& [layer, means] : expected) {
        for (double& mean : means)
            mean *= 2;
    }
    EXPECT_EQ(startOfTarget(), expected);
}

TEST_F(TransferJob, OneLayerAloneTakesItsMixture) {
    trainSource();
    m_job.quantizer.layer.transfer.clear();
    quant::LayerOptions own = m_job.quantizer.layer;
    own.transfer = run().string();
    m_job.quantizer.layers["layer2.0.conv1"] = own;
    EXPECT_THAT(trainTarget(), Not(Contains(HasSubstr("starts with the mixture"))));
    Codebooks expected = codebooks(run(), 0);  // k-means of the same weights
    expected["layer2.0.conv1"] = codebooks(run(), 2)["layer2.0.conv1"];
    EXPECT_EQ(startOfTarget(), expected);
}

TEST_F(TransferJob, ADeeperNetworkTakesThemByShape) {
    trainSource();
    m_job.model = {"resnet32", "", 0, ""};
    m_job.quantizer.layer.transferScale = true;
    m_job.train.steps = 1;
    const std::vector<std::string> lines = trainTarget();
    EXPECT_THAT(lines,
                Contains(AllOf(HasSubstr("layer1.4.conv2 starts with the mixture of layer1.2.conv2 in " +
                                         run().string() + " (weights of the same shape), scaled by"))));
    EXPECT_EQ(startOfTarget().size(), 30u);
    m_job.quantizer.layer.transferScale = false;
    EXPECT_THAT(trainTarget(),
                Contains(HasSubstr("layer3.4.conv1 starts with the mixture of layer3.2.conv2 in")));
    Codebooks start = startOfTarget();
    Codebooks learned = codebooks(run(), 2);
    EXPECT_EQ(start["layer1.4.conv2"], learned["layer1.2.conv2"]);
    EXPECT_EQ(start["layer2.0.conv1"], learned["layer2.0.conv1"]);
    EXPECT_EQ(start["layer3.4.conv1"], learned["layer3.2.conv2"]);
}

TEST_F(TransferJob, AShapeThatTheRunLacksTakesItsPlace) {
    trainSource();
    m_job.model = {"resnet20-b", "", 0, ""};
    m_job.train.steps = 1;
    const std::vector<std::string> lines = trainTarget();
    EXPECT_THAT(lines, Contains(AllOf(HasSubstr("layer2.0.shortcut.0 starts with"),
                                      HasSubstr("(no layer of that shape there)"))));
    EXPECT_EQ(startOfTarget().size(), 20u);
}

TEST_F(TransferJob, WithoutAnEpochTheRunIsTheZeroShotScore) {
    trainSource();
    m_job.train.steps = 0;
    m_job.train.epochs = 0;
    const report::RunSummary summary = trainToEnd(m_job, m_folder / "target.h5");
    EXPECT_EQ(summary.steps, 0);
    EXPECT_EQ(summary.accuracyStep, 0);
    EXPECT_EQ(startOfTarget(), codebooks(run(), 2));
    EvaluateRequest request;
    request.weights = m_folder / "target.h5";
    request.images = m_job.train.evaluateImages;
    request.threads = 1;
    report::ProgressSink silent;
    JobControl control;
    const auto evaluated = runEvaluateJob(request, silent, control);
    ASSERT_TRUE(evaluated.ok()) << messageOf(evaluated);
    EXPECT_EQ(summary.top1Hard, evaluated->top1);
    m_job.train.steps = 1;
    SteeringSink sink;
    double beforeTraining = -1;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 0) beforeTraining = sample.top1Hard;
    };
    ASSERT_TRUE(runTrainJob({m_job, m_folder / "trained.h5", ""}, sink, control).ok());
    EXPECT_EQ(beforeTraining, summary.top1Hard) << "a run that trains begins with the same score";
}

TEST_F(TransferJob, AStoppedRunGoesOnWithoutTheRunItCameFrom) {
    trainSource();
    m_job.train.steps = 4;
    const report::RunSummary whole = trainToEnd(m_job, m_folder / "whole.h5");
    trainAndStop(m_job, m_folder / "target.h5", 2);
    fs::remove(run());
    fs::remove_all(run().string() + ".ckpt");
    report::ProgressSink silent;
    JobControl control;
    const auto summary = resumeTrainJob(m_folder / "target.h5", silent, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(summary->hash, whole.hash);
}

TEST_F(TransferJob, EqualWeightsTakeAMixtureButHaveNoScale) {
    trainSource();
    scaleWeights(0);
    trainAndStop(m_job, m_folder / "target.h5", 1);
    report::ProgressSink silent;
    JobControl control;
    const auto summary = resumeTrainJob(m_folder / "target.h5", silent, control);
    EXPECT_TRUE(summary.ok()) << messageOf(summary);
    EXPECT_EQ(startOfTarget(), codebooks(run(), 2));
    m_job.quantizer.layer.transferScale = true;
    const Error error = refusal();
    EXPECT_EQ(error.kind, ErrorKind::Usage);
    EXPECT_THAT(error.message,
                AllOf(HasSubstr("layer1.0.conv1"), HasSubstr("quantizer.transfer_scale = false")));
}

TEST_F(TransferJob, ALaterStageBeginsWithThemOrIsRefusedAtOnce) {
    trainSource();
    const quant::QuantizerOptions transferred = m_job.quantizer;
    m_job.quantizer.layer.transfer.clear();
    m_job.quantizer.layer.method = "none";
    m_job.stages.push_back({"full", m_job.quantizer, m_job.train});
    m_job.stages.push_back({"mixtures", transferred, m_job.train});
    m_job.stages[1].train.rates.mu = 0;
    EXPECT_THAT(trainTarget(), Not(Contains(HasSubstr("starts with the mixture"))));
    EXPECT_EQ(codebooks(m_folder / "target.h5", 4), codebooks(run(), 2));
    m_job.stages[1].quantizer.layer.components = 4;
    EXPECT_THAT(refusal().message,
                AllOf(HasSubstr("stage 2 (mixtures): layer1.0.conv1"), HasSubstr("has 8 components")));
}

TEST_F(TransferJob, MixturesOfLearnedWidthsAreTakenToo) {
    m_source.quantizer.layer = {"dgms-mixed", 8, {}};
    m_source.quantizer.sdq.target = 3;  // what they have
    trainSource();
    EXPECT_THAT(trainTarget(), Not(IsEmpty()));
    EXPECT_EQ(startOfTarget(), codebooks(run(), 2));
}

TEST_F(TransferJob, MixturesWithoutZeroAreTakenWhereTheyCanBe) {
    m_source.quantizer.layer = {"dgms-mixed", 4, {}};
    trainSource();
    for (const auto& [layer, means] : codebooks(run(), 2)) {
        EXPECT_EQ(means.size(), 4u) << layer;
        EXPECT_THAT(means, Not(Contains(0))) << layer;
    }
    m_job.quantizer.layer.components = 4;
    EXPECT_THAT(refusal().message, AllOf(HasSubstr("layer1.0.conv1"), HasSubstr("4 components"),
                                         HasSubstr("no zero"), HasSubstr("\"dgms-mixed\"")));
    m_job.quantizer.layer.method = "dgms-mixed";
    m_job.quantizer.layer.components = 8;
    EXPECT_THAT(refusal().message, AllOf(HasSubstr("has 4 components"), HasSubstr("bits = 2")));
    m_job.quantizer.layer.components = 4;
    EXPECT_THAT(trainTarget(), Not(IsEmpty()));
    EXPECT_EQ(startOfTarget(), codebooks(run(), 2));
    fs::remove(m_folder / "target.h5");
    fs::remove_all(m_folder / "target.h5.ckpt");
    trainAndStop(m_job, m_folder / "target.h5", 1);
    fs::remove(run());
    SteeringSink sink;
    JobControl control;
    const auto summary = resumeTrainJob(m_folder / "target.h5", sink, control);
    EXPECT_TRUE(summary.ok()) << messageOf(summary);
}

TEST_F(TransferJob, FilesThatAreNoRunsAreNamed) {
    const auto expectNamed = [this](const fs::path& file, const std::string& remedy) {
        m_job.quantizer.layer.transfer = file.string();
        EXPECT_THAT(refusal().message,
                    AllOf(HasSubstr("layer1.0.conv1 cannot start"), HasSubstr("quantizer.transfer"),
                          HasSubstr(file.string()), HasSubstr(remedy)));
    };
    expectNamed(m_folder / "none.h5", "name a run of method \"dgms\"");
    std::ofstream(m_folder / "notes.h5") << "my notes\n";
    expectNamed(m_folder / "notes.h5", "name a run of method \"dgms\"");
    expectNamed(m_folder / "net.safetensors", "not a Bitloom run");
    trainSource();
    fs::remove_all(run().string() + ".ckpt");
    expectNamed(run(), "no checkpoint in " + run().string() + ".ckpt; put that folder back");
}

TEST_F(TransferJob, RunsWithoutMixturesAreRefused) {
    m_source.quantizer.layer.method = "rdhs";
    EXPECT_THAT(refusalOfSource(), AllOf(HasSubstr("layer1.0.conv1"), HasSubstr("by rdhs"),
                                         HasSubstr("name a run of method \"dgms\"")));
    m_source.quantizer.layer.method = "none";
    EXPECT_THAT(refusalOfSource(), HasSubstr("quantizes no layer; name a run of method \"dgms\""));
    m_source.quantizer.layer.method = "dgms";
    m_source.quantizer.granularity = quant::Granularity::Filter;
    EXPECT_THAT(refusalOfSource(),
                AllOf(HasSubstr("layer1.0.conv1 has 16 mixtures"), HasSubstr("granularity = \"layer\"")));
}

TEST_F(TransferJob, LayersThatDoNotFitAreRefused) {
    m_source.quantizer.layers["layer2.0.conv1"] = {"none", 8, {}};
    EXPECT_THAT(refusalOfSource(),
                AllOf(HasSubstr("no mixture for layer2.0.conv1, which it leaves in full precision"),
                      HasSubstr("quantizer.exclude")));
    m_job.quantizer.exclude = {"conv1", "linear", "layer2.0.conv1"};
    m_job.quantizer.layer.components = 4;
    EXPECT_THAT(refusal().message,
                AllOf(HasSubstr("layer1.0.conv1 has 8 components"), HasSubstr("layer1.0.conv1 is to have 4"),
                      HasSubstr("set quantizer.bits = 3")));
}

TEST_F(TransferJob, JobsOfOtherMethodsAreRefused) {
    m_job.quantizer.layer.method = "rdhs";
    EXPECT_THAT(refusal().message, AllOf(HasSubstr("quantizer.transfer: rdhs does not start"),
                                         HasSubstr("set method = \"dgms\"")));
    m_job.quantizer.layer.method = "dgms";
    m_job.quantizer.granularity = quant::Granularity::Filter;
    EXPECT_THAT(refusal().message,
                AllOf(HasSubstr("quantizer.transfer:"), HasSubstr("granularity = \"layer\"")));
}

TEST_F(TransferJob, ARunTellsWhatItOffers) {
    trainSource();
    quant::QuantizerOptions options;
    const auto offer = transferOffer(run(), "resnet56", options, "layer1.8.conv2");
    ASSERT_TRUE(offer.ok()) << offer.error().message;
    EXPECT_EQ(offer->source, "layer1.2.conv2");
    EXPECT_EQ(offer->components, 8);
    EXPECT_THAT(messageOf(transferOffer(run(), "resnet56", options, "conv1")),
                HasSubstr("conv1 is not to be quantized"));
    options.layers["conv1"] = options.layer;
    const auto stem = transferOffer(run(), "resnet20", options, "conv1");
    EXPECT_THAT(messageOf(stem), AllOf(HasSubstr("conv1 cannot start"), HasSubstr(run().string()),
                                       HasSubstr("no mixture for conv1, which it leaves in full precision")));
    EXPECT_THAT(messageOf(transferOffer(m_folder / "net.safetensors", "resnet20", options, "layer1.0.conv1")),
                AllOf(HasSubstr("net.safetensors"), HasSubstr("name a run of method \"dgms\"")));
}

}  // namespace
}  // namespace bitloom::jobs
