// Whole runs of uniform levels and of learned bitwidths: recorded, resumed to the bit, reported, exported.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/graph/zoo/zoo.h"
#include "engine/jobs/compare_runs.h"
#include "engine/jobs/export_job.h"
#include "engine/jobs/report_job.h"
#include "engine/jobs/run_playback.h"
#include "engine/jobs/strategy_file.h"
#include "engine/quant/table_figures.h"
#include "engine/report/mixture.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

class BitwidthJob : public ::testing::TestWithParam<const char*> {
  protected:
    BitwidthJob() { writeSmallWeights(m_folder / "net.safetensors"); }
    [[nodiscard]] JobSpec job(std::int64_t steps) const {
        JobSpec spec = smallJob();
        spec.model.weights = (m_folder / "net.safetensors").string();
        spec.quantizer.layer = {GetParam(), 16, {}};
        spec.quantizer.binRegulariser = 0.1;
        spec.quantizer.sdq.target = 3;
        spec.train.steps = steps;
        return spec;
    }
    testing::TemporaryFolder m_folder;
};

INSTANTIATE_TEST_SUITE_P(Methods, BitwidthJob, ::testing::Values("uniform", "sdq", "dgms-mixed"),
                         [](const auto& method) {
                             std::string name = method.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(BitwidthJob, AStoppedRunEndsWithTheSameHash) {
    expectResumesToTheBit(job(30), m_folder.path(), {2, 26});
}

TEST_P(BitwidthJob, RecordsReportsAndExportsItsBits) {
    const bool learned = std::string(GetParam()) != "uniform";
    const bool mixtures = std::string(GetParam()) == "dgms-mixed";
    const report::RunSummary summary = trainToEnd(job(60), m_folder / "run.h5");
    EXPECT_LE(summary.bits, learned ? 3 : 4);
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    ASSERT_TRUE(playback.ok());
    const auto layers = (*playback)->layers(60);
    ASSERT_TRUE(layers.ok());
    const auto tracks = (*playback)->bitwidths();
    ASSERT_TRUE(tracks.ok()) << tracks.error().message;
    EXPECT_EQ(tracks->size(), 18u) << "quantized layers of ResNet-20";
    for (const report::BitwidthTrack& track : *tracks) {
        EXPECT_EQ(track.isLearned(), learned) << track.layer;
        EXPECT_EQ(track.points.size(), 61u) << "every step and the one before the first";
        EXPECT_TRUE(!learned || track.points[1].choice.gradient != 0) << track.layer;
        for (std::size_t i = 1; i < track.points.size(); ++i)
            EXPECT_LE(track.points[i].bits, track.points[i - 1].bits) << "bits only go down";
    }
    const auto totals = report::bitTotals((*playback)->info().network, *tracks, learned);
    EXPECT_NEAR(report::totalsAt(totals, 60).bits, summary.bits, 1e-9);
    const auto report = reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    double bits = 0;
    double weights = 0;
    for (const auto& layer : *layers) {
        if (layer->mixtures.empty()) continue;
        const report::Mixture& set = layer->mixtures.front();
        EXPECT_EQ(report::isFixedSet(set), !mixtures);
        EXPECT_EQ(std::exp2(layer->bits), static_cast<double>(set.components.size())) << layer->layer;
        for (const LayerReport& reported : report->layers) {
            if (reported.info.name != layer->layer) continue;
            EXPECT_EQ(reported.info.bits, layer->bits);
            bits += layer->bits * static_cast<double>(reported.info.weights);
            weights += static_cast<double>(reported.info.weights);
        }
    }
    EXPECT_NEAR(bits / weights, summary.bits, 1e-9);
    ExportRequest request;
    request.run = m_folder / "run.h5";
    request.to = "safetensors";
    request.out = m_folder / "net.safetensors.out";
    request.validate = true;
    report::ProgressSink silent;
    JobControl control;
    const auto result = runExportJob(request, silent, control);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_TRUE(result->identical);
    EXPECT_EQ(result->top1File, summary.top1Hard);
}

TEST_P(BitwidthJob, EndsOfEightBitsStandOutsideTheAverage) {
    constexpr std::int64_t kSteps = 24;
    JobSpec spec = job(kSteps);
    spec.quantizer.firstLastBits = 8;
    const bool learned = std::string(GetParam()) != "uniform";
    const report::RunSummary summary = trainToEnd(spec, m_folder / "run.h5");
    EXPECT_LE(summary.bits, learned ? 3 : 4);
    EXPECT_GT(summary.bits, learned ? 2 : 3.9);
    EXPECT_DOUBLE_EQ(summary.weightCompression, 32 / summary.bits);
    const auto report = reportRun(m_folder / "run.h5");
    ASSERT_TRUE(report.ok()) << report.error().message;
    double bits = 0;
    double weights = 0;
    double operations = 0;
    for (const LayerReport& layer : report->layers) {
        const bool end = layer.info.name == "conv1" || layer.info.name == "linear";
        EXPECT_TRUE(layer.info.quantized) << layer.info.name;
        EXPECT_EQ(layer.info.outsideAverage, end) << layer.info.name;
        operations += layer.info.bits * static_cast<double>(layer.info.macs) * 32;
        if (end) {
            EXPECT_EQ(layer.info.bits, 8);
            EXPECT_EQ(layer.packedBytes, layer.info.weights + std::int64_t{256} * 4)
                << "a byte a weight, and its codebook";
            continue;
        }
        bits += layer.info.bits * static_cast<double>(layer.info.weights);
        weights += static_cast<double>(layer.info.weights);
    }
    EXPECT_NEAR(bits / weights, summary.bits, 1e-9);
    EXPECT_NEAR(operations, summary.bitOps, 1);
    const auto figures = readRunFigures(m_folder / "run.h5");
    ASSERT_TRUE(figures.ok()) << figures.error().message;
    EXPECT_EQ(figures->bits, summary.bits);
    const auto playback = RunPlayback::open(m_folder / "run.h5");
    const auto tracks = (*playback)->bitwidths();
    ASSERT_TRUE(tracks.ok());
    EXPECT_NEAR(report::totalsAt(report::bitTotals((*playback)->info().network, *tracks, false), kSteps).bits,
                summary.bits, 1e-9);

    report::ProgressSink silent;
    JobControl control;
    for (const char* format : {"safetensors", "hdf5", "strategy"}) {
        ExportRequest request;
        request.run = m_folder / "run.h5";
        request.to = format;
        request.out = m_folder / (std::string("net.") + format);
        request.validate = std::string(format) != "strategy";
        const auto result = runExportJob(request, silent, control);
        ASSERT_TRUE(result.ok()) << result.error().message;
        if (!request.validate) continue;
        EXPECT_TRUE(result->identical);
        EXPECT_EQ(result->top1File, summary.top1Hard);
    }
    const auto strategy = readStrategy(m_folder / "net.strategy");
    ASSERT_TRUE(strategy.ok()) << strategy.error().message;
    EXPECT_EQ(strategy->bits.size(), 18u) << "the ends are not part of it";
}

TEST_P(BitwidthJob, ARunWithEndsOfEightBitsResumesToTheBit) {
    JobSpec spec = job(12);
    spec.quantizer.firstLastBits = 8;
    expectResumesToTheBit(spec, m_folder.path(), {2});
}

TEST_P(BitwidthJob, StatesWhatTheTablesSay) {
    JobSpec spec = job(3);
    const report::RunSummary summary = trainToEnd(spec, m_folder / "run.h5");
    const auto graph = graph::zoo::makeModel("resnet20");
    const auto figures = quant::tableFigures(*graph, summary.bits, 32);
    ASSERT_TRUE(figures.ok());
    EXPECT_DOUBLE_EQ(summary.weightCompression, figures->weightCompression);
    EXPECT_DOUBLE_EQ(summary.meanBitsBytes, figures->bytes);
    EXPECT_DOUBLE_EQ(summary.meanBitsBitOps, figures->bitOps);
    spec.quantizer.activation.method = quant::ActivationMethod::Lsq;
    spec.quantizer.activation.bits = 4;
    spec.quantizer.activation.images = 16;
    const report::RunSummary rounded = trainToEnd(spec, m_folder / "rounded.h5");
    EXPECT_DOUBLE_EQ(rounded.meanBitsBitOps, quant::tableFigures(*graph, rounded.bits, 4)->bitOps);
    const auto report = reportRun(m_folder / "rounded.h5");
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->summary.meanBitsBitOps, rounded.meanBitsBitOps);
    EXPECT_EQ(report->summary.meanBitsBytes, rounded.meanBitsBytes);
    EXPECT_EQ(report->summary.weightCompression, rounded.weightCompression);
}

}  // namespace
}  // namespace bitloom::jobs
