#include "widgets/component_colors.h"

#include <QApplication>
#include <QSet>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::makeMixture;

double distance(const QColor& a, const QColor& b) {
    return std::hypot(a.red() - b.red(), a.green() - b.green(), a.blue() - b.blue());
}

class ComponentColorsTest : public ::testing::TestWithParam<Theme> {
  protected:
    void SetUp() override { applyTheme(*qApp, GetParam()); }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }
};

TEST_P(ComponentColorsTest, NoTwoAreAlikeAndNoneIsThatOfSoftOrHard) {
    for (const int count : {2, 4, 5, 6, 16, 64}) {
        const ComponentColors componentColors(makeMixture(count));
        QSet<QRgb> found;
        for (int k = 0; k < count; ++k) {
            const QColor color = componentColors.of(static_cast<std::size_t>(k));
            found.insert(color.rgb());
            EXPECT_GT(distance(color, colors().soft), 45) << k << " of " << count;
            EXPECT_GT(distance(color, colors().hard), 45) << k << " of " << count;
        }
        EXPECT_EQ(found.size(), count);
    }
}

TEST_P(ComponentColorsTest, ManyComponentsGoByTheRankOfMu) {
    const report::Mixture mixture = makeMixture(16);
    const ComponentColors componentColors(mixture);
    // makeMixture puts the even indices above zero, the odd ones below: 15 is the least, 14 the greatest.
    EXPECT_EQ(componentColors.of(15), sequentialColor(0));
    EXPECT_EQ(componentColors.of(14), sequentialColor(1));
    EXPECT_EQ(componentColors.of(0), sequentialColor(8.0 / 15));
}

INSTANTIATE_TEST_SUITE_P(Both, ComponentColorsTest, ::testing::Values(Theme::Light, Theme::Dark));

TEST(ComponentColors, AHandfulTakeTheCategoriesAndFollowTheTheme) {
    const ComponentColors componentColors(makeMixture(4));
    EXPECT_EQ(componentColors.of(2), colors().category(2));
    applyTheme(*qApp, Theme::Dark);
    EXPECT_EQ(componentColors.of(2), colors().category(2));
    applyTheme(*qApp, Theme::Light);
}

}  // namespace
}  // namespace bitloom::widgets
