// Pieces of the device figure: bars of families, bars of layers, the column of a layer. They paint into the
// figure, so that pictures and vector files contain them. Private to widgets/plots.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/report/device.h"
#include "widgets/plots/device_series.h"
#include "widgets/plots/plot_surface.h"

namespace bitloom::widgets {

/// Milliseconds; NaN where nothing was timed.
struct TimeBar {
    double ms = report::kNoValue;
    double p10 = report::kNoValue;
    double p90 = report::kNoValue;
};

/// One level bar a family with a whisker from p10 to p90 and a text at its end; row i stands at i of the left
/// axis, times are read on the bottom axis.
class FamilyBars : public QCPLayerable {
  public:
    struct Row {
        std::string family;
        TimeBar time;
        QString text;
    };

    explicit FamilyBars(QCPAxisRect* rect);

    void setRows(std::vector<Row> rows) { m_rows = std::move(rows); }
    [[nodiscard]] const std::vector<Row>& rows() const { return m_rows; }
    /// The end of the time axis that leaves room for each text, for an axis of `width` pixels. A whisker that
    /// noise made very long runs out of its room.
    [[nodiscard]] double fittingEnd(int width) const;
    [[nodiscard]] std::optional<int> rowAt(const QPointF& position) const;

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }

  private:
    void drawText(QCPPainter* painter, const Row& row, double y, double barEnd, double after) const;
    /// Where whiskers of the row must end, so that its text has room.
    [[nodiscard]] double whiskerLimit(const Row& row) const;
    [[nodiscard]] QCPAxis* times() const { return m_rect->axis(QCPAxis::atBottom); }
    [[nodiscard]] QCPAxis* places() const { return m_rect->axis(QCPAxis::atLeft); }

    QCPAxisRect* m_rect;
    std::vector<Row> m_rows;
};

/// Upright bars of the families side by side, a group a layer; times are read on the left axis, which may be
/// logarithmic.
class LayerBars : public QCPLayerable {
  public:
    struct Series {
        std::string family;
        std::vector<TimeBar> bars;  ///< one a layer
    };

    explicit LayerBars(QCPAxisRect* rect);

    void setSeries(std::vector<Series> series);
    [[nodiscard]] const std::vector<Series>& series() const { return m_series; }
    [[nodiscard]] const BarGroups& groups() const { return m_groups; }
    /// On the screen, from the axis to its time; nothing where there is no time.
    [[nodiscard]] std::optional<QRectF> barRect(int series, int layer) const;

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }

  private:
    [[nodiscard]] QCPAxis* layers() const { return m_rect->axis(QCPAxis::atBottom); }
    [[nodiscard]] QCPAxis* times() const { return m_rect->axis(QCPAxis::atLeft); }

    QCPAxisRect* m_rect;
    std::vector<Series> m_series;
    BarGroups m_groups;
};

/// The columns of the selected layer and of the one under the mouse, tinted through one panel.
class LayerColumns : public QCPLayerable {
  public:
    explicit LayerColumns(QCPAxisRect* rect);

    void setSelected(std::optional<int> layer) { m_selected = layer; }
    void setPointed(std::optional<int> layer) { m_pointed = layer; }

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect->rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }

  private:
    QCPAxisRect* m_rect;
    std::optional<int> m_selected;
    std::optional<int> m_pointed;
};

}  // namespace bitloom::widgets
