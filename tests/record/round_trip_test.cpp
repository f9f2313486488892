// What is written is read back, bit by bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "engine/record/schema.h"
#include "tests/record/run_samples.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

using testing::difference;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class RoundTrip : public ::testing::Test {
  protected:
    std::unique_ptr<RunWriter> create(const report::RunInfo& info = testing::sampleInfo()) {
        auto writer = RunWriter::create(m_path, info, m_layouts);
        EXPECT_TRUE(writer.ok()) << writer.error().message;
        return std::move(writer).value();
    }
    std::unique_ptr<RunReader> open() {
        auto reader = RunReader::open(m_path);
        EXPECT_TRUE(reader.ok()) << reader.error().message;
        return std::move(reader).value();
    }

    testing::TemporaryFolder m_folder;
    std::filesystem::path m_path = m_folder / "run.h5";
    std::vector<LayerLayout> m_layouts = testing::sampleLayouts();
};

TEST_F(RoundTrip, InfoComesBackWhole) {
    report::RunInfo info = testing::sampleInfo();
    info.graphJson = std::string(300'000, 'x') + "\n";  // beyond what an HDF5 object header holds
    info.command.clear();
    info.network.layers[1].bits = report::kNoValue;
    ASSERT_TRUE(create(info)->finish({}).ok());

    const auto reader = open();
    const report::RunInfo& read = reader->info();
    EXPECT_EQ(read.path, m_path.string());
    EXPECT_EQ(read.jobToml, info.jobToml);
    EXPECT_EQ(read.command, "");
    EXPECT_EQ(read.graphJson, info.graphJson);
    EXPECT_EQ(read.version, info.version);
    EXPECT_EQ(read.host, info.host);
    EXPECT_EQ(read.started, info.started);
    EXPECT_EQ(read.seed, -7);
    EXPECT_EQ(read.totalSteps, 3910);
    EXPECT_EQ(read.stepsPerEpoch, 391);
    EXPECT_TRUE(std::isnan(read.top1Fp32));
    EXPECT_EQ(read.network.arch, "resnet20");
    EXPECT_EQ(read.network.parameters, 272474);
    EXPECT_EQ(read.network.macs, 40813184);
    ASSERT_EQ(read.network.layers.size(), 2u);
    EXPECT_EQ(read.network.layers[0].name, "conv1");
    EXPECT_EQ(read.network.layers[0].op, "conv 3x3");
    EXPECT_THAT(read.network.layers[0].weightShape, ElementsAre(16, 3, 3, 3));
    EXPECT_EQ(read.network.layers[0].weights, 432);
    EXPECT_EQ(read.network.layers[0].macs, 442368);
    EXPECT_FALSE(read.network.layers[0].quantized);
    EXPECT_EQ(read.network.layers[0].bits, 32);
    EXPECT_TRUE(read.network.layers[1].quantized);
}

TEST_F(RoundTrip, EveryKindOfLayerComesBackExactly) {
    const auto writer = create();
    for (std::int64_t step = 0; step < 300; step += 3)
        ASSERT_TRUE(testing::appendStep(*writer, m_layouts, step).ok());
    ASSERT_TRUE(writer->finish(testing::sampleSummary()).ok());

    const auto reader = open();
    EXPECT_THAT(reader->layers(),
                ElementsAre("conv1", "layer1.0.conv1", "layer1.0.conv2", "features/3/Conv_100%", "."));
    for (const LayerLayout& layout : m_layouts) {
        const auto steps = reader->steps(layout.name);
        ASSERT_TRUE(steps.ok()) << steps.error().message;
        ASSERT_EQ(steps->size(), 100u);
        for (const std::int64_t step : {297, 0, 150, 3}) {
            const auto snapshot = reader->layer(layout.name, step);
            ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
            EXPECT_EQ(difference(**snapshot, testing::sampleSnapshot(layout, step)), "")
                << layout.name << " " << step;
        }
    }
}

TEST_F(RoundTrip, AMixtureMayHaveFewerComponentsThanAtFirst) {
    report::LayerSnapshot fewer = testing::sampleSnapshot(m_layouts[1], 1);
    ASSERT_EQ(fewer.mixtures.size(), 1u);
    fewer.mixtures[0].components.resize(4);
    fewer.bits = 2;
    {
        const auto writer = create();
        ASSERT_TRUE(writer->appendLayer(fewer).ok());
        ASSERT_TRUE(writer->flush().ok());
    }
    const auto reader = open();
    const auto read = reader->layer(fewer.layer, 1);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(testing::difference(**read, fewer), "");
}

TEST_F(RoundTrip, LayerGivesTheNewestRowNotAfterTheStep) {
    const auto writer = create();
    for (const std::int64_t step : {10, 20, 20, 30})
        ASSERT_TRUE(testing::appendStep(*writer, m_layouts, step).ok());
    ASSERT_TRUE(writer->finish({}).ok());
    const auto reader = open();
    const auto stepAt = [&](std::int64_t step) { return (*reader->layer("conv1", step))->step; };
    EXPECT_EQ(stepAt(0), 10);
    EXPECT_EQ(stepAt(10), 10);
    EXPECT_EQ(stepAt(19), 10);
    EXPECT_EQ(stepAt(25), 20);
    EXPECT_EQ(stepAt(1'000'000), 30);
}

TEST_F(RoundTrip, MetricsKeepMissingValues) {
    const auto writer = create();
    for (std::int64_t step = 0; step < 1000; ++step)
        ASSERT_TRUE(writer->appendMetric(testing::sampleMetric(step)).ok());
    ASSERT_TRUE(writer->finish({}).ok());
    const auto metrics = open()->metrics();
    ASSERT_TRUE(metrics.ok()) << metrics.error().message;
    ASSERT_EQ(metrics->size(), 1000u);
    for (std::size_t row = 0; row < metrics->size(); ++row) {
        EXPECT_EQ(difference((*metrics)[row], testing::sampleMetric(static_cast<std::int64_t>(row))), "")
            << row;
    }
    EXPECT_TRUE(std::isnan((*metrics)[7].top1Hard));
}

TEST_F(RoundTrip, EventsKeepTheirText) {
    const auto writer = create();
    std::string longText;
    while (longText.size() < 2 * kEventTextBytes)
        longText += "weiß ";
    ASSERT_TRUE(writer->appendEvent(testing::sampleEvent(0)).ok());
    ASSERT_TRUE(writer->appendEvent({5, report::EventKind::Warning, longText}).ok());
    ASSERT_TRUE(writer->appendEvent({5, report::EventKind::Checkpoint, ""}).ok());
    ASSERT_TRUE(writer->finish({}).ok());

    const auto events = open()->events();
    ASSERT_TRUE(events.ok()) << events.error().message;
    ASSERT_EQ(events->size(), 3u);
    EXPECT_EQ((*events)[0].text, testing::sampleEvent(0).text);
    EXPECT_EQ((*events)[0].kind, report::EventKind::Epoch);
    EXPECT_EQ((*events)[1].kind, report::EventKind::Warning);
    EXPECT_THAT((*events)[1].text, EndsWith("\u2026"));
    EXPECT_GT((*events)[1].text.size(), kEventTextBytes - 8);
    EXPECT_EQ((*events)[2].step, 5);
    EXPECT_EQ((*events)[2].text, "");
}

TEST_F(RoundTrip, SummaryComesBackWhole) {
    const report::RunSummary expected = testing::sampleSummary();
    ASSERT_TRUE(create()->finish(expected).ok());
    const auto read = open()->summary();
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->top1Fp32, expected.top1Fp32);
    EXPECT_EQ(read->top1Soft, expected.top1Soft);
    EXPECT_EQ(read->top1Hard, expected.top1Hard);
    EXPECT_EQ(read->top5Soft, expected.top5Soft);
    EXPECT_EQ(read->top5Hard, expected.top5Hard);
    EXPECT_EQ(read->weightCompression, expected.weightCompression);
    EXPECT_EQ(read->bitOps, expected.bitOps);
    EXPECT_EQ(read->meanBitsBytes, expected.meanBitsBytes);
    EXPECT_EQ(read->meanBitsBitOps, expected.meanBitsBitOps);
    EXPECT_EQ(read->bits, expected.bits);
    EXPECT_EQ(read->sparsity, expected.sparsity);
    EXPECT_EQ(read->nonzeroParameters, expected.nonzeroParameters);
    EXPECT_EQ(read->compressionRate, expected.compressionRate);
    EXPECT_EQ(read->fileBytes, expected.fileBytes);
    EXPECT_TRUE(std::isnan(read->fileCompression));
    EXPECT_EQ(read->mse, expected.mse);
    EXPECT_EQ(read->steps, expected.steps);
    EXPECT_EQ(read->accuracyStep, expected.accuracyStep);
    EXPECT_EQ(read->hash, expected.hash);
    EXPECT_EQ(read->status, report::RunStatus::Finished);
}

