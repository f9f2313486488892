// RDHS and SGT as jobs: keys, errors, and whole runs from a start to what is deployed.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>

#include "engine/checkpoint/checkpoint.h"
#include "engine/jobs/export_job.h"
#include "engine/jobs/parity_job.h"
#include "engine/jobs/report_job.h"
#include "engine/jobs/run_playback.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

JobSpec parsedSearch(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto job = parseJob(text, "job.toml", "/", overrides);
    EXPECT_TRUE(job.ok()) << (job ? "" : job.error().message);
    return job ? *job : JobSpec{};
}

std::string searchErrorOf(const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto job = parseJob(text, "job.toml", "/", overrides);
    EXPECT_FALSE(job.ok()) << text;
    return job ? std::string() : job.error().message;
}

TEST(SearchJobKeys, ValuesBitsAndComponentsReplaceEachOther) {
    const JobSpec job = parsedSearch("[quantizer]\nmethod = 'rdhs'\nvalues = [1, -1, 0]");
    EXPECT_THAT(job.quantizer.layer.values, ElementsAre(1, -1, 0));
    EXPECT_EQ(job.quantizer.layer.components, 3);
    EXPECT_EQ(parsedSearch(toToml(job)), job);
    const JobSpec bits =
        parsedSearch("[quantizer]\nmethod = 'rdhs'\nvalues = [1, -1, 0]", {"quantizer.bits=1"});
    EXPECT_TRUE(bits.quantizer.layer.values.empty());
    EXPECT_EQ(bits.quantizer.layer.components, 2);
    EXPECT_EQ(parsedSearch("[quantizer]\nbits = 2", {"quantizer.values=[1,2,3]"}).quantizer.layer.components,
              3);
    const JobSpec layers = parsedSearch(
        "[quantizer]\nmethod = 'sgt'\nvalues = [-1, 1]\n[quantizer.layers.a]\nbits = 2\n"
        "[quantizer.layers.b]\nvalues = [0, 1, 2]");
    EXPECT_TRUE(layers.quantizer.layers.at("a").values.empty());
    EXPECT_EQ(layers.quantizer.layers.at("a").method, "sgt");
    EXPECT_THAT(layers.quantizer.layers.at("b").values, ElementsAre(0, 1, 2));
    EXPECT_EQ(parsedSearch(toToml(layers)), layers);
}

TEST(SearchJobKeys, BadValuesAreNamedWithTheRemedy) {
    const std::string remedy = "expected an array of 2 to 256 different finite numbers";
    for (const char* values :
         {"[]", "[1]", "[1, 1]", "[1, nan]", "[1, inf]", "[1, 'a']", "[true, false]", "3"}) {
        EXPECT_THAT(searchErrorOf(std::string("[quantizer]\nvalues = ") + values),
                    AllOf(HasSubstr("job.toml:2"), HasSubstr("quantizer.values"), HasSubstr(remedy)))
            << values;
    }
    std::string many = "[quantizer]\nvalues = [0";
    for (int i = 1; i <= 256; ++i)
        many += "," + std::to_string(i);
    EXPECT_THAT(searchErrorOf(many + "]"), HasSubstr(remedy));
    EXPECT_THAT(searchErrorOf("[quantizer.layers.conv1]\nvalues = [2, 2]"), HasSubstr("\"conv1\".values"));
    EXPECT_THAT(searchErrorOf("[quantizer]\nbits = 1\nvalues = [-1, 1]"), HasSubstr("keep one"));
    EXPECT_THAT(searchErrorOf("[quantizer]\nspread = 0"), HasSubstr("quantizer.spread"));
    EXPECT_THAT(searchErrorOf("[quantizer]\nstart = 'zero'"), HasSubstr("quantizer.start"));
    EXPECT_THAT(searchErrorOf("[quantizer]\ntemperature_rate = 1.5"), HasSubstr("temperature_rate"));
}

