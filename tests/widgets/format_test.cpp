#include "widgets/format.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::plain;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Format, CountsAreGroupedByThinSpaces) {
    EXPECT_EQ(plain(formatCount(0)), "0");
    EXPECT_EQ(plain(formatCount(999)), "999");
    EXPECT_EQ(plain(formatCount(1000)), "1 000");
    EXPECT_EQ(plain(formatCount(2359296)), "2 359 296");
    EXPECT_EQ(plain(formatCount(-1234)), "-1 234");
    EXPECT_EQ(formatCount(1000).at(1), QChar(0x202F));
}

TEST(Format, FixedHasNoNegativeZeroAndADashForNothing) {
    EXPECT_EQ(plain(formatFixed(-0.25, 2)), "-0.25");
    EXPECT_EQ(plain(formatFixed(-0.001, 2)), "0.00");
    EXPECT_EQ(plain(formatFixed(12345.678, 1)), "12 345.7");
    EXPECT_EQ(formatFixed(kNaN, 2), noValueText());
}

TEST(Format, NumbersKeepSignificantDigitsAndSwitchToPowersOfTen) {
    EXPECT_EQ(plain(formatNumber(0.01234)), "0.0123");
    EXPECT_EQ(plain(formatNumber(0.9999)), "1.00");
    EXPECT_EQ(plain(formatNumber(1234.4)), "1 234");
    EXPECT_EQ(formatNumber(1.234e-5).toStdString(), "1.23×10⁻⁵");
    EXPECT_EQ(formatNumber(-6.5e12).toStdString(), "−6.50×10¹²");
    EXPECT_EQ(formatNumber(0), QStringLiteral("0"));
    EXPECT_EQ(formatScientific(0.00247).toStdString(), "2.47×10⁻³");
}

TEST(Format, TicksCarryNoIdleDigits) {
    EXPECT_EQ(plain(formatTick(0.25)), "0.25");
    EXPECT_EQ(plain(formatTick(20000)), "20 000");
    EXPECT_EQ(formatTick(1e-4).toStdString(), "10⁻⁴");
    EXPECT_EQ(formatTick(7.5e-5).toStdString(), "7.5×10⁻⁵");
    EXPECT_EQ(plain(formatTick(0)), "0");
    EXPECT_EQ(plain(formatTick(-0.2)), "-0.2");
}

TEST(Format, BytesAndDurations) {
    EXPECT_EQ(plain(formatBytes(812)), "812 B");
    EXPECT_EQ(plain(formatBytes(999'999)), "1.00 MB");
    EXPECT_EQ(plain(formatBytes(142'312)), "142 kB");
    EXPECT_EQ(plain(formatDuration(42.4)), "42 s");
    EXPECT_EQ(plain(formatDuration(185)), "3 min 05 s");
    EXPECT_EQ(plain(formatDuration(7620)), "2 h 07 min");
    EXPECT_EQ(formatDuration(kNaN), noValueText());
    EXPECT_EQ(formatDuration(-1), noValueText());
}

TEST(Format, BitsAreWholeWhenTheyAre) {
    EXPECT_EQ(plain(formatBits(4)), "4");
    EXPECT_EQ(plain(formatBits(8.0 / 3)), "2.67");
}

TEST(Format, ShapesJoinTheirExtents) {
    EXPECT_EQ(formatShape({16, 3, 3, 3}).toStdString(), "16×3×3×3");
    EXPECT_EQ(formatShape({}), noValueText());
}

TEST(Format, CsvNumbersReadBackExactly) {
    EXPECT_EQ(csvNumber(0.1), "0.1");
    EXPECT_EQ(csvNumber(1.0 / 3).toDouble(), 1.0 / 3);
    EXPECT_EQ(csvNumber(kNaN), "");
}

}  // namespace
}  // namespace bitloom::widgets
