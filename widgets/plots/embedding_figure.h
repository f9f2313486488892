// The figure inside EmbeddingPlot: two panels of points over one legend, filled from one state. The axes of
// t-SNE have no unit, so they bear no figures. Private to widgets/plots.
#pragma once

#include <array>
#include <optional>

#include "widgets/plots/embedding_elements.h"
#include "widgets/plots/figure_elements.h"

namespace bitloom::widgets {

class EmbeddingFigure {
  public:
    /// Reads `state` whenever it updates or paints; `state` outlives the figure.
    EmbeddingFigure(QWidget* parent, const EmbeddingState& state);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }

    /// Headers. Does not replot.
    void update();

    /// Both panels show all their points, from the next replot on.
    void showAll();

    /// Redraws the reticles alone.
    void showImage();

    /// Colours of the current theme. Does not replot.
    void restyle();

    [[nodiscard]] std::optional<std::size_t> imageAt(const QPointF& position) const;
    [[nodiscard]] std::optional<std::int32_t> classAt(const QPointF& position) const;

  private:
    struct Panel {
        report::EmbeddedNetwork report::Embedding::*network = nullptr;
        KeyStrip* header = nullptr;
        QCPAxisRect* rect = nullptr;
        EmbeddedPoints* points = nullptr;
    };

    void assemblePanel(Panel& panel, int column);
    [[nodiscard]] std::vector<KeyStrip::Key> headerOf(const Panel& panel) const;

    const EmbeddingState& m_state;
    QCustomPlot* m_plot;
    KeyStrip* m_title;
    ClassLegend* m_legend;
    QCPLayoutGrid* m_grid;
    std::array<Panel, 2> m_panels;
    bool m_drawn = false;
};

}  // namespace bitloom::widgets
