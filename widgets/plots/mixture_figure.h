// The figure inside MixturePlot: its axis rects, graphs and legend, filled from one state. Private to
// widgets/plots.
#pragma once

#include <optional>
#include <vector>

#include "engine/report/snapshot.h"
#include "widgets/plots/figure_elements.h"
#include "widgets/plots/mixture_curves.h"

namespace bitloom::widgets {

struct MixtureState {
    report::LayerSnapshotPtr snapshot;  ///< never null when drawn
    int channel = 0;
    bool logCounts = false;
    bool axesLocked = false;
    int selected = -1;

    /// The mixture that is drawn; null for full precision.
    [[nodiscard]] const report::Mixture* mixture() const;
};

class MixtureFigure {
  public:
    explicit MixtureFigure(QWidget* parent);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }
    [[nodiscard]] ComponentLegend& legend() const { return *m_legend; }
    [[nodiscard]] const MixtureCurves& curves() const { return m_curves; }
    [[nodiscard]] QCPAxisRect& countsRect() const { return *m_counts; }
    [[nodiscard]] QCPAxisRect& mapRect() const { return *m_map; }

    /// Data, keys and (unless locked) ranges. Does not replot.
    void update(const MixtureState& state);

    /// Shows all of the range again.
    void resetRanges(const MixtureState& state);

    /// Leaves the legend out where it would take the room of the plot.
    void fitLegend();

    /// Colours of the current theme. Does not replot.
    void restyle();

    /// Vertical line at `weight` in both rects; repaints the overlay alone.
    void setCursor(std::optional<double> weight);

  private:
    void assembleCounts();
    void assembleMap();
    void assembleCursor();
    void synchroniseWeights();
    void updateHistograms(const report::LayerSnapshot& snapshot);
    void updateComponents(const MixtureState& state, double scale);
    void updateMap(const MixtureState& state);
    void showMap(bool shown);
    void updateTitle(const MixtureState& state, double scale);
    void updateKeys();
    void styleComponents();

    QCustomPlot* m_plot;
    KeyStrip* m_title;
    KeyStrip* m_keys;
    QCPAxisRect* m_counts;
    QCPAxisRect* m_map;
    ComponentLegend* m_legend;
    QCPGraph* m_histogram = nullptr;
    QCPGraph* m_soft = nullptr;
    QCPGraph* m_sum = nullptr;
    CentroidMarks* m_marks = nullptr;
    std::vector<QCPGraph*> m_components;  ///< grows to the largest codebook seen
    ComponentColors m_colors;
    QCPGraph* m_identity = nullptr;
    QCPGraph* m_softMap = nullptr;
    QCPGraph* m_hardMap = nullptr;
    std::vector<QCPItemStraightLine*> m_cursor;

    MixtureCurves m_curves;
    Curve m_scratch;
    int m_selected = -1;
    bool m_quantized = false;
    bool m_fixedSet = false;  ///< report::isFixedSet
    double m_histogramPeak = 0;
    double m_quantizedPeak = 0;  ///< of soft bins and hard stems, the right axis
};

}  // namespace bitloom::widgets
