#include "widgets/plots/device_conditions.h"

#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr QSize kLeastSize(50, 50);  // of the panel, pixels; QCustomPlot's own

// Less than this does not fill the panel.
constexpr double kLeastCelsius = 4;
constexpr double kLeastMegahertz = 100;

bool anyKnown(const std::vector<double>& values) {
    return std::ranges::any_of(values, [](double value) { return std::isfinite(value); });
}

}  // namespace

ConditionsPanel::ConditionsPanel(QCustomPlot& plot)
    : m_keys(new KeyStrip(&plot)),
      m_rect(makeAxisRect(plot)),
      m_seconds(m_rect->axis(QCPAxis::atBottom)),
      m_celsius(m_rect->axis(QCPAxis::atLeft)),
      m_megahertz(m_rect->axis(QCPAxis::atRight)),
      m_temperatures(plot.addGraph(m_seconds, m_celsius)),
      m_clocks(plot.addGraph(m_seconds, m_megahertz)) {
    m_seconds->setLabel(QStringLiteral("seconds"));
    m_celsius->setLabel(QStringLiteral("°C"));
    m_megahertz->setLabel(QStringLiteral("MHz"));
    m_megahertz->setTickLabels(true);
    m_megahertz->grid()->setVisible(false);
}

void ConditionsPanel::showAxis(QCPAxis& axis, const std::vector<double>& values, double leastSpan) {
    double low = report::kNoValue;
    double high = report::kNoValue;
    for (const double value : values) {
        low = std::fmin(low, value);
        high = std::fmax(high, value);
    }
    axis.setVisible(anyKnown(values));
    if (!anyKnown(values)) return;
    const double air = std::max(0.08 * (high - low), (leastSpan - (high - low)) / 2);
    axis.setRange(low - air, high + air);
}

void ConditionsPanel::update(const report::BenchResult& result) {
    m_series = conditionsSeries(result);
    setGraphData(*m_temperatures, m_series.seconds, m_series.celsius);
    setGraphData(*m_clocks, m_series.seconds, m_series.megahertz);
    const double last = m_series.seconds.empty() ? 1 : std::max(0.1, m_series.seconds.back());
    m_seconds->setRange(-0.04 * last, 1.04 * last);
    showAxis(*m_celsius, m_series.celsius, kLeastCelsius);
    showAxis(*m_megahertz, m_series.megahertz, kLeastMegahertz);
    updateKeys();
}

/// The numbers stand in the figure's header.
void ConditionsPanel::updateKeys() {
    using Swatch = KeyStrip::Swatch;
    const ThemeColors& c = colors();
    const bool temperature = anyKnown(m_series.celsius);
    const bool clock = anyKnown(m_series.megahertz);
    std::vector<KeyStrip::Key> keys;
    if (temperature) keys.push_back({QStringLiteral("Temperature"), c.text, Swatch::Line, true});
    if (clock)
        keys.push_back({temperature ? QStringLiteral("core clock") : QStringLiteral("Core clock"), c.soft,
                        Swatch::Dashes, !temperature});
    if (!temperature) keys.push_back({QStringLiteral("no temperature")});
    if (!clock) keys.push_back({QStringLiteral("no clock")});
    if (!m_shown) keys.clear();
    m_keys->setKeys(std::move(keys));
}

void ConditionsPanel::setShown(bool shown) {
    if (shown == m_shown) return;
    m_shown = shown;
    m_rect->setVisible(shown);
    m_rect->setAutoMargins(shown ? QCP::msAll : QCP::msNone);
    m_rect->setMargins({});
    m_rect->setMinimumSize(shown ? kLeastSize : QSize(0, 0));
    m_rect->setMaximumSize(shown ? QWIDGETSIZE_MAX : 0, QWIDGETSIZE_MAX);
    updateKeys();
}

int ConditionsPanel::fit(int ticks) {
    for (QCPAxis* axis : {m_celsius, m_megahertz})
        axis->ticker()->setTickCount(ticks);
    const int along = std::clamp(m_rect->width() / 48, 2, 6);
    m_seconds->ticker()->setTickCount(along);
    return ticks + along;
}

void ConditionsPanel::restyle() {
    const ThemeColors& c = colors();
    m_temperatures->setPen(QPen(c.text, 1.4));
    m_temperatures->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, c.text, 5));
    m_clocks->setPen(QPen(c.soft, 1.2, Qt::DashLine));
    m_clocks->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, c.soft, 4));
    if (!m_series.seconds.empty()) updateKeys();
}

std::optional<int> ConditionsPanel::readingAt(const QPointF& position) const {
    if (!m_shown || m_series.seconds.empty() || !m_rect->rect().contains(position.toPoint()))
        return std::nullopt;
    const double seconds = m_seconds->pixelToCoord(position.x());
    const auto nearest = std::ranges::min_element(
        m_series.seconds, {}, [seconds](double reading) { return std::abs(reading - seconds); });
    return static_cast<int>(nearest - m_series.seconds.begin());
}

}  // namespace bitloom::widgets
