// Which candidates are tried and which is chosen, with times that are given.
#include "engine/jobs/tuning_rounds.h"

#include <functional>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "engine/base/text.h"
#include "tests/jobs/small_job.h"
#include "tests/support/test_paths.h"

namespace bitloom::jobs {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<TileKernel> kKernels = {{"int8_x_1x64", true, 1, 64},
                                          {"int8_x_7x64", true, 7, 64},
                                          {"int8_x_14x32", true, 14, 32},
                                          {"fp32_x_14x32", false, 14, 32},
                                          {"int8_scalar_1x8", true, 1, 8}};

/// 512 channels of 7x7, 3x3.
TunedShape deepShape(bool bytes) {
    TunedShape shape;
    shape.bytes = bytes;
    shape.packed = true;
    shape.padded = true;
    shape.bits = 4;
    shape.width = shape.height = bytes ? 7 : 14;
    shape.channels = 512;
    shape.taps = 9 * 512;
    shape.inputRow = shape.width * 512;
    shape.windowHeight = 3;
    return shape;
}

class TuningRoundsTest : public ::testing::Test {
  protected:
    using TimeOf = std::function<double(const std::string& layer, const std::string& candidate)>;

    TuningRoundsTest() : m_cache(*ScheduleCache::open(m_folder / "schedules.json")) {}

    /// Every layer that a schedule does not name runs by itself.
    TuningRounds roundsWith(const TimeOf& timeOf) {
        std::vector<TuningRounds::Layer> layers;
        for (const char* name : {"one", "other"})
            layers.push_back(
                {0, name, std::string("k2 ") + name + " ", std::string("core: ") + name, deepShape(true)});
        return {layers, kKernels, 1, m_cache,
                [this, timeOf](std::size_t,
                               const std::vector<std::string>& schedules) -> Result<TuningRounds::Times> {
                    ++m_timings;
                    TuningRounds::Times times;
                    for (const std::string& schedule : schedules) {
                        std::map<std::string, std::string> candidates = {{"one", kOwnChoice},
                                                                         {"other", kOwnChoice}};
                        std::istringstream lines(schedule);
                        for (std::string family, layer, rest; lines >> family >> layer;) {
                            std::getline(lines >> std::ws, rest);
                            candidates[layer] = rest;
                        }
                        for (const auto& [layer, candidate] : candidates) {
                            if (candidate != kOwnChoice)
                                m_asked.push_back(fmt::format("{}: {}", layer, candidate));
                            times[layer].push_back(timeOf(layer, candidate));
                        }
                    }
                    return times;
                }};
    }

    testing::TemporaryFolder m_folder;
    ScheduleCache m_cache;
    SteeringSink m_sink;
    JobControl m_control;
    std::vector<std::string> m_asked;
    int m_timings = 0;  ///< calls of the timer
};

/// The other layer is fastest with what the first is slowest with.
double givenTime(const std::string& layer, const std::string& candidate) {
    double time = candidate == kOwnChoice ? 10 : 12;
    if (candidate.starts_with(layer == "one" ? "int8_x_7x64" : "int8_x_1x64")) time = 8;
    if (candidate.find("ahead=2") != std::string::npos) time *= 0.9;
    if (candidate.find("ahead=4") != std::string::npos) time *= 0.95;
    if (candidate.find("part=16") != std::string::npos) time *= layer == "one" ? 0.8 : 1.5;
    return time;
}

TEST_F(TuningRoundsTest, FindsTheFastestOfEachLayerAndWhatGainsTogether) {
    TuningRounds rounds = roundsWith(givenTime);
    const auto result = rounds.run(m_sink, m_control);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_GT(*result, 2);
    const Candidate one = *m_cache.best("core: one");
    const Candidate other = *m_cache.best("core: other");
    EXPECT_THAT(one,
                ::testing::AllOf(::testing::StartsWith("int8_x_7x64 rows"), HasSubstr(" ahead=2 part=16")));
    EXPECT_THAT(other, ::testing::AllOf(::testing::StartsWith("int8_x_1x64 rows"), HasSubstr(" ahead=2")));
    EXPECT_THAT(other, Not(HasSubstr("part=16")));
    EXPECT_DOUBLE_EQ(*m_cache.time("core: one", one), 8 * 0.9 * 0.8);
    // Each is asked for once.
    EXPECT_EQ(std::set(m_asked.begin(), m_asked.end()).size(), m_asked.size());
    EXPECT_LE(rounds.candidates(rounds.layers()[0]).size(), kMostCandidates);
    EXPECT_THAT(m_asked, Not(Contains(HasSubstr("scalar"))));
    EXPECT_THAT(m_asked, Not(Contains(HasSubstr("fp32"))));
}

TEST_F(TuningRoundsTest, LeavesTheOwnChoiceWhereNothingGains) {
    TuningRounds rounds = roundsWith([](const std::string&, const std::string& candidate) {
        return candidate == kOwnChoice ? 10.0 : 9.9;
    });
    ASSERT_TRUE(rounds.run(m_sink, m_control).ok());
    EXPECT_EQ(m_cache.best("core: one"), kOwnChoice);
}

TEST_F(TuningRoundsTest, CountsByTheShareOfTheOwnChoiceWhenClocksChange) {
    // What is timed last, and gains most, is timed when all takes many times as long.
    TuningRounds rounds = roundsWith([&](const std::string& layer, const std::string& candidate) {
        return m_timings * givenTime(layer, candidate);
    });
    ASSERT_TRUE(rounds.run(m_sink, m_control).ok());
    EXPECT_GT(m_timings, 2);
    const Candidate one = *m_cache.best("core: one");
    EXPECT_THAT(one, HasSubstr(" ahead=2 part=16"));
    EXPECT_DOUBLE_EQ(*m_cache.time("core: one", one), 8 * 0.9 * 0.8);
    EXPECT_DOUBLE_EQ(*m_cache.time("core: one", kOwnChoice), 10);
}

TEST_F(TuningRoundsTest, GoesOnWhereACutLeftIt) {
    int calls = 0;
    std::size_t cutAt = 0;
    const auto failing = [&](const std::string& layer, const std::string& candidate) {
        return givenTime(layer, candidate);
    };
    m_sink.onProgress = [&](const report::Progress&) {
        if (++calls == 3) {
            cutAt = m_asked.size();
            m_control.stop();
        }
    };
    // The cache is saved under a lock that heeds the stop: the third round's times are lost, no others.
    TuningRounds first = roundsWith(failing);
    (void)first.run(m_sink, m_control);
    ASSERT_GT(cutAt, 0u);
    const std::vector<std::string> before(m_asked.begin(),
                                          m_asked.begin() + static_cast<std::ptrdiff_t>(cutAt));
    m_asked.clear();
    m_sink.onProgress = {};
    m_cache = *ScheduleCache::open(m_folder / "schedules.json");
    JobControl second;
    TuningRounds rest = roundsWith(failing);
    ASSERT_TRUE(rest.run(m_sink, second).ok());
    for (const std::string& candidate : before)
        EXPECT_THAT(m_asked, Not(Contains(candidate)));
    EXPECT_THAT(*m_cache.best("core: one"), HasSubstr(" ahead=2 part=16"));
}

TEST_F(TuningRoundsTest, ALayerWithoutTimesIsAnError) {
    TuningRounds rounds({{0, "one", "k2 one ", "core: one", deepShape(true)}}, kKernels, 1, m_cache,
                        [](std::size_t, const std::vector<std::string>&) -> Result<TuningRounds::Times> {
                            return TuningRounds::Times{{"another", {1, 2, 3, 4}}};
                        });
    const auto result = rounds.run(m_sink, m_control);
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, HasSubstr("did not time layer one"));
}

