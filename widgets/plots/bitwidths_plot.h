// How many bits each layer took over a run: a row a layer with the candidate widths by probability, the
// gradient of each bitwidth parameter, and below what all layers take together beside the job's target. Bits
// are a weight's, gradients those of the loss (nats) by the logit of the probability. Nothing is computed
// while hidden.
#pragma once

#include <QString>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/report/bitwidths.h"
#include "widgets/plots/figure_view.h"

namespace bitloom::widgets {

class BitwidthsPlot : public FigureView {
    Q_OBJECT

  public:
    explicit BitwidthsPlot(QWidget* parent = nullptr);
    ~BitwidthsPlot() override;

    /// Whose layers are quantized, their weights and multiply-adds; forgets tracks, target and cursor.
    void setNetwork(const report::NetworkInfo& network);
    /// Thinned tracks (report::thinned), one a layer; drawn in the order of the network.
    void setTracks(const std::vector<report::BitwidthTrack>& tracks);
    /// What the layers that learn their bits may take; none: the job has no such target.
    void setTarget(std::optional<report::BitTarget> target);

    /// Moves the cursor; numbers and alarm are those of this step. Negative: the newest.
    void setCurrentStep(std::int64_t step);
    /// Marks a layer's row; unknown names mark none. Emits nothing.
    void selectLayer(const QString& name);
    [[nodiscard]] const QString& selectedLayer() const;

    /// Which layers do not move although they could, and why, at the step that is shown; empty: none.
    [[nodiscard]] const QString& alarm() const;

    /// One line a layer and recorded step that was kept, then one a change of the totals, with a header;
    /// empty fields where a value is missing.
    [[nodiscard]] QByteArray csv() const override;

    [[nodiscard]] QSize sizeHint() const override { return {860, 620}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {420, 320}; }

  Q_SIGNALS:
    /// The recorded step nearest to where the person clicked.
    void stepSelected(qint64 step);
    /// The row that the person clicked, or went to by the arrow keys.
    void layerSelected(const QString& name);
    /// The alarm has another text; empty when off.
    void alarmChanged(const QString& text);

  private:
    void updateFigure() override;
    void restyle() override;
    void mouseLeft() override;
    void clicked(const QPointF& position) override;
    void mouseMoved(QMouseEvent& event) override;

    struct Parts;
    std::unique_ptr<Parts> m_parts;
};

}  // namespace bitloom::widgets
