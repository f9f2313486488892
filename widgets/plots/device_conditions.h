// The panel of the device figure that shows temperature and clock between the rounds of a benchmark: seconds
// to the right, degrees Celsius on the left axis, MHz on the right one. Private to widgets/plots.
#pragma once

#include <optional>

#include "engine/report/bench.h"
#include "widgets/plots/device_series.h"
#include "widgets/plots/figure_elements.h"

namespace bitloom::widgets {

class ConditionsPanel {
  public:
    /// Keys and axes belong to the figure's layout once they are put there.
    explicit ConditionsPanel(QCustomPlot& plot);

    [[nodiscard]] KeyStrip* keys() const { return m_keys; }
    [[nodiscard]] QCPAxisRect* rect() const { return m_rect; }
    [[nodiscard]] const ConditionsSeries& series() const { return m_series; }

    /// An axis without a known value is not shown. Does not replot.
    void update(const report::BenchResult& result);
    /// One that is not shown takes no room, so that a narrow figure keeps it for its bars. Does not replot.
    void setShown(bool shown);
    [[nodiscard]] bool isShown() const { return m_shown; }
    /// As many ticks as there is room for; returns their number.
    int fit(int ticks);
    void restyle();

    /// The reading nearest to `position`; nothing outside or without readings.
    [[nodiscard]] std::optional<int> readingAt(const QPointF& position) const;

  private:
    void showAxis(QCPAxis& axis, const std::vector<double>& values, double leastSpan);
    void updateKeys();

    KeyStrip* m_keys;
    QCPAxisRect* m_rect;
    QCPAxis* m_seconds;
    QCPAxis* m_celsius;
    QCPAxis* m_megahertz;
    QCPGraph* m_temperatures;
    QCPGraph* m_clocks;
    ConditionsSeries m_series;
    bool m_shown = true;
};

}  // namespace bitloom::widgets
