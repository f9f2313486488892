#include "widgets/theme.h"

#include <QApplication>
#include <QDirIterator>
#include <QImage>
#include <QPalette>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace bitloom::widgets {
namespace {

double luminance(const QColor& color) {
    const auto linear = [](double c) {
        return c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
}

double contrast(const QColor& a, const QColor& b) {
    const double high = std::max(luminance(a), luminance(b));
    const double low = std::min(luminance(a), luminance(b));
    return (high + 0.05) / (low + 0.05);
}

class ThemeTest : public ::testing::TestWithParam<Theme> {
  protected:
    void SetUp() override { applyTheme(*qApp, GetParam()); }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }
};

TEST_P(ThemeTest, TextReadsOnEveryBackground) {
    const ThemeColors& c = colors();
    for (const QColor& background : {c.window, c.panel, c.raised, c.warningPanel, c.errorPanel}) {
        EXPECT_GE(contrast(c.text, background), 7) << background.name().toStdString();
        EXPECT_GE(contrast(c.mutedText, background), 4.5) << background.name().toStdString();
    }
    EXPECT_GE(contrast(c.accentText, c.accent), 4.5);
    for (const QColor& sign : {c.error, c.warning, c.success})
        EXPECT_GE(contrast(sign, c.panel), 3);
}

TEST_P(ThemeTest, CategoriesStandOutFromThePlot) {
    for (const QColor& category : colors().categories) {
        EXPECT_GE(contrast(category, colors().panel), 2) << category.name().toStdString();
    }
    EXPECT_EQ(colors().category(4), colors().category(0));
    for (const double fraction : {0.0, 0.25, 0.5, 0.75, 1.0})
        EXPECT_GE(contrast(sequentialColor(fraction), colors().panel), 2) << fraction;
}

TEST_P(ThemeTest, PaletteFollows) {
    EXPECT_EQ(QApplication::palette().color(QPalette::Base), colors().panel);
    EXPECT_EQ(QApplication::palette().color(QPalette::Window).lightness() < 60, GetParam() == Theme::Dark);
    EXPECT_FALSE(qApp->styleSheet().contains(QLatin1Char('@')))
        << "a colour of the style sheet was not replaced";
}

INSTANTIATE_TEST_SUITE_P(Both, ThemeTest, ::testing::Values(Theme::Light, Theme::Dark));

TEST(Theme, NamesRoundTrip) {
    for (const Theme theme : {Theme::Light, Theme::Dark, Theme::System})
        EXPECT_EQ(themeFromText(toText(theme)), theme);
    EXPECT_EQ(themeFromText(QStringLiteral("purple")), Theme::System);
}

TEST(Theme, MagnitudesRunFromDarkToBright) {
    EXPECT_EQ(magnitudeColor(0), QColor(0x00, 0x22, 0x4E));
    EXPECT_EQ(magnitudeColor(1), QColor(0xFE, 0xE8, 0x38));
    EXPECT_EQ(magnitudeColor(7), magnitudeColor(1));
    EXPECT_FALSE(magnitudeColor(std::numeric_limits<double>::quiet_NaN()).isValid());
    double before = -1;
    for (double f = 0; f <= 1; f += 0.05) {
        const QColor color = magnitudeColor(f);
        EXPECT_GT(luminance(color), before);
        before = luminance(color);
        EXPECT_GE(contrast(readableOn(color), color), 4.5) << f;
    }
}

TEST(Theme, EveryIconDrawsSomethingAndFollowsTheTheme) {
    int count = 0;
    for (QDirIterator files(QStringLiteral(":/bitloom/icons")); files.hasNext(); ++count) {
        files.next();
        const QIcon drawn = icon(files.fileInfo().completeBaseName());
        ASSERT_FALSE(drawn.isNull());
        for (const Theme theme : {Theme::Light, Theme::Dark}) {
            applyTheme(*qApp, theme);
            const QImage image = drawn.pixmap(16, 16).toImage();
            int inked = 0;
            QColor strongest = Qt::transparent;
            for (int y = 0; y < image.height(); ++y) {
                for (int x = 0; x < image.width(); ++x) {
                    const QColor pixel = image.pixelColor(x, y);
                    inked += pixel.alpha() > 128;
                    if (pixel.alpha() > strongest.alpha()) strongest = pixel;
                }
            }
            EXPECT_GT(inked, 8) << files.filePath().toStdString();
            EXPECT_EQ(strongest.lightness() > 128, theme == Theme::Dark) << files.filePath().toStdString();
        }
    }
    EXPECT_GT(count, 15);
    applyTheme(*qApp, Theme::Light);
    EXPECT_TRUE(icon(QStringLiteral("no such icon")).isNull());
}

}  // namespace
}  // namespace bitloom::widgets
