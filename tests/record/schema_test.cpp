// Versions of the file format, and the text and number formats within it.
#include "engine/record/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/record/h5.h"
#include "engine/record/run_reader.h"
#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"
#include "tests/support/test_paths.h"

namespace bitloom::record {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A finished run in which `change` was made by other means.
std::string messageAfter(const std::function<void(hid_t)>& change) {
    const testing::TemporaryFolder folder;
    const std::filesystem::path path = folder / "run.h5";
    const std::vector<LayerLayout> layouts = {{"fc", 1, 4, 16}};
    {
        auto writer = RunWriter::create(path, testing::sampleInfo(), layouts);
        EXPECT_TRUE(testing::appendStep(**writer, layouts, 3).ok());
        EXPECT_TRUE((*writer)->finish({}).ok());
    }
    {
        const h5::Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        change(file.get());
    }
    const auto reader = RunReader::open(path);
    if (!reader) return reader.error().message;
    const auto snapshot = (*reader)->layer("fc", 3);
    return snapshot ? std::string() : snapshot.error().message;
}

void setVersion(hid_t file, std::int64_t version) {
    H5Adelete(file, "schema_version");
    h5::writeInteger(file, "schema_version", version);
}

TEST(Schema, PresentVersionReads) {
    EXPECT_EQ(messageAfter([](hid_t file) { setVersion(file, kSchemaVersion); }), "");
}

TEST(Schema, NewerVersionAsksForAnUpdate) {
    EXPECT_THAT(messageAfter([](hid_t file) { setVersion(file, kSchemaVersion + 1); }),
                AllOf(HasSubstr("run.h5: made by a newer Bitloom (schema 2"), HasSubstr("update")));
}

TEST(Schema, VersionThatNeverWasIsDamage) {
    EXPECT_THAT(messageAfter([](hid_t file) { setVersion(file, 0); }), HasSubstr("schema 0"));
    EXPECT_FALSE(checkSchemaVersion(-3).ok());
}

TEST(Schema, FileWithoutAVersionIsNoRun) {
    EXPECT_THAT(messageAfter([](hid_t file) { H5Adelete(file, "schema_version"); }),
                HasSubstr("not a Bitloom run"));
}

TEST(Schema, MissingColumnReadsAsItsDefault) {
    EXPECT_EQ(messageAfter([](hid_t file) { H5Ldelete(file, "layers/fc/soft_hard_gap", H5P_DEFAULT); }), "");
    EXPECT_EQ(messageAfter([](hid_t file) { H5Ldelete(file, "metrics/quant_mse", H5P_DEFAULT); }), "");
}

TEST(Schema, ARunFromBeforeBitsWereLearnedHasFixedOnes) {
    const testing::TemporaryFolder folder;
    const std::filesystem::path path = folder / "run.h5";
    const std::vector<LayerLayout> layouts = {{"fc", 1, 4, 16}};
    {
        auto writer = RunWriter::create(path, testing::sampleInfo(), layouts);
        for (const std::int64_t step : {1, 2, 4})
            ASSERT_TRUE(testing::appendStep(**writer, layouts, step).ok());
        ASSERT_TRUE((*writer)->finish({}).ok());
    }
    {
        const h5::Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        for (const char* name : {"bit_probability", "grad_bits", "bit_open"})
            ASSERT_GE(H5Ldelete(file.get(), (std::string("layers/fc/") + name).c_str(), H5P_DEFAULT), 0);
    }
    const auto expectFixed = [&] {
        const auto reader = RunReader::open(path);
        ASSERT_TRUE(reader.ok()) << reader.error().message;
        const auto snapshot = (*reader)->layer("fc", 2);
        ASSERT_TRUE(snapshot.ok()) << snapshot.error().message;
        EXPECT_FALSE((*snapshot)->choice.isLearned());
        EXPECT_FALSE((*snapshot)->choice.open);
        const auto tracks = (*reader)->bitwidths();
        ASSERT_TRUE(tracks.ok()) << tracks.error().message;
        ASSERT_EQ(tracks->size(), 1u);
        EXPECT_EQ(tracks->front().at(2)->bits, 2);
        EXPECT_FALSE(tracks->front().at(2)->choice.isLearned());
    };
    expectFixed();
    // Continued by this program, it has the columns, without values where there were none.
    auto writer = RunWriter::resume(path, 2);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    ASSERT_TRUE(testing::appendStep(**writer, layouts, 4).ok());
    expectFixed();
    const auto tracks = (*RunReader::open(path))->bitwidths();
    EXPECT_TRUE(tracks->front().points.back().choice.isLearned());
    EXPECT_TRUE(tracks->front().points.back().choice.open);
}

TEST(Schema, MissingGroupsAndForeignShapesAreNamed) {
    EXPECT_THAT(messageAfter([](hid_t file) { H5Ldelete(file, "graph", H5P_DEFAULT); }), HasSubstr("graph"));
    EXPECT_THAT(messageAfter([](hid_t file) { H5Ldelete(file, "layers/fc/histogram", H5P_DEFAULT); }),
                HasSubstr("histogram"));
    EXPECT_THAT(
        messageAfter([](hid_t file) {
            H5Ldelete(file, "layers/fc/mu", H5P_DEFAULT);
            h5::Dataset::create(h5::openGroup(file, "layers/fc").get(), {"mu", Element::Float64, {1, 7}});
        }),
        AllOf(HasSubstr("layer fc"), HasSubstr("mu has another shape")));
    EXPECT_THAT(
        messageAfter([](hid_t file) {
            H5Ldelete(file, "layers/fc/mu", H5P_DEFAULT);
            h5::Dataset::create(h5::openGroup(file, "layers/fc").get(), {"mu", Element::Float64, {1, 4}});
        }),
        HasSubstr("mu"))
        << "a column shorter than `step`";
    EXPECT_THAT(messageAfter([](hid_t file) {
                    const h5::Handle graph = h5::openGroup(file, "graph");
                    H5Adelete(graph.get(), "network");
                    h5::writeText(graph.get(), "network", "{\"arch\": ");
                }),
                HasSubstr("description of the network is damaged"));
}

TEST(Schema, LinkNamesAreReversible) {
    for (const std::string name :
         {"layer1.0.conv1", "features/3/Conv_100%", ".", "..", "%2F", "a%25b", "größe"}) {
        EXPECT_EQ(layerName(linkName(name)), name);
        EXPECT_EQ(linkName(name).find('/'), std::string::npos);
    }
    EXPECT_EQ(linkName("layer1.0.conv1"), "layer1.0.conv1");
    EXPECT_EQ(linkName("."), "%2E");
}

TEST(Schema, TextsAreCutBetweenCodePoints) {
    EXPECT_EQ(unpadText(padText("abc", 8)), "abc");
    EXPECT_EQ(unpadText(padText("abcdefgh", 8)), "abcdefgh");
    EXPECT_EQ(unpadText(padText("abcdefghi", 8)), "abcde\u2026");
    EXPECT_EQ(unpadText(padText("abcdößgh", 8)), "abcd\u2026");
    EXPECT_EQ(unpadText(padText("", 8)), "");
    EXPECT_EQ(padText("abcdößgh", 8).size(), 8u);
}

TEST(Schema, ASummaryOfSixteenValuesReadsAndGoesOn) {
    const testing::TemporaryFolder folder;
    const std::filesystem::path path = folder / "run.h5";
    const std::vector<LayerLayout> layouts = {{"fc", 1, 4, 16}};
    report::RunSummary written = testing::sampleSummary();
    written.status = report::RunStatus::Stopped;
    {
        auto writer = RunWriter::create(path, testing::sampleInfo(), layouts);
        ASSERT_TRUE(testing::appendStep(**writer, layouts, 3).ok());
        ASSERT_TRUE((*writer)->finish(written).ok());
    }
    {
        const SummaryValues values = packSummary(written);
        const h5::Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
        const h5::Handle job(H5Gopen2(file.get(), "job", H5P_DEFAULT), H5Gclose);
        ASSERT_GE(H5Ldelete(job.get(), "summary", H5P_DEFAULT), 0);
        const Column old{"summary", Element::Float64, {16}};
        h5::Dataset::createFixed(job.get(), old, 1);
        h5::Dataset::open(job.get(), old, true).write(0, 1, values.data());
    }
    const auto reader = RunReader::open(path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    const auto read = (*reader)->summary();
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->bits, written.bits);
    EXPECT_EQ(read->accuracyStep, written.accuracyStep);
    EXPECT_TRUE(std::isnan(read->meanBitsBytes));
    EXPECT_TRUE(std::isnan(read->meanBitsBitOps));
    auto writer = RunWriter::resume(path, 3);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    ASSERT_TRUE((*writer)->finish(written).ok());
    const auto resumed = RunReader::open(path);
    EXPECT_EQ((*resumed)->summary()->meanBitsBitOps, written.meanBitsBitOps);
}

}  // namespace
}  // namespace bitloom::record
