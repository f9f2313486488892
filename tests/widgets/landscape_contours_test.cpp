#include "widgets/plots/landscape_contours.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

namespace bitloom::widgets {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

TEST(WithoutGaps, TakesTheNearestKnownValue) {
    EXPECT_THAT(withoutGaps({1, kUnknown, kUnknown,         //
                             kUnknown, kUnknown, kUnknown,  //
                             kUnknown, kUnknown, 9},
                            3),
                ElementsAre(1, 1, ::testing::AnyOf(1, 9), 1, ::testing::AnyOf(1, 9), 9,
                            ::testing::AnyOf(1, 9), 9, 9));
    EXPECT_THAT(withoutGaps({kUnknown, kUnknown, kUnknown, kUnknown}, 2),
                ::testing::Each(::testing::Truly([](double value) { return std::isnan(value); })));
}

TEST(ContourLevels, AreRound) {
    EXPECT_THAT(contourLevels(0.3, 15, true),
                ElementsAre(DoubleEq(0.5), DoubleEq(1), DoubleEq(2), DoubleEq(5), DoubleEq(10)));
    EXPECT_THAT(contourLevels(10, 90, false, 4), ElementsAre(20, 40, 60, 80));
    EXPECT_THAT(contourLevels(1e-4, 1e4, true), SizeIs(::testing::Le(9u))) << "powers of ten alone";
    EXPECT_THAT(contourLevels(2.31, 2.36, true),
                SizeIs(::testing::AllOf(::testing::Ge(3u), ::testing::Le(9u))))
        << "less than a factor of two: linear";
    EXPECT_THAT(contourLevels(1, 1, false), IsEmpty());
    EXPECT_THAT(contourLevels(kUnknown, kUnknown, true), IsEmpty());
    EXPECT_THAT(contourLevels(-1, 1, true), ::testing::Contains(DoubleNear(0, 1e-12))) << "no logarithm";
}

TEST(ContourSegments, AStraightSlopeHasAStraightLine) {
    const std::vector<double> slope = {0, 1, 2, 0, 1, 2, 0, 1, 2};
    const auto segments = contourSegments(slope, 3, 0.25);
    ASSERT_THAT(segments, SizeIs(2));
    for (const ContourSegment& segment : segments) {
        EXPECT_DOUBLE_EQ(segment.column[0], 0.25);
        EXPECT_DOUBLE_EQ(segment.column[1], 0.25);
        EXPECT_DOUBLE_EQ(std::abs(segment.row[0] - segment.row[1]), 1);
    }
    EXPECT_THAT(contourSegments(slope, 3, 5), IsEmpty());
}

TEST(ContourSegments, ABowlHasARing) {
    constexpr int kSize = 21;
    std::vector<double> bowl;
    for (int row = 0; row < kSize; ++row) {
        for (int column = 0; column < kSize; ++column)
            bowl.push_back(std::pow(column - 10, 2) + std::pow(row - 10, 2));
    }
    const auto segments = contourSegments(bowl, kSize, 36);
    EXPECT_GT(segments.size(), 30u);
    for (const ContourSegment& segment : segments) {
        for (int end = 0; end < 2; ++end)
            EXPECT_NEAR(std::hypot(segment.column[end] - 10, segment.row[end] - 10), 6, 0.05);
    }
}

TEST(ContourSegments, ASaddleIsPartedAndWhatIsUnknownHasNone) {
    EXPECT_THAT(contourSegments({1, 0, 0, 1}, 2, 0.4), SizeIs(2));
    EXPECT_THAT(contourSegments({1, 0, 0, kUnknown}, 2, 0.4), IsEmpty());
    EXPECT_THAT(contourSegments({1, 0, 0, std::numeric_limits<double>::infinity()}, 2, 0.4), IsEmpty());
}

TEST(FiniteRange, LeavesOutWhatIsNotFinite) {
    EXPECT_EQ(finiteRange({3, kUnknown, 1, std::numeric_limits<double>::infinity()}), std::pair(1.0, 3.0));
    EXPECT_TRUE(std::isnan(finiteRange({kUnknown}).first));
}

}  // namespace
}  // namespace bitloom::widgets