TEST(SearchJobKeys, ThePaperRecipeIsThePublishedSchedule) {
    for (const char* method : {"rdhs", "sgt"}) {
        const JobSpec job =
            parsedSearch(std::string("[train]\nrecipe = 'paper'\n[quantizer]\nmethod = '") + method + "'");
        EXPECT_EQ(job.quantizer.search.start, quant::SearchStart::Random);
        EXPECT_EQ(job.quantizer.search.temperatureRate, 0.97);
        EXPECT_EQ(job.train.rates.alpha, 0.1);
        EXPECT_EQ(job.train.rates.full, 0.1);
        EXPECT_EQ(job.train.rates.batchNorm, 0.1);
        EXPECT_EQ(job.train.decayAlpha, 1e-4);
        EXPECT_EQ(job.train.weightDecay, 1e-4);
        EXPECT_EQ(job.train.decayBatchNorm, 1e-4);
        EXPECT_EQ(job.train.schedule, train::Schedule::Cosine);
        EXPECT_EQ(job.train.epochs, 200);
        EXPECT_EQ(job.train.momentum, 0.9);
        EXPECT_EQ(job.data.batch, 128);
        EXPECT_FALSE(job.quantizer.search.halfLogits || job.quantizer.search.factored);
    }
}

TEST(SearchJobKeys, TheShortRecipeStartsFromPretrainedWeights) {
    const JobSpec job = parsedSearch("[quantizer]\nmethod = 'sgt'\nbits = 1");
    EXPECT_EQ(job.quantizer.search.start, quant::SearchStart::Posterior);
    EXPECT_TRUE(job.quantizer.search.halfLogits && job.quantizer.search.factored);
    EXPECT_EQ(job.train.rates.alpha, 3);
    EXPECT_EQ(job.train.rates.full, 0.03);
    EXPECT_EQ(job.train.rates.batchNorm, 0.03);
    for (const char* more : {"bits = 2", "values = [-1, 0, 1]"}) {
        const JobSpec several = parsedSearch(std::string("[quantizer]\nmethod = 'sgt'\n") + more);
        EXPECT_EQ(several.train.rates.alpha, 0.3) << more;
        EXPECT_EQ(several.train.rates.full, 0.03) << more;
    }
    EXPECT_EQ(parsedSearch("[quantizer]\nmethod = 'sgt'\n[train]\nrate_alpha = 1").train.rates.alpha, 1);
}

class SearchJob : public ::testing::TestWithParam<const char*> {
  protected:
    [[nodiscard]] static JobSpec job(int components) {
        JobSpec job = smallJob();
        job.quantizer.layer = {GetParam(), components};
        return job;
    }
    testing::TemporaryFolder m_folder;
};

INSTANTIATE_TEST_SUITE_P(Methods, SearchJob, ::testing::Values("rdhs", "sgt"),
                         [](const auto& method) { return std::string(method.param); });

TEST_P(SearchJob, RunsFromRandomNumbersAreRecordedWhole) {
    JobSpec spec = job(2);
    spec.quantizer.search.start = quant::SearchStart::Random;
    const report::RunSummary summary = trainToEnd(spec, m_folder / "run.h5");
    EXPECT_EQ(summary.status, report::RunStatus::Finished);
    EXPECT_EQ(summary.bits, 1);
    EXPECT_EQ(summary.sparsity, 0);
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    ASSERT_TRUE(playback.ok());
    const auto layers = (*playback)->layers(4);
    ASSERT_TRUE(layers.ok());
    int sets = 0;
    for (const auto& layer : *layers) {
        if (layer->mixtures.empty()) continue;
        ++sets;
        const report::Mixture& mixture = layer->mixtures.front();
        EXPECT_TRUE(report::isFixedSet(mixture));
        ASSERT_EQ(mixture.components.size(), 2u);
        EXPECT_EQ(mixture.components[0].mu, -1);
        EXPECT_EQ(mixture.components[1].mu, 1);
        EXPECT_GT(layer->gradients.weight, 0);
    }
    EXPECT_EQ(sets, 18);
    // The distance to what the choice relaxes to, in the total as in the rows.
    const auto report = reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report.ok());
    EXPECT_GT(summary.mse, 0);
    EXPECT_NEAR(report->summary.mse, summary.mse, 1e-6 * summary.mse);
}

TEST_P(SearchJob, AStoppedRunEndsWithTheSameHash) {
    JobSpec spec = job(8);
    spec.quantizer.search.gumbelNoise = 0.1;
    spec.quantizer.search.temperatureRate = 0.5;
    spec.train.steps = 12;  // into the second epoch
    expectResumesToTheBit(spec, m_folder.path(), {2, 9});
}