TEST(ScheduleSpace, TheModelRisesWithWaste) {
    const CoreCaches caches;
    const TileKernel kernel{"int8_x_7x64", true, 7, 64};
    TunedShape shape = deepShape(true);
    shape.width = 28;
    double before = 0;
    for (const int width : {28, 27, 25, 22}) {  // of 28 pixels computed, fewer and fewer are wanted
        shape.width = width;
        const double time = modelledTime(shape, kernel, {}, caches);
        EXPECT_GT(time, before) << width;
        before = time;
    }
    before = 0;
    for (const int channels : {512, 500, 470, 450}) {
        shape.channels = channels;
        const double time = modelledTime(shape, kernel, {}, caches);
        EXPECT_GT(time, before) << channels;
        before = time;
    }
    qsimd::Schedule keep;
    keep.skipPadding = false;
    EXPECT_GT(modelledTime(shape, kernel, keep, caches), before) << "rows in the padding are work";
    qsimd::Schedule turns;
    turns.tiles = 1;
    EXPECT_GT(modelledTime(shape, kernel, turns, caches), before) << "panels are decoded again";
}

TEST(ScheduleSpace, RejectsWhatTheCachesDoNotHold) {
    const TunedShape shape = deepShape(false);
    const TileKernel kernel{"fp32_x_14x32", false, 14, 32};
    const auto parts = [&](const CoreCaches& caches, const TileKernel& of) {
        std::set<int> found;
        for (const qsimd::Schedule& schedule : schedulesAround(shape, of, {}, caches))
            if (schedule.partKb != qsimd::kChoose) found.insert(schedule.partKb);
        return found;
    };
    EXPECT_EQ(parts({}, kernel), (std::set{16, 64, 256}));
    // A tile of more pixels than channels: a part's activations are larger than the part.
    const TileKernel wide{"fp32_x_64x16", false, 64, 16};
    EXPECT_EQ(parts({}, wide), (std::set{64})) << "64 kB and four times as many activations fit the second";
    TunedShape small = shape;
    small.taps = 9;
    for (const qsimd::Schedule& schedule : schedulesAround(small, kernel, {}, {}))
        EXPECT_EQ(schedule.partKb, qsimd::kChoose) << "a panel of 1 kB has no parts";
}

TEST(ScheduleSpace, VariesWhatALayerHas) {
    const CoreCaches caches;
    const TileKernel kernel{"int8_x_7x64", true, 7, 64};
    TunedShape shape = deepShape(true);
    std::set<std::string> found;
    const auto vary = [&] {
        found.clear();
        for (const qsimd::Schedule& schedule : schedulesAround(shape, kernel, {}, caches))
            found.insert(candidateOf(schedule));
    };
    vary();
    for (const char* word : {"ahead=0", "ahead=1", "ahead=2", "ahead=4", "part=16"})
        EXPECT_THAT(found, Contains(std::string("auto auto skip ") + word));
    shape.packed = false;
    vary();
    EXPECT_THAT(found, Not(Contains(HasSubstr("ahead"))));
    shape = deepShape(false);
    vary();
    EXPECT_THAT(found, Contains(std::string("auto auto skip decoded"))) << "k0 against tuned_fp32";
    shape.packed = false;
    vary();
    EXPECT_THAT(found, Not(Contains(HasSubstr("decoded"))));
}

}  // namespace
}  // namespace bitloom::jobs
