// Which runs no other beats.
#include "engine/report/run_figures.h"

#include <cmath>

#include <gmock/gmock.h>

namespace bitloom::report {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RunFigures run(double bits, double top1, const char* network = "resnet20") {
    RunFigures figures;
    figures.network = network;
    figures.images = "cifar10";
    figures.bits = bits;
    figures.top1 = top1;
    return figures;
}

TEST(ParetoFront, HoldsWhatNoOtherBeats) {
    const std::vector<RunFigures> runs = {run(4, 91.7), run(2, 90.9), run(3, 90.8), run(2, 91.1),
                                          run(3, 91.5), run(8, 91.7), run(1, 80)};
    EXPECT_THAT(paretoFront(runs, &RunFigures::bits, "resnet20, cifar10"), ElementsAre(6, 3, 4, 0));
}

TEST(ParetoFront, EqualRunsAreBothOnIt) {
    EXPECT_THAT(paretoFront({run(2, 91), run(2, 91), run(3, 91)}, &RunFigures::bits, "resnet20, cifar10"),
                ElementsAre(0, 1));
}

TEST(ParetoFront, EveryNetworkHasItsOwn) {
    const std::vector<RunFigures> runs = {run(2, 91), run(2, 94, "resnet56"), run(4, 90, "resnet56")};
    EXPECT_THAT(paretoFront(runs, &RunFigures::bits, "resnet20, cifar10"), ElementsAre(0));
    EXPECT_THAT(paretoFront(runs, &RunFigures::bits, "resnet56, cifar10"), ElementsAre(1));
    EXPECT_THAT(groupsOf(runs), ElementsAre("resnet20, cifar10", "resnet56, cifar10"));
}

TEST(ParetoFront, RunsWithoutAFigureHaveNoPart) {
    EXPECT_THAT(paretoFront({run(2, kNoValue), run(kNoValue, 91)}, &RunFigures::bits, "resnet20, cifar10"),
                IsEmpty());
    EXPECT_THAT(paretoFront({run(2, 91)}, &RunFigures::bytes, "resnet20, cifar10"), IsEmpty());
}

TEST(RunFigures, TimesAreComparedAtOnePlace) {
    const auto time = [](const char* id, const char* name, int threads, double median) {
        RunTime made;
        made.device = id;
        made.deviceName = name;
        made.threads = threads;
        made.medianMs = median;
        return made;
    };
    std::vector<RunFigures> runs(3);
    runs[0].times = {time("host", "Xeon", 1, 4), time("host", "Xeon", 2, 3)};
    runs[1].times = {time("host", "Xeon", 2, 5)};
    runs[2].times = {time("123", "Phone", 1, 50)};
    runs[2].times.front().emulated = true;
    const std::vector<std::string> places = timePlaces(runs);
    ASSERT_EQ(places.size(), 3u);
    EXPECT_EQ(places.front(), "Xeon, 2 threads") << "where most runs were timed";
    EXPECT_EQ(findPlace(runs, "host"), "Xeon, 2 threads");
    EXPECT_EQ(findPlace(runs, "Xeon, 1 thread"), "Xeon, 1 thread");
    EXPECT_EQ(findPlace(runs, "123"), "Phone (emulated), 1 thread");
    EXPECT_EQ(findPlace(runs, "Phone"), "Phone (emulated), 1 thread");
    EXPECT_EQ(findPlace(runs, "toaster"), "");
    showTimes(runs, places.front());
    EXPECT_EQ(runs[0].milliseconds, 3);
    EXPECT_EQ(runs[1].milliseconds, 5);
    EXPECT_TRUE(std::isnan(runs[2].milliseconds));
}

}  // namespace
}  // namespace bitloom::report
