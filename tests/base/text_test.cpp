#include "engine/base/text.h"

#include <vector>

#include <gtest/gtest.h>

namespace bitloom {
namespace {

TEST(NearestName, FindsTypos) {
    const std::vector<std::string> keys = {"epochs", "steps", "schedule", "seed", "threads", "device"};
    EXPECT_EQ(nearestName("epoch", keys), "epochs");
    EXPECT_EQ(nearestName("shedule", keys), "schedule");
    EXPECT_EQ(nearestName("thraeds", keys), "threads");
    EXPECT_EQ(nearestName("device", keys), "device");
    EXPECT_EQ(nearestName("seeds", keys), "seed");
}

TEST(NearestName, FirstOfEquallyNear) {
    const std::vector<std::string> keys = {"ab", "ac"};
    EXPECT_EQ(nearestName("ad", keys), "ab");
}

TEST(NearestName, EmptyWordsAndLists) {
    EXPECT_EQ(nearestName("word", {}), "");
    const std::vector<std::string> keys = {"longer", "", "x"};
    EXPECT_EQ(nearestName("", keys), "");
}

TEST(JoinNames, StopsAtTheLimit) {
    const std::vector<std::string> names = {"a", "b", "c", "d"};
    EXPECT_EQ(joinNames({}), "");
    EXPECT_EQ(joinNames(std::span(names).first(1)), "a");
    EXPECT_EQ(joinNames(names), "a, b, c, d");
    EXPECT_EQ(joinNames(names, 4), "a, b, c, d");
    EXPECT_EQ(joinNames(names, 3), "a, b, c and 1 more");
    EXPECT_EQ(joinNames(names, 1), "a and 3 more");
}

}  // namespace
}  // namespace bitloom
