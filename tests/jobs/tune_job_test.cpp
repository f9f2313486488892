// Tuning on this computer: what it finds, that it goes on after a cancel, that bench uses it; the cache's
// file.
#include "engine/jobs/tune_job.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "engine/jobs/schedule_cache.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TuneJobTest : public ::testing::Test {
  protected:
    TuneJobTest() {
        // The runner is shared with other tests, schedules are not.
        ::setenv("XDG_CACHE_HOME", m_folder.path().c_str(), 1);
        fs::create_directories(m_folder / "bitloom");
        fs::create_directories(fs::path(BITLOOM_TEST_CACHE) / "bitloom/runners");
        fs::create_directory_symlink(fs::path(BITLOOM_TEST_CACHE) / "bitloom/runners",
                                     m_folder / "bitloom/runners");
        m_request.arch = "resnet20";
        m_request.repeat = 3;
        m_request.families = {"k2"};
    }
    Result<TuneResult> tune() { return runTuneJob(m_request, m_sink, m_control); }

    testing::TemporaryFolder m_folder;
    BenchRequest m_request;
    SteeringSink m_sink;
    JobControl m_control;
};

TEST_F(TuneJobTest, TimesCandidatesOfEveryLayerAndBenchUsesWhatItFound) {
    const auto result = tune();
    ASSERT_TRUE(result.ok()) << result.error().message;
    ASSERT_EQ(result->layers.size(), 20u);
    EXPECT_GT(result->rounds, 1);
    for (const TunedLayer& layer : result->layers) {
        EXPECT_GT(layer.tunedMs, 0) << layer.name;
        EXPECT_GT(layer.chosenMs, 0) << layer.name;
        EXPECT_GT(layer.candidates, 1) << layer.name;
        EXPECT_LE(layer.candidates, 40) << layer.name;
    }
    ASSERT_EQ(result->before.size(), 1u);
    ASSERT_EQ(result->after.size(), 1u);

    const auto again = tune();
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->rounds, 0) << "everything is known";

    const auto bench = runBenchJob(m_request, m_sink, m_control);
    ASSERT_TRUE(bench.ok()) << bench.error().message;
    EXPECT_EQ(bench->tunedLayers, 20);
    for (std::size_t i = 0; i < bench->layers.size(); ++i) {
        const std::string& schedule = result->layers[i].schedule;
        if (schedule.starts_with("auto")) continue;
        EXPECT_EQ(bench->layers[i].kernels.front().kernel, schedule.substr(0, schedule.find(' ')));
    }
}

TEST_F(TuneJobTest, GoesOnAfterACancel) {
    int rounds = 0;
    std::int64_t open = 0;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase != "tuning") return;
        if (++rounds == 1) open = progress.totalSteps;
        if (rounds == 2) m_control.stop();
    };
    const auto cancelled = tune();
    ASSERT_FALSE(cancelled.ok());
    EXPECT_EQ(cancelled.error().kind, ErrorKind::Cancelled);
    JobControl second;
    std::int64_t left = -1;
    m_sink.onProgress = [&](const report::Progress& progress) {
        if (progress.phase == "tuning" && left < 0) left = progress.totalSteps;
    };
    const auto rest = runTuneJob(m_request, m_sink, second);
    ASSERT_TRUE(rest.ok()) << rest.error().message;
    EXPECT_LT(left, open) << "the round that was done is not done again";
    EXPECT_GT(left, 0);
}

TEST_F(TuneJobTest, ADeviceThatFailsLeavesTheOthersAlone) {
    const auto results = runTuneJobs(m_request, {"nowhere", "host"}, m_sink, m_control);
    ASSERT_EQ(results.size(), 2u);
    ASSERT_FALSE(results[0].ok());
    EXPECT_EQ(results[0].error().kind, ErrorKind::NoDevice);
    ASSERT_TRUE(results[1].ok()) << results[1].error().message;
    EXPECT_EQ(results[1]->layers.size(), 20u);
    for (const auto& result : runTuneJobs(m_request, {"host", "host"}, m_sink, m_control)) {
        ASSERT_FALSE(result.ok());
        EXPECT_EQ(result.error().kind, ErrorKind::Usage);
        EXPECT_THAT(result.error().message, HasSubstr("named twice"));
    }
}

TEST_F(TuneJobTest, OfFamiliesThatHaveNothingToTuneIsAUsageError) {
    m_request.families = {"k2", "paper_codebook"};
    const auto result = tune();
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind, ErrorKind::Usage);
    EXPECT_THAT(result.error().message, HasSubstr("paper_codebook runs one way only"));
}

TEST_F(TuneJobTest, ADamagedCacheDoesNotKeepBenchFromTiming) {
    std::ofstream(scheduleCachePath()) << "[1, 2";
    m_request.repeat = 1;
    const auto bench = runBenchJob(m_request, m_sink, m_control);
    ASSERT_TRUE(bench.ok()) << bench.error().message;
    EXPECT_EQ(bench->tunedLayers, 0);
    ASSERT_FALSE(m_sink.lines.empty());
    EXPECT_THAT(m_sink.lines.front(), HasSubstr("remove the file"));
}

TEST(ScheduleCache, KeepsWhatOthersSaved) {
    const JobControl control;
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "of devices/schedules.json";
    auto one = ScheduleCache::open(path);
    auto other = ScheduleCache::open(path);
    ASSERT_TRUE(one.ok() && other.ok());
    one->setTime("a core: a layer", "int8_neon_1x8 rows skip", 2.5);
    one->setTime("a core: a layer", "int8_neon_4x8 rows skip", 1.5);
    one->setTime("a core: a layer", "int8_neon_8x8 rows skip", report::kNoValue);
    other->setTime("another core: a layer", "auto auto skip", 3);
    ASSERT_TRUE(one->save(control).ok());
    ASSERT_TRUE(other->save(control).ok());
    const auto read = ScheduleCache::open(path);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->best("a core: a layer"), "int8_neon_4x8 rows skip");
    EXPECT_EQ(read->best("another core: a layer"), "auto auto skip");
    EXPECT_EQ(read->time("a core: a layer", "int8_neon_1x8 rows skip"), 2.5);
    EXPECT_FALSE(read->best("a core: another layer"));
    EXPECT_FALSE(read->time("a core: a layer", "int8_neon_8x8 rows skip"));
}

TEST(ScheduleCache, TheOwnChoiceStaysUnlessAnotherGainsMoreThanTimesSpread) {
    const testing::TemporaryFolder folder;
    auto cache = ScheduleCache::open(folder / "schedules.json");
    ASSERT_TRUE(cache.ok());
    cache->setTime("layer", kOwnChoice, 10);
    cache->setTime("layer", "one rows skip", 9.9);
    EXPECT_EQ(cache->best("layer"), kOwnChoice);
    cache->setTime("layer", "one rows skip", 9);
    EXPECT_EQ(cache->best("layer"), "one rows skip");
    cache->setTime("layer", "one rows skip decoded", 8.9);
    EXPECT_EQ(cache->best("layer"), "one rows skip") << "not worth the memory";
    cache->setTime("layer", "one rows skip decoded", 8);
    EXPECT_EQ(cache->best("layer"), "one rows skip decoded");
}

TEST(ScheduleCache, ADamagedFileIsNamedWithTheRemedy) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "schedules.json";
    for (const char* text : {"", "[1, 2", "{\"version\": 3}", "{\"times\": {\"a\": {\"b\": \"fast\"}}}"}) {
        std::ofstream(path) << text;
        const auto cache = ScheduleCache::open(path);
        ASSERT_FALSE(cache.ok()) << text;
        EXPECT_THAT(cache.error().message, HasSubstr("schedules.json: damaged"));
        EXPECT_THAT(cache.error().message, HasSubstr("remove the file"));
    }
}

TEST(ScheduleCache, TimesOfOtherKernelsAreForgotten) {
    const testing::TemporaryFolder folder;
    const fs::path path = folder / "schedules.json";
    for (const char* text : {"{\"version\": 2, \"times\": {}}",
                             "{\"version\": 3, \"kernels\": \"0123\", \"times\": {\"core: layer\": "
                             "{\"int8_abacus_1x1 rows skip\": 1}}}"}) {
        std::ofstream(path) << text;
        const auto cache = ScheduleCache::open(path);
        ASSERT_TRUE(cache.ok()) << cache.error().message;
        EXPECT_FALSE(cache->best("core: layer"));
    }
}

}  // namespace
}  // namespace bitloom::jobs
