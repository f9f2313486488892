// The figure inside LandscapePlot: two maps of one quantity under one scale of colours, with contour lines at
// the scale's ticks; filled from one state. Private to widgets/plots.
#pragma once

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "engine/report/landscape.h"
#include "widgets/plots/figure_elements.h"
#include "widgets/plots/landscape_contours.h"

namespace bitloom::widgets {

struct LandscapeState {
    std::optional<report::Landscape> result;
    bool top1 = false;     ///< in place of the loss
    bool logScale = true;  ///< of the loss
    /// Column and row of the point that is told about.
    std::optional<std::pair<int, int>> probe;

    [[nodiscard]] bool logarithmic() const { return logScale && !top1; }
    [[nodiscard]] const std::vector<double>& values(const report::LossSurface& surface) const {
        return top1 ? surface.top1 : surface.loss;
    }
    /// Place of the least loss, or the greatest top-1, among known values; nothing without any.
    [[nodiscard]] std::optional<std::size_t> best(const report::LossSurface& surface) const;
};

/// Contour lines of one panel, a cross where the weights lie and a ring where the surface is best.
class LandscapeMarks : public QCPLayerable {
  public:
    LandscapeMarks(QCPAxisRect* rect, const LandscapeState& state);

    struct Contour {
        QColor color;
        std::vector<QLineF> lines;  ///< in coordinates of the axes
    };
    void setContours(std::vector<Contour> contours) { m_contours = std::move(contours); }
    void setBest(std::optional<QPointF> place) { m_best = place; }

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(true); }

  private:
    [[nodiscard]] QPointF pixelOf(const QPointF& place) const;

    QCPAxisRect* m_rect;
    const LandscapeState& m_state;
    std::vector<Contour> m_contours;
    std::optional<QPointF> m_best;
};

/// The frame of the point that is told about.
class LandscapeProbe : public QCPLayerable {
  public:
    LandscapeProbe(QCPAxisRect* rect, const LandscapeState& state);

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }

  private:
    QCPAxisRect* m_rect;
    const LandscapeState& m_state;
};

class LandscapeFigure {
  public:
    /// Reads `state` whenever it updates or paints; `state` outlives the figure.
    LandscapeFigure(QWidget* parent, const LandscapeState& state);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }

    /// Maps, scale, contours, headers. Does not replot.
    void update();

    /// Redraws the frames of the probe alone.
    void showProbe();

    /// Colours of the current theme. Does not replot.
    void restyle();

    /// Column and row of the point at a position inside a panel.
    [[nodiscard]] std::optional<std::pair<int, int>> pointAt(const QPointF& position) const;

    /// Least and greatest value of the scale, both panels; NaN without values.
    [[nodiscard]] std::pair<double, double> scaleRange() const;

  private:
    struct Panel {
        report::LossSurface report::Landscape::*surface = nullptr;
        KeyStrip* header = nullptr;
        QCPAxisRect* rect = nullptr;
        QCPColorMap* map = nullptr;
        LandscapeMarks* marks = nullptr;
    };

    void assemblePanel(Panel& panel, int column);
    void assembleScale();
    void updateTitle();
    void updateScale(const std::vector<double>& levels);
    void updatePanel(Panel& panel, const std::vector<double>& levels);
    [[nodiscard]] std::vector<KeyStrip::Key> headerOf(const Panel& panel) const;

    const LandscapeState& m_state;
    QCustomPlot* m_plot;
    KeyStrip* m_title;
    QCPLayoutGrid* m_grid;
    QCPColorScale* m_scale = nullptr;
    std::array<Panel, 2> m_panels;
    bool m_drawn = false;
};

}  // namespace bitloom::widgets
