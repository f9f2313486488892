// Pieces of the bitwidths figure: ribbons of candidate widths, traces of gradients, the columns of numbers.
// All of them draw the rows of one BitwidthsState. Private to widgets/plots.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/report/bitwidths.h"
#include "widgets/plots/plot_surface.h"

namespace bitloom::widgets {

struct BitwidthsState {
    report::NetworkInfo network;
    std::vector<report::BitwidthTrack> tracks;  ///< a row each, from the top
    std::optional<report::BitTarget> target;
    std::optional<std::int64_t> step;  ///< of the cursor; none: the newest
    QString layer;                     ///< selected
    int firstRow = 0;                  ///< in view, where not all rows fit

    [[nodiscard]] std::int64_t newestStep() const;
    [[nodiscard]] std::int64_t shownStep() const { return step.value_or(newestStep()); }
    [[nodiscard]] bool isLearned() const;  ///< any layer's bits
    [[nodiscard]] bool changes()
        const;  ///< any layer's bits; of runs from before probabilities were recorded
    /// Of a row at the shown step.
    [[nodiscard]] report::StalledBits stallOf(std::size_t row) const {
        const double most = target ? report::targetBits(*target, network, tracks) : report::kNoValue;
        return report::stalledBits(tracks, row, shownStep(), most);
    }
    [[nodiscard]] int rows() const { return static_cast<int>(tracks.size()); }
    [[nodiscard]] int selectedRow() const;  ///< -1: none
};

/// Of a width on the map for magnitudes in an order, 1 to 8 bits; more is full precision.
[[nodiscard]] QColor bitsColor(double bits);

/// What the rows have in common: `value` counts rows, 0 above 1; `key` counts steps.
class BitwidthRows : public QCPLayerable {
  protected:
    BitwidthRows(QCPAxisRect& rect, const BitwidthsState& state);
    [[nodiscard]] QRect clipRect() const override { return m_rect.rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(true); }

    virtual void drawRow(QCPPainter& painter, const report::BitwidthTrack& track, const QRectF& room) = 0;
    [[nodiscard]] double xOf(std::int64_t step) const;
    [[nodiscard]] const BitwidthsState& state() const { return m_state; }

  private:
    QCPAxisRect& m_rect;
    const BitwidthsState& m_state;
};

/// At each step a row is split into the width where the layer stands, above, and the width below it, each as
/// high as its probability.
class BitwidthRibbons : public BitwidthRows {
  public:
    BitwidthRibbons(QCPAxisRect& rect, const BitwidthsState& state) : BitwidthRows(rect, state) {}

  protected:
    void drawRow(QCPPainter& painter, const report::BitwidthTrack& track, const QRectF& room) override;

  private:
    void drawRun(QCPPainter& painter, const report::BitwidthTrack& track, std::size_t first, std::size_t last,
                 const QRectF& room) const;
};

/// Gradients as areas about the middle of a row, upwards where they lower the bits. The signed square root
/// keeps small ones visible.
class BitwidthGradients : public BitwidthRows {
  public:
    BitwidthGradients(QCPAxisRect& rect, const BitwidthsState& state) : BitwidthRows(rect, state) {}

    /// The gradient that fills half a row; larger ones are cut there.
    void setScale(double halfRow) { m_halfRow = halfRow; }

  protected:
    void draw(QCPPainter* painter) override;
    void drawRow(QCPPainter& painter, const report::BitwidthTrack& track, const QRectF& room) override;

  private:
    double m_halfRow = 0;
};

/// Bits, probability and gradient of each row at the step that is shown, with a mark where a layer does not
/// move.
class BitwidthNumbers : public QCPLayoutElement {
  public:
    BitwidthNumbers(QCPAxisRect& rows, const BitwidthsState& state);

    [[nodiscard]] QSize minimumOuterSizeHint() const override;
    [[nodiscard]] QSize maximumOuterSizeHint() const override;

  protected:
    void draw(QCPPainter* painter) override;

  private:
    /// `choice`: probability and gradient, where bits are learned.
    void drawCells(QCPPainter& painter, double top, double height, const QString& bits,
                   const QStringList& choice) const;
    [[nodiscard]] int width() const;

    QCPAxisRect& m_rows;
    const BitwidthsState& m_state;
};

}  // namespace bitloom::widgets
