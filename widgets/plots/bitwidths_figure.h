// The figure inside BitwidthsPlot: ribbons and gradients a row a layer, numbers beside them, and what all
// layers take together below; over one range of steps, filled from one state. Private to widgets/plots.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "widgets/plots/bitwidths_elements.h"
#include "widgets/plots/figure_elements.h"

namespace bitloom::widgets {

class BitwidthsFigure {
  public:
    /// A row is at least so high, pixels; where not all fit, the others are reached by scrolling.
    static constexpr int kLeastRowHeight = 14;

    /// Reads `state` whenever it updates or paints; `state` outlives the figure.
    BitwidthsFigure(QWidget* parent, const BitwidthsState& state);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }

    /// Everything. Does not replot.
    void update();
    /// Cursor and headers. Does not replot.
    void updateCursor();
    /// Colours of the current theme. Does not replot.
    void restyle();
    /// Rows in view, which the room and state.firstRow decide; called before each replot.
    void fitRows();
    /// How many rows fit.
    [[nodiscard]] int rowsInView() const;

    /// The step at a position inside a panel.
    [[nodiscard]] std::optional<double> stepAt(const QPointF& position) const;
    /// The row at a position inside the ribbons, the gradients or the names beside them.
    [[nodiscard]] std::optional<int> rowAt(const QPointF& position) const;

    /// Of the layers that the target is about, or of all quantized ones without a target.
    [[nodiscard]] const std::vector<report::BitTotals>& totals() const { return m_totals; }

  private:
    enum PanelName { Ribbons, Gradients, Average, Operations, PanelCount };
    struct Panel {
        KeyStrip* header = nullptr;
        QCPAxisRect* rect = nullptr;
        QCPItemStraightLine* cursor = nullptr;
    };
    struct Curve {
        QCPGraph* graph = nullptr;
        QCPGraph* target = nullptr;
    };

    void assemblePanel(PanelName name, int row, int column);
    Curve addCurve(PanelName name) const;
    void updateSteps();
    void updateCurve(const Curve& curve, PanelName panel, double report::BitTotals::*figure);
    void updateLegend();
    void updateHeaders();
    [[nodiscard]] bool isTarget(double report::BitTotals::*figure) const;

    const BitwidthsState& m_state;
    QCustomPlot* m_plot;
    KeyStrip* m_legend;
    QCPLayoutGrid* m_grid;  ///< below the legend, which spans its columns
    std::array<Panel, PanelCount> m_panels;
    BitwidthGradients* m_gradients = nullptr;
    BitwidthNumbers* m_numbers = nullptr;
    QCPMarginGroup* m_margins[2];
    Curve m_average;
    Curve m_operations;
    std::vector<report::BitTotals> m_totals;
    double m_halfRow = 0;  ///< gradient that fills half a row
};

}  // namespace bitloom::widgets