TEST_F(RoundTrip, FiguresOfARunThatHasNoneAreUnknown) {
    const auto writer = create();
    const auto read = open()->summary();
    ASSERT_TRUE(read.ok()) << read.error().message;
    for (const double figure : {read->bits, read->sparsity, read->mse, read->bitOps})
        EXPECT_TRUE(std::isnan(figure));
    for (const std::int64_t count :
         {read->nonzeroParameters, read->fileBytes, read->steps, read->accuracyStep})
        EXPECT_EQ(count, -1);
}

TEST_F(RoundTrip, FullPrecisionAccuracyIsKnownBeforeTheEnd) {
    const auto writer = create();
    const auto reader = open();
    ASSERT_TRUE(writer->setFp32Accuracy(91.73).ok());
    ASSERT_TRUE(reader->refresh().ok());
    EXPECT_EQ(reader->info().top1Fp32, 91.73);
    EXPECT_EQ(reader->summary()->status, report::RunStatus::Running);
}

TEST_F(RoundTrip, EmptyHistogramsStayEmpty) {
    const auto writer = create();
    report::LayerSnapshot snapshot = testing::sampleSnapshot(m_layouts[1], 4);
    snapshot.softWeights = {};
    ASSERT_TRUE(writer->appendLayer(snapshot).ok());
    ASSERT_TRUE(writer->finish({}).ok());
    EXPECT_EQ(difference(**open()->layer(snapshot.layer, 4), snapshot), "");
}

