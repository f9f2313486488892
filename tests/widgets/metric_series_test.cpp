#include "widgets/plots/metric_series.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using report::MetricSample;
using testing::makeRows;

TEST(MetricSeries, ColumnsLeaveGapsOut) {
    const Series top1 = column(makeRows(25), &MetricSample::top1Hard);
    EXPECT_EQ(top1.x, (std::vector<double>{0, 20, 40}));
    EXPECT_EQ(top1.y, (std::vector<double>{89.5, 89.5, 89.5}));
}

TEST(MetricSeries, ColumnsOfAViewReachTheNearestValueBeyondItsEdges) {
    const auto rows = makeRows(51);  // steps 0 to 100, evaluated at 0, 20, 40...
    EXPECT_EQ(column(rows, &MetricSample::loss, 11, 14).x, (std::vector<double>{10, 12, 14, 16}));
    EXPECT_EQ(column(rows, &MetricSample::top1Hard, 41, 59).x, (std::vector<double>{40, 60}));
    EXPECT_EQ(column(rows, &MetricSample::top1Hard, -9, 0).x, (std::vector<double>{0, 20}));
    EXPECT_EQ(column(rows, &MetricSample::top1Hard, 300, 400).x, (std::vector<double>{100}));
    EXPECT_TRUE(column(rows, &MetricSample::top5Hard, 41, 59).x.empty());
    EXPECT_TRUE(column({}, &MetricSample::loss, 41, 59).x.empty());
}

TEST(MetricSeries, ShortSeriesAreNotThinned) {
    const Series loss = column(makeRows(1000), &MetricSample::loss);
    EXPECT_EQ(decimate(loss, 1000).x, loss.x);
}

TEST(MetricSeries, ThinningKeepsEndsExtremesAndEvents) {
    Series series;
    for (int i = 0; i < 100'000; ++i) {
        series.x.push_back(i);
        series.y.push_back(i == 54'321 ? 1000 : i % 7);
    }
    const Series thin = decimate(series, kCurvePoints, {33'333, 77'777, 999'999});
    EXPECT_LE(thin.x.size(), kCurvePoints + 5);
    EXPECT_GE(thin.x.size(), kCurvePoints / 2);
    const auto has = [&thin](double step) {
        return std::find(thin.x.begin(), thin.x.end(), step) != thin.x.end();
    };
    EXPECT_TRUE(has(0));
    EXPECT_TRUE(has(99'999));
    EXPECT_TRUE(has(54'321));
    EXPECT_TRUE(has(33'333));
    EXPECT_TRUE(has(77'777));
    EXPECT_TRUE(std::is_sorted(thin.x.begin(), thin.x.end()));
    for (std::size_t i = 0; i < thin.x.size(); ++i)
        EXPECT_EQ(thin.y[i], series.y[static_cast<std::size_t>(thin.x[i])]);
}

TEST(MetricSeries, NearestRow) {
    const auto rows = makeRows(5);  // steps 0 2 4 6 8
    EXPECT_EQ(nearestRow(rows, -3), 0U);
    EXPECT_EQ(nearestRow(rows, 4), 2U);
    EXPECT_EQ(nearestRow(rows, 5), 2U);
    EXPECT_EQ(nearestRow(rows, 100), 4U);
    EXPECT_FALSE(nearestRow({}, 1));
}

TEST(MetricSeries, LastRowWithAValue) {
    const auto rows = makeRows(25);
    EXPECT_EQ(lastWithValue(rows, 48, &MetricSample::top1Hard), 20U);
    EXPECT_EQ(lastWithValue(rows, 39, &MetricSample::top1Hard), 10U);
    EXPECT_EQ(lastWithValue(rows, 39, &MetricSample::loss), 19U);
    EXPECT_FALSE(lastWithValue(rows, -1, &MetricSample::loss));
    EXPECT_FALSE(lastWithValue(rows, 48, &MetricSample::top5Hard));
}

TEST(MetricSeries, ARunThatGoesBackDropsWhatWasLater) {
    auto rows = makeRows(5);
    MetricSample again;
    again.step = 4;
    again.loss = 7;
    appendRow(rows, again);
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows.back().loss, 7);
}

}  // namespace
}  // namespace bitloom::widgets
