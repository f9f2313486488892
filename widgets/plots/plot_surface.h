// The one header through which QCustomPlot enters; private to widgets/plots. Also what every figure shares:
// style, ticks with our number format, filling a graph.
#pragma once

#include <cstdint>
#include <optional>

#include <qcustomplot.h>

#include "widgets/format.h"

namespace bitloom::widgets {

/// Pixels that the mouse may move between press and release of a click.
inline constexpr int kClickSlack = 3;

/// Tick labels as formatTick writes them.
template <class Base>
class FormattedTicker : public Base {
  protected:
    QString getTickLabel(double tick, const QLocale&, QChar, int) override { return formatTick(tick); }
};

using LinearTicker = FormattedTicker<QCPAxisTicker>;
using LogTicker = FormattedTicker<QCPAxisTickerLog>;

/// An empty figure that fills `parent`'s layout later: no axis rects, named "figure" so that renderToFile
/// finds it.
[[nodiscard]] QCustomPlot* makeFigure(QWidget* parent);

/// The figure that is a direct child of `view`; null when there is none.
[[nodiscard]] QCustomPlot* figureOf(const QWidget& view);

/// An axis rect with left and bottom axes, in the layers that figures use.
[[nodiscard]] QCPAxisRect* makeAxisRect(QCustomPlot& figure);

/// An upright line through `rect` at a training step, hidden until it is placed.
[[nodiscard]] QCPItemStraightLine* makeStepCursor(QCPAxisRect& rect);
/// Moves such a line; none hides it.
void placeStepCursor(QCPItemStraightLine& cursor, std::optional<std::int64_t> step);

void setLogarithmic(QCPAxis& axis, bool on);

/// Colours of the current theme for background, axes, ticks, labels and grids.
void applyThemeTo(QCustomPlot& figure);

/// Replaces a graph's data without allocating a point at a time.
void setGraphData(QCPGraph& graph, const std::vector<double>& x, const std::vector<double>& y);

}  // namespace bitloom::widgets
