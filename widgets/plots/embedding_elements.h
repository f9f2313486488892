// Pieces of the embedding figure: the points of one network and the legend of classes. They paint into the
// figure, so that pictures and vector files contain them. Private to widgets/plots.
#pragma once

#include <QStringList>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/report/embedding.h"
#include "widgets/plots/plot_surface.h"

namespace bitloom::widgets {

/// What both panels show of their points.
struct EmbeddingState {
    std::optional<report::Embedding> result;
    bool wrongOnly = false;             ///< images that the network of the panel tells right are faint
    std::optional<std::size_t> image;   ///< under the mouse, or chosen by key
    std::optional<std::int32_t> shown;  ///< this class alone; others are faint
};

/// One network's images: discs in the colour of their class, those that it tells wrong with a ring around
/// them, the chosen one in a reticle.
class EmbeddedPoints : public QCPLayerable {
  public:
    EmbeddedPoints(QCPAxisRect* rect, const EmbeddingState& state,
                   report::EmbeddedNetwork report::Embedding::*network);

    /// The image nearest to a position, within some pixels.
    [[nodiscard]] std::optional<std::size_t> imageAt(const QPointF& position) const;

    /// All points are shown, in whatever size, until a person zooms or drags.
    void showAll() { m_all = true; }

    /// Ranges for the present size of the panel, one unit as long on both axes. Called after each layout.
    void fit();

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(true); }

  private:
    void setRanges(const QPointF& centre, double unit);
    [[nodiscard]] const report::EmbeddedNetwork* network() const;
    [[nodiscard]] QPointF pixelOf(const report::EmbeddedNetwork& network, std::size_t image) const;
    void drawImages(QCPPainter* painter, const report::EmbeddedNetwork& network, bool wrong) const;

    QCPAxisRect* m_rect;
    const EmbeddingState& m_state;
    report::EmbeddedNetwork report::Embedding::*m_network;
    QSize m_fitted;  ///< size of the panel that the ranges are made for
    bool m_all = true;
    bool m_fitting = false;  ///< ranges change from here, not by a person
};

/// The reticle around the chosen image of a panel, on a layer of its own so that it follows the mouse
/// cheaply.
class EmbeddedReticle : public QCPLayerable {
  public:
    EmbeddedReticle(QCPAxisRect* rect, const EmbeddingState& state,
                    report::EmbeddedNetwork report::Embedding::*network);

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(true); }

  private:
    QCPAxisRect* m_rect;
    const EmbeddingState& m_state;
    report::EmbeddedNetwork report::Embedding::*m_network;
};

/// Swatch and name of each class and what a ring means, on as many lines as the width of the figure asks for.
class ClassLegend : public QCPLayoutElement {
  public:
    ClassLegend(QCustomPlot* figure, const EmbeddingState& state);

    /// The class whose key lies at `position`.
    [[nodiscard]] std::optional<std::int32_t> classAt(const QPointF& position) const;

    [[nodiscard]] QSize minimumOuterSizeHint() const override;
    [[nodiscard]] QSize maximumOuterSizeHint() const override;

  protected:
    void draw(QCPPainter* painter) override;

  private:
    struct Key {
        QRect place;  ///< from the legend's corner
        QString text;
    };
    /// One a class, then that of the ring; more lines than fit are left out.
    [[nodiscard]] std::vector<Key> keys() const;
    [[nodiscard]] int lineHeight() const;
    [[nodiscard]] int height() const;

    const EmbeddingState& m_state;
};

}  // namespace bitloom::widgets