TEST_F(RoundTrip, RunWithoutLayersOrRowsReadsAsEmpty) {
    m_layouts.clear();
    ASSERT_TRUE(create()->finish({}).ok());
    const auto reader = open();
    EXPECT_TRUE(reader->layers().empty());
    EXPECT_TRUE(reader->metrics()->empty());
    EXPECT_TRUE(reader->events()->empty());
    EXPECT_THAT(reader->layer("conv1", 0).error().message, HasSubstr("it recorded none"));
}

TEST_F(RoundTrip, UnknownLayerNamesTheNearest) {
    const auto writer = create();
    ASSERT_TRUE(writer->flush().ok());
    const auto reader = open();
    EXPECT_THAT(reader->layer("layer1.0.conf1", 0).error().message,
                HasSubstr("did you mean layer1.0.conv1?"));
    EXPECT_THAT(reader->layer("conv1", 0).error().message, HasSubstr("no recorded step yet"));
    EXPECT_FALSE(reader->steps("nothing").ok());
    EXPECT_TRUE(reader->layers().empty());
}

TEST_F(RoundTrip, SnapshotsOfAnotherShapeAreRefusedAndHarmless) {
    const auto writer = create();
    const auto refusal = [&](const report::LayerSnapshot& snapshot) {
        const Status status = writer->appendLayer(snapshot);
        return status ? std::string() : status.error().message;
    };
    const report::LayerSnapshot good = testing::sampleSnapshot(m_layouts[1], 1);
    report::LayerSnapshot bad = good;
    bad.weights.counts.pop_back();
    EXPECT_THAT(refusal(bad), HasSubstr("layer1.0.conv1: a histogram of 255 bins in a run made for 256"));
    bad = good;
    bad.mixtures.emplace_back();
    EXPECT_THAT(refusal(bad), HasSubstr("2 mixtures in a run made for 1"));
    bad = good;
    bad.mixtures[0].components.emplace_back();
    EXPECT_THAT(refusal(bad), HasSubstr("17 components in a run made for 16"));
    bad = good;
    bad.layer = "stem";
    EXPECT_THAT(refusal(bad), HasSubstr("layer stem is not among those"));
    EXPECT_EQ(refusal(good), "");
}

TEST_F(RoundTrip, RowsOutOfOrderAreRefusedAndHarmless) {
    const auto writer = create();
    ASSERT_TRUE(writer->appendMetric(testing::sampleMetric(5)).ok());
    EXPECT_THAT(writer->appendMetric(testing::sampleMetric(4)).error().message,
                HasSubstr("run.h5: step 4 cannot follow step 5"));
    EXPECT_FALSE(writer->appendEvent(testing::sampleEvent(-1)).ok());
    ASSERT_TRUE(writer->appendMetric(testing::sampleMetric(6)).ok());
    ASSERT_TRUE(writer->finish({}).ok());
    EXPECT_EQ(open()->metrics()->size(), 2u);
}

TEST_F(RoundTrip, NothingCanBeAddedToAFinishedRun) {
    const auto writer = create();
    ASSERT_TRUE(writer->finish({}).ok());
    EXPECT_THAT(writer->appendMetric(testing::sampleMetric(1)).error().message, HasSubstr("run is finished"));
    EXPECT_THAT(writer->appendEvent(testing::sampleEvent(1)).error().message, HasSubstr("run is finished"));
    EXPECT_THAT(writer->appendLayer(testing::sampleSnapshot(m_layouts[0], 1)).error().message,
                HasSubstr("run is finished"));
    EXPECT_FALSE(writer->flush().ok());
    EXPECT_FALSE(writer->setFp32Accuracy(1).ok());
    EXPECT_FALSE(writer->finish({}).ok());
}

TEST_F(RoundTrip, WriterThatIsDroppedKeepsItsRows) {
    auto writer = create();
    ASSERT_TRUE(writer->appendMetric(testing::sampleMetric(5)).ok());
    writer.reset();
    EXPECT_EQ(open()->metrics()->size(), 1u);
    EXPECT_EQ(open()->summary()->status, report::RunStatus::Running);
}

TEST_F(RoundTrip, ImpossibleLayoutsAreRefused) {
    const auto refusal = [&](const std::vector<LayerLayout>& layouts) {
        return RunWriter::create(m_path, testing::sampleInfo(), layouts).error().message;
    };
    EXPECT_THAT(refusal({{"", 1, 4, 16}}), HasSubstr("no name"));
    EXPECT_THAT(refusal({{"conv1", 1, 4, 0}}), HasSubstr("layer conv1"));
    EXPECT_THAT(refusal({{"conv1", 0, 4, 16}}), HasSubstr("layer conv1"));
    EXPECT_THAT(refusal({{"conv1", 1, 4, 16}, {"conv1", 1, 4, 16}}), HasSubstr("conv1 is listed twice"));
    EXPECT_FALSE(std::filesystem::exists(m_path));
}

}  // namespace
}  // namespace bitloom::record
