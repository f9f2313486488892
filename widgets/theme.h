// Colours, palette, style sheet and icons of the window, light and dark. One theme is current for the whole
// application; plots and painted controls read colors() when they paint and restyle on QEvent::PaletteChange.
// GUI thread only.
#pragma once

#include <QColor>
#include <QIcon>
#include <QString>
#include <array>
#include <cstddef>

class QApplication;

namespace bitloom::widgets {

enum class Theme { Light, Dark, System };

struct ThemeColors {
    QColor window;  ///< behind docks and tool bars
    QColor panel;   ///< behind tables, text and plots
    QColor raised;  ///< buttons, headers
    QColor border;  ///< hairlines between panels
    QColor text;
    QColor mutedText;  ///< units, captions, secondary figures
    QColor disabledText;
    QColor grid;        ///< plot grid lines
    QColor axis;        ///< plot axes and ticks
    QColor histogram;   ///< fill of the full-precision weights
    QColor soft;        ///< everything soft: Phi, soft top-1
    QColor hard;        ///< everything hard: Psi, hard top-1
    QColor accent;      ///< selection, progress
    QColor accentText;  ///< text on accent
    QColor success;
    QColor warning;
    QColor error;
    QColor warningPanel;               ///< background of a warning banner
    QColor errorPanel;                 ///< background of the error bar
    std::array<QColor, 4> categories;  ///< Okabe-Ito less black, white and what looks like soft or hard
    bool dark = false;

    /// Colour of category `index`; wraps round.
    [[nodiscard]] const QColor& category(std::size_t index) const {
        return categories[index % categories.size()];
    }
};

/// Colours of the current theme; light until applyTheme is called.
[[nodiscard]] const ThemeColors& colors();

/// Makes `theme` current: palette, style and style sheet of `application`. `System` is light or dark as the
/// desktop was before the first call; with a palette set, Qt 6.4 does not tell of later changes.
void applyTheme(QApplication& application, Theme theme);

/// "light", "dark", "system"; anything else reads as System.
[[nodiscard]] Theme themeFromText(const QString& text);
[[nodiscard]] QString toText(Theme theme);

/// Colour of `fraction` in [0, 1] (clamped; NaN gives an invalid colour) on the cividis map, for magnitudes.
[[nodiscard]] QColor magnitudeColor(double fraction);

/// Colour of `fraction` in [0, 1] (clamped) on the part of the viridis map that stands out from the panel,
/// for lines and marks in an order.
[[nodiscard]] QColor sequentialColor(double fraction);

/// `color` with another opacity in [0, 1].
[[nodiscard]] QColor faded(QColor color, double opacity);

/// Black or white, whichever reads better on `background`.
[[nodiscard]] QColor readableOn(const QColor& background);

/// The icon `resources/icons/NAME.svg`, drawn at any size in the theme's `ink` (disabled: disabledText; on:
/// accent). Follows a change of theme. A null icon when there is no such file.
[[nodiscard]] QIcon icon(const QString& name, QColor ThemeColors::*ink = &ThemeColors::text);

}  // namespace bitloom::widgets
