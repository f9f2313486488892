// See plot_surface.h.
#include "widgets/plots/plot_surface.h"

#include "widgets/theme.h"

namespace bitloom::widgets {

QCustomPlot* makeFigure(QWidget* parent) {
    auto* figure = new QCustomPlot(parent);
    figure->setObjectName(QStringLiteral("figure"));
    figure->plotLayout()->clear();
    figure->plotLayout()->setRowSpacing(0);
    figure->setAutoAddPlottableToLegend(false);
    // Upright and level lines are sharper without.
    figure->setNotAntialiasedElements(QCP::aeAxes | QCP::aeGrid | QCP::aeSubGrid | QCP::aeItems);
    figure->setMouseTracking(true);
    figure->setFocusPolicy(Qt::ClickFocus);
    return figure;
}

QCustomPlot* figureOf(const QWidget& view) {
    auto* figure = view.findChild<QCustomPlot*>(QStringLiteral("figure"), Qt::FindDirectChildrenOnly);
    return figure && figure->isVisibleTo(&view) ? figure : nullptr;
}

QCPAxisRect* makeAxisRect(QCustomPlot& figure) {
    auto* rect = new QCPAxisRect(&figure, true);
    rect->setupFullAxesBox(false);
    for (QCPAxis* axis : rect->axes()) {
        axis->setLayer(QStringLiteral("axes"));
        axis->grid()->setLayer(QStringLiteral("grid"));
        axis->setTicker(QSharedPointer<LinearTicker>::create());
        axis->setSubTicks(false);
        axis->setTickLengthIn(0);
        axis->setTickLengthOut(4);
        axis->setLabelPadding(4);
        axis->setTickLabelPadding(3);
    }
    rect->setMinimumMargins({12, 4, 14, 4});
    for (QCPAxis* axis : rect->axes(QCPAxis::atTop | QCPAxis::atRight))
        axis->setVisible(false);
    return rect;
}

QCPItemStraightLine* makeStepCursor(QCPAxisRect& rect) {
    auto* cursor = new QCPItemStraightLine(rect.parentPlot());
    cursor->setLayer(QStringLiteral("overlay"));
    cursor->setClipAxisRect(&rect);
    for (QCPItemPosition* point : {cursor->point1, cursor->point2}) {
        point->setAxisRect(&rect);
        point->setAxes(rect.axis(QCPAxis::atBottom), rect.axis(QCPAxis::atLeft));
        point->setTypeX(QCPItemPosition::ptPlotCoords);
        point->setTypeY(QCPItemPosition::ptAxisRectRatio);
    }
    cursor->setVisible(false);
    return cursor;
}

void placeStepCursor(QCPItemStraightLine& cursor, std::optional<std::int64_t> step) {
    cursor.setVisible(step.has_value());
    if (!step) return;
    cursor.point1->setCoords(static_cast<double>(*step), 0);
    cursor.point2->setCoords(static_cast<double>(*step), 1);
}

void setLogarithmic(QCPAxis& axis, bool on) {
    axis.setScaleType(on ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    if (on) {
        axis.setTicker(QSharedPointer<LogTicker>::create());
    } else {
        axis.setTicker(QSharedPointer<LinearTicker>::create());
    }
    axis.setSubTicks(on);
}

void applyThemeTo(QCustomPlot& figure) {
    const ThemeColors& c = colors();
    figure.setBackground(QBrush(c.panel));
    QFont font = figure.font();
    QFont small = font;
    small.setPointSizeF(font.pointSizeF() * 0.92);
    for (QCPAxisRect* rect : figure.axisRects()) {
        for (QCPAxis* axis : rect->axes()) {
            axis->setBasePen(QPen(c.axis, 1));
            axis->setTickPen(QPen(c.axis, 1));
            axis->setSubTickPen(QPen(c.axis, 1));
            axis->setTickLabelColor(c.mutedText);
            axis->setLabelColor(c.text);
            axis->setTickLabelFont(small);
            axis->setLabelFont(small);
            axis->grid()->setPen(QPen(c.grid, 1));
            axis->grid()->setZeroLinePen(QPen(c.grid, 1));
        }
    }
}

void setGraphData(QCPGraph& graph, const std::vector<double>& x, const std::vector<double>& y) {
    QVector<QCPGraphData> data(static_cast<qsizetype>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i)
        data[static_cast<qsizetype>(i)] = {x[i], y[i]};
    graph.data()->set(data, true);
}

}  // namespace bitloom::widgets
