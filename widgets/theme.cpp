// Colour tables and what is derived from them. The current theme is the one piece of state that is global to
// the application, as the palette is.
#include "widgets/theme.h"

#include <QApplication>
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPalette>
#include <QPixmapCache>
#include <QStyle>
#include <QSvgRenderer>
#include <algorithm>
#include <cmath>
#include <span>

// A static library's resources are dropped by the linker unless asked for; the macro wants the global
// namespace.
static void loadResources() {
    Q_INIT_RESOURCE(bitloom);
}

namespace bitloom::widgets {
namespace {

// Okabe and Ito's palette (jfly.uni-koeln.de/color). Yellow is darkened on white, where the original falls
// below a contrast of 2:1. Blue and vermilion mean soft and hard and are no categories; sky blue is too near
// the soft of the dark theme.
ThemeColors lightColors() {
    ThemeColors c;
    c.window = 0xF2F3F5;
    c.panel = 0xFFFFFF;
    c.raised = 0xF8F9FA;
    c.border = 0xD3D7DD;
    c.text = 0x1A1E23;
    c.mutedText = 0x5C6570;
    c.disabledText = 0xA4ABB4;
    c.grid = 0xE8EAEE;
    c.axis = 0x8B939D;
    c.histogram = 0xB4BCC7;
    c.soft = 0x0072B2;
    c.hard = 0xD55E00;
    c.accent = 0x0B63A8;
    c.accentText = 0xFFFFFF;
    c.success = 0x00795A;
    c.warning = 0xA86400;
    c.error = 0xB3261E;
    c.warningPanel = 0xFFF3D9;
    c.errorPanel = 0xFDE8E6;
    c.categories = {0x009E73, 0xE69F00, 0xCC79A7, 0xBBA800};
    return c;
}

ThemeColors darkColors() {
    ThemeColors c;
    c.window = 0x16181C;
    c.panel = 0x1D2025;
    c.raised = 0x272B31;
    c.border = 0x363B43;
    c.text = 0xE4E7EB;
    c.mutedText = 0x9AA3AE;
    c.disabledText = 0x616974;
    c.grid = 0x2B2F36;
    c.axis = 0x6F7782;
    c.histogram = 0x59616D;
    c.soft = 0x4FA8E8;
    c.hard = 0xF0813A;
    c.accent = 0x4C9FE6;
    c.accentText = 0x0C1116;
    c.success = 0x3CC79B;
    c.warning = 0xF0B23C;
    c.error = 0xFF7A70;
    c.warningPanel = 0x3A2F17;
    c.errorPanel = 0x3F2022;
    c.categories = {0x14B88A, 0xF0AC1E, 0xDB8CB8, 0xE9DE4A};
    c.dark = true;
    return c;
}

ThemeColors& current() {
    static ThemeColors theme = lightColors();
    return theme;
}

bool desktopIsDark() {
    static const bool dark = QGuiApplication::palette().color(QPalette::Window).lightness() < 128;
    return dark;
}

QPalette paletteOf(const ThemeColors& c) {
    QPalette palette;
    const auto set = [&palette](QPalette::ColorRole role, const QColor& color) {
        palette.setColor(role, color);
    };
    set(QPalette::Window, c.window);
    set(QPalette::WindowText, c.text);
    set(QPalette::Base, c.panel);
    set(QPalette::AlternateBase, c.raised);
    set(QPalette::Text, c.text);
    set(QPalette::PlaceholderText, c.mutedText);
    set(QPalette::Button, c.raised);
    set(QPalette::ButtonText, c.text);
    set(QPalette::BrightText, c.error);
    set(QPalette::Highlight, c.accent);
    set(QPalette::HighlightedText, c.accentText);
    set(QPalette::ToolTipBase, c.raised);
    set(QPalette::ToolTipText, c.text);
    set(QPalette::Link, c.accent);
    set(QPalette::LinkVisited, c.accent);
    set(QPalette::Light, c.raised.lighter(c.dark ? 130 : 104));
    set(QPalette::Midlight, c.raised);
    set(QPalette::Mid, c.border);
    set(QPalette::Dark, c.dark ? c.window.darker(140) : c.border.darker(115));
    set(QPalette::Shadow, c.dark ? QColor(0, 0, 0) : c.axis);
    for (const auto role :
         {QPalette::WindowText, QPalette::Text, QPalette::ButtonText, QPalette::HighlightedText}) {
        palette.setColor(QPalette::Disabled, role, c.disabledText);
    }
    palette.setColor(QPalette::Disabled, QPalette::Highlight, c.border);
    return palette;
}

QString styleSheetOf(const ThemeColors& c) {
    QFile file(QStringLiteral(":/bitloom/themes/window.qss"));
    if (!file.open(QIODevice::ReadOnly)) qFatal("the style sheet is not in the program's resources");
    QString sheet = QString::fromUtf8(file.readAll());
    const std::pair<const char*, QColor> tokens[] = {
        {"@window", c.window},
        {"@panel", c.panel},
        {"@raised", c.raised},
        {"@border", c.border},
        {"@text", c.text},
        {"@mutedText", c.mutedText},
        {"@accent", c.accent},
        {"@disabledText", c.disabledText},
        {"@errorPanel", c.errorPanel},
        {"@error", c.error},
        {"@warningPanel", c.warningPanel},
        {"@warning", c.warning},
    };
    for (const auto& [token, color] : tokens) {
        sheet.replace(QLatin1String(token) + QLatin1Char(';'), color.name() + QLatin1Char(';'));
    }
    return sheet;
}

/// Linear between equally spaced points; `fraction` in [0, 1].
QColor interpolated(std::span<const QRgb> points, double fraction) {
    const double position = fraction * static_cast<double>(points.size() - 1);
    const auto low = std::min(static_cast<std::size_t>(position), points.size() - 2);
    const double part = position - static_cast<double>(low);
    const auto mix = [part](int a, int b) { return static_cast<int>(std::lround(a + part * (b - a))); };
    const QRgb a = points[low];
    const QRgb b = points[low + 1];
    return {mix(qRed(a), qRed(b)), mix(qGreen(a), qGreen(b)), mix(qBlue(a), qBlue(b))};
}

/// Draws one SVG in the colours of whatever theme is current when it is painted.
class ThemedIconEngine : public QIconEngine {
  public:
    ThemedIconEngine(QByteArray svg, QColor ThemeColors::*ink) : m_svg(std::move(svg)), m_ink(ink) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override {
        QByteArray svg = m_svg;
        QSvgRenderer renderer(svg.replace("currentColor", ink(mode, state).name().toLatin1()));
        renderer.render(painter, rect);
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
        const QString key = QStringLiteral("bitloom-icon-%1-%2-%3-%4")
                                .arg(qHash(m_svg))
                                .arg(ink(mode, state).rgb())
                                .arg(size.width())
                                .arg(size.height());
        QPixmap pixmap;
        if (QPixmapCache::find(key, &pixmap)) return pixmap;
        pixmap = QPixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        paint(&painter, QRect(QPoint(0, 0), size), mode, state);
        painter.end();
        QPixmapCache::insert(key, pixmap);
        return pixmap;
    }

