// The figure inside CurvesPlot: four panels over one range of steps, filled from one state. Private to
// widgets/plots.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/report/run.h"
#include "engine/report/run_figures.h"
#include "widgets/plots/figure_elements.h"
#include "widgets/plots/metric_series.h"

namespace bitloom::widgets {

struct CurvesState {
    std::vector<report::MetricSample> rows;
    std::vector<report::RunEvent> events;
    double fp32 = report::kNoValue;          ///< per cent
    std::optional<std::int64_t> step;        ///< of the cursor; none shows the newest values
    bool locked = false;                     ///< new rows leave the range of steps as it is
    std::vector<report::RunFigures> others;  ///< other runs, the oldest first
    bool othersShown = true;
};

/// Vertical lines at events through one panel.
class EventLines : public QCPLayerable {
  public:
    EventLines(QCPAxis* key, const std::vector<report::RunEvent>& events);

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_key->axisRect()->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }

  private:
    QCPAxis* m_key;
    const std::vector<report::RunEvent>& m_events;
};

class CurvesFigure {
  public:
    /// Reads `state` whenever it updates or paints; `state` outlives the figure.
    CurvesFigure(QWidget* parent, const CurvesState& state);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }

    /// Curves, values in the headers and ranges. Does not replot.
    void update();

    /// Cursor line and the values beside the titles. Does not replot.
    void updateCursor();

    /// Colours of the current theme. Does not replot.
    void restyle();

    /// The step at a position inside a panel.
    [[nodiscard]] std::optional<double> stepAt(const QPointF& position) const;

  private:
    enum PanelName { Loss, LearningRate, Top1, QuantMse, PanelCount };
    enum CurveName { LossCurve, RateCurve, SoftCurve, HardCurve, MseCurve, CurveCount };
    struct Panel {
        KeyStrip* header = nullptr;
        QCPAxisRect* rect = nullptr;
        QCPItemStraightLine* cursor = nullptr;
    };

    void assemblePanel(std::size_t index);
    [[nodiscard]] QCPRange fullRange() const;  ///< everything there is to see
    QCPGraph* addCurve(PanelName panel);
    void showSteps(const QCPRange& range);
    void updateCurves();
    void updateOthers();
    void updateHeaders();
    void fitValues();
    [[nodiscard]] QString valueAt(double report::MetricSample::*field, int panel) const;

    const CurvesState& m_state;
    QCustomPlot* m_plot;
    std::array<Panel, PanelCount> m_panels;
    QCPRange m_steps;  ///< of every panel
    std::array<QCPGraph*, CurveCount> m_curves{};
    QCPGraph* m_fp32 = nullptr;
    KeyStrip* m_othersKeys;
    std::vector<std::array<QCPGraph*, PanelCount>> m_others;  ///< a graph a panel of each other run
};

}  // namespace bitloom::widgets