TEST_P(SearchJob, ExportsHaveFewerBitsThanBytesAndScoreTheSame) {
    for (const int components : {2, 4, 8}) {
        const report::RunSummary summary = trainToEnd(job(components), m_folder / "run.h5");
        for (const std::string format : {"safetensors", "hdf5"}) {
            ExportRequest request;
            request.run = m_folder / "run.h5";
            request.to = format;
            request.out = m_folder / ("net." + format);
            request.validate = true;
            report::ProgressSink silent;
            JobControl control;
            const auto result = runExportJob(request, silent, control);
            ASSERT_TRUE(result.ok()) << result.error().message;
            EXPECT_TRUE(result->identical);
            EXPECT_EQ(result->top1File, summary.top1Hard);
            EXPECT_GT(result->compression, components == 2 ? 9 : 6);
        }
    }
}

TEST_P(SearchJob, AUserSetIsWhatIsDeployed) {
    JobSpec spec = job(3);
    spec.quantizer.layer.values = {1, 0, -1};
    spec.quantizer.layers["layer1.0.conv1"] = {GetParam(), 5, {-2, -1, 0, 1, 2}};
    trainToEnd(spec, m_folder / "run.h5");
    const auto report = reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    for (const LayerReport& layer : report->layers) {
        if (!layer.info.quantized) continue;
        EXPECT_NEAR(layer.info.bits, std::log2(layer.info.name == "layer1.0.conv1" ? 5 : 3), 1e-12);
        EXPECT_GT(layer.sparsity, 0) << "a set with zero prunes";
    }
}

TEST_P(SearchJob, PretrainedWeightsStartFarAboveChance) {
    JobSpec spec = job(4);
    spec.model.weights = (testing::projectRoot() / "samples/resnet20-generated.safetensors").string();
    spec.data.source = "generated";
    spec.data.normalize = "half";
    spec.data.batch = 64;
    spec.train.steps = 1;
    spec.train.evaluateImages = 500;
    spec.train.batchNormBatches = 10;
    double before = report::kNoValue;
    SteeringSink sink;
    sink.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 0) before = sample.top1Hard;
    };
    JobControl control;
    const auto summary = runTrainJob({spec, m_folder / "run.h5", ""}, sink, control);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_GT(before, 40) << "ten classes: 10 % is chance";
}

TEST_P(SearchJob, AWeightOfZerosNeedsARandomStart) {
    writeSmallWeights(m_folder / "net.safetensors");
    auto file = checkpoint::readCheckpoint(m_folder / "net.safetensors");
    ASSERT_TRUE(file.ok());
    graph::Tensor& weight = file->tensors.at("layer2.0.conv1.weight");
    std::ranges::fill(weight.bytes, std::byte{0});
    ASSERT_TRUE(checkpoint::writeSafetensors(m_folder / "zeros.safetensors", file->tensors).ok());
    JobSpec spec = job(4);
    spec.model.weights = (m_folder / "zeros.safetensors").string();
    report::ProgressSink silent;
    JobControl control;
    const auto summary = runTrainJob({spec, m_folder / "run.h5", ""}, silent, control);
    ASSERT_FALSE(summary.ok());
    EXPECT_THAT(summary.error().message,
                AllOf(HasSubstr("layer2.0.conv1"), HasSubstr("quantizer.start"), HasSubstr("exclude")));
}

// In one process with the benchmarks ("Bench" in the name): they share the runners that they build.
class SearchBenchTest : public ::testing::Test {
  protected:
    void SetUp() override { ::setenv("XDG_CACHE_HOME", BITLOOM_TEST_CACHE, 1); }
    testing::TemporaryFolder m_folder;
};

TEST_F(SearchBenchTest, DeployedNetworksAgreeWithLibtorch) {
    for (const int components : {2, 8}) {
        JobSpec spec = smallJob();
        spec.quantizer.layer = {"rdhs", components};
        trainToEnd(spec, m_folder / "run.h5");
        ParityRequest request;
        request.run = m_folder / "run.h5";
        request.images = 5;
        request.deployment.calibrationImages = 4;
        SteeringSink sink;
        JobControl control;
        const auto result = runParityJob(request, sink, control);
        ASSERT_TRUE(result.ok()) << result.error().message;
        EXPECT_TRUE(result->passed) << components;
        for (const report::ParityNetwork& network : result->networks) {
            EXPECT_EQ(network.diverges, "") << network.family;
            EXPECT_EQ(network.exceeds, "") << network.family;
            EXPECT_EQ(network.sameOutputs, 5);
        }
    }
}

}  // namespace
}  // namespace bitloom::jobs