    [[nodiscard]] QIconEngine* clone() const override { return new ThemedIconEngine(m_svg, m_ink); }

  private:
    [[nodiscard]] QColor ink(QIcon::Mode mode, QIcon::State state) const {
        const ThemeColors& c = colors();
        if (mode == QIcon::Disabled) return c.disabledText;
        if (mode == QIcon::Selected) return c.accentText;
        return state == QIcon::On ? c.accent : c.*m_ink;
    }

    QByteArray m_svg;
    QColor ThemeColors::*m_ink;
};

}  // namespace

const ThemeColors& colors() {
    return current();
}

void applyTheme(QApplication& application, Theme theme) {
    loadResources();
    const bool dark = theme == Theme::Dark || (theme == Theme::System && desktopIsDark());
    desktopIsDark();  // remembered before the palette is replaced
    current() = dark ? darkColors() : lightColors();
    // Fusion is the one style that takes every colour from the palette, so that dark is dark on each desktop.
    if (application.style()->name() != QLatin1String("fusion"))
        QApplication::setStyle(QStringLiteral("Fusion"));
    QApplication::setPalette(paletteOf(current()));
    application.setStyleSheet(styleSheetOf(current()));
}

Theme themeFromText(const QString& text) {
    if (text == QLatin1String("light")) return Theme::Light;
    if (text == QLatin1String("dark")) return Theme::Dark;
    return Theme::System;
}

QString toText(Theme theme) {
    switch (theme) {
        case Theme::Light:
            return QStringLiteral("light");
        case Theme::Dark:
            return QStringLiteral("dark");
        case Theme::System:
            break;
    }
    return QStringLiteral("system");
}

QColor magnitudeColor(double fraction) {
    if (std::isnan(fraction)) return {};
    // Nine equally spaced points of cividis (Nunez, Anderton and Renslow, 2018); linear in between.
    static constexpr std::array<QRgb, 9> kPoints = {0xFF00224E, 0xFF123570, 0xFF3B496C,
                                                    0xFF575D6D, 0xFF707173, 0xFF8A8678,
                                                    0xFFA59C74, 0xFFC3B369, 0xFFFEE838};
    return interpolated(kPoints, std::clamp(fraction, 0.0, 1.0));
}

QColor sequentialColor(double fraction) {
    // Ten equally spaced points of viridis (Smith and van der Walt, 2015).
    static constexpr std::array<QRgb, 10> kPoints = {0xFF440154, 0xFF482878, 0xFF3E4A89, 0xFF31688E,
                                                     0xFF26828E, 0xFF1F9E89, 0xFF35B779, 0xFF6DCD59,
                                                     0xFFB4DE2C, 0xFFFDE725};
    // What lies beyond falls below a contrast of 2:1, yellow on white and violet on dark.
    const double low = colors().dark ? 0.28 : 0;
    const double high = colors().dark ? 1 : 0.75;
    return interpolated(kPoints, low + std::clamp(fraction, 0.0, 1.0) * (high - low));
}

QColor faded(QColor color, double opacity) {
    color.setAlphaF(static_cast<float>(opacity));
    return color;
}

QColor readableOn(const QColor& background) {
    // Relative luminance of WCAG 2.1; 0.179 is where black and white give the same contrast.
    const auto linear = [](double c) {
        return c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    const double luminance = 0.2126 * linear(background.redF()) + 0.7152 * linear(background.greenF()) +
                             0.0722 * linear(background.blueF());
    return luminance > 0.179 ? QColor(0, 0, 0) : QColor(255, 255, 255);
}

QIcon icon(const QString& name, QColor ThemeColors::*ink) {
    loadResources();
    QFile file(QStringLiteral(":/bitloom/icons/%1.svg").arg(name));
    if (!file.open(QIODevice::ReadOnly)) return {};
    return QIcon(new ThemedIconEngine(file.readAll(), ink));
}

}  // namespace bitloom::widgets
