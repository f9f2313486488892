// One layer at one step: histograms of full-precision and soft weights, hard weights as stems at the
// centroids, the Gaussian components with their sum, a side legend with pi, mu and sigma, and below the maps
// w -> Phi(w), Psi(w). Weight units on x, counts on y. setSnapshot() is cheap while hidden: nothing is
// computed before the plot shows.
#pragma once

#include <memory>

#include "engine/report/snapshot.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class MixturePlot : public FigureView {
    Q_OBJECT

  public:
    explicit MixturePlot(QWidget* parent = nullptr);
    ~MixturePlot() override;

    /// Null shows an empty state with a hint; a snapshot without mixtures shows its histogram alone.
    void setSnapshot(report::LayerSnapshotPtr snapshot);
    [[nodiscard]] const report::LayerSnapshotPtr& snapshot() const;

    /// Logarithmic counts on both count axes.
    void setLogCounts(bool on);
    [[nodiscard]] bool logCounts() const;

    /// Which mixture of a filter-wise layer is drawn; clamped to the channels of the snapshot at hand.
    void setChannel(int channel);
    [[nodiscard]] int channel() const;

    /// Keeps the ranges as they are when a new snapshot comes. Zooming and dragging by hand lock them too,
    /// until another layer is shown.
    void setAxesLocked(bool locked);
    [[nodiscard]] bool axesLocked() const;

    /// Emphasises one component, -1 for none.
    void selectComponent(int component);
    [[nodiscard]] int selectedComponent() const;

    /// What is drawn, as comma-separated values with a header line and full precision.
    [[nodiscard]] QByteArray csv() const override;

    [[nodiscard]] QSize sizeHint() const override { return {860, 560}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {360, 260}; }

  Q_SIGNALS:
    /// Another component is selected, -1 for none; another channel is drawn. The plot owns both and announces
    /// every change, whoever made it: the person, the program, or a snapshot that does not have what was
    /// chosen.
    void componentSelected(int component);
    void channelChanged(int channel);

  private:
    void updateFigure() override;
    void restyle() override;
    void mouseLeft() override;
    void clicked(const QPointF& position) override;
    void doubleClicked(const QPointF& position) override;
    void mouseMoved(QMouseEvent& event) override;

    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets
