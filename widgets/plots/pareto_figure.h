// The figure inside ParetoPlot: a mark a run, the front and the full-precision line of each network. Private
// to widgets/plots.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/report/run_figures.h"
#include "widgets/plots/figure_elements.h"

namespace bitloom::widgets {

/// What the runs cost, as the horizontal axis shows it.
struct ParetoCost {
    double report::RunFigures::*figure;
    const char* name;   ///< of the switch and in files
    const char* label;  ///< of the axis, with its unit
    double unit;        ///< of the axis
};
inline constexpr ParetoCost kParetoCosts[] = {
    {&report::RunFigures::bits, "bits", "average bits a weight", 1},
    {&report::RunFigures::bytes, "bytes", "size on disk, packed, kB", 1e3},
    {&report::RunFigures::bitOps, "bit_operations", "bit operations an image, 10⁹", 1e9},
    {&report::RunFigures::milliseconds, "milliseconds", "time of one image, ms", 1}};

struct ParetoState {
    std::vector<report::RunFigures> runs;
    std::size_t cost = 0;               ///< place in kParetoCosts
    std::string group;                  ///< shown alone; empty: all
    std::optional<std::size_t> chosen;  ///< run that is told about
    std::string current;                ///< path of the run that the window shows
    std::string place;                  ///< where times were taken that are shown; empty: nowhere

    [[nodiscard]] double costOf(const report::RunFigures& run) const {
        return run.*kParetoCosts[cost].figure / kParetoCosts[cost].unit;
    }
    /// Whether the cost is a measured time.
    [[nodiscard]] bool isTimed() const {
        return kParetoCosts[cost].figure == &report::RunFigures::milliseconds;
    }
    /// The time that a run stands at; null where the cost is not one, or it has none.
    [[nodiscard]] const report::RunTime* timeOf(const report::RunFigures& run) const {
        return isTimed() ? run.timeAt(place) : nullptr;
    }
    /// Whether it has a place in the figure.
    [[nodiscard]] bool isShown(const report::RunFigures& run) const;
    /// Of the full-precision network of a group, per cent; NaN where no run knows it.
    [[nodiscard]] double fullPrecision(const std::string& group) const;
    /// Groups that are shown.
    [[nodiscard]] std::vector<std::string> groups() const;
    /// Runs that are shown, from the left.
    [[nodiscard]] std::vector<std::size_t> order() const;
};

/// Marks by method (colour and shape) and network (filled, open, ...), names where there is room.
class ParetoMarks : public QCPLayerable {
  public:
    ParetoMarks(QCPAxisRect& rect, const ParetoState& state);

    /// How the runs of a method are drawn; `group` counts networks.
    [[nodiscard]] static QCPScatterStyle style(std::size_t method, std::size_t group);
    [[nodiscard]] QPointF pixelOf(const report::RunFigures& run) const;

  protected:
    [[nodiscard]] QRect clipRect() const override { return m_rect.rect(); }
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(true); }

  private:
    /// From the tenth to the ninetieth per cent of the samples of a measured time, pixels; none without one.
    [[nodiscard]] std::optional<QLineF> errorBar(const report::RunFigures& run) const;
    void drawErrorBar(QCPPainter& painter, const report::RunFigures& run) const;
    /// Both keep the places that are `taken` free, and add their own.
    void drawBaselines(QCPPainter& painter, std::vector<QRectF>& taken) const;
    void drawNames(QCPPainter& painter, std::vector<QRectF>& taken) const;

    QCPAxisRect& m_rect;
    const ParetoState& m_state;
};

/// Keys of the marks: text beside a mark instead of a swatch.
class MarkLegend : public QCPLayoutElement {
  public:
    struct Key {
        QString text;
        std::optional<QCPScatterStyle> mark = {};
        bool bold = false;
    };
    explicit MarkLegend(QCustomPlot* figure);
    void setKeys(std::vector<Key> keys) { m_keys = std::move(keys); }
    [[nodiscard]] const std::vector<Key>& keys() const { return m_keys; }
    [[nodiscard]] QSize minimumOuterSizeHint() const override;
    [[nodiscard]] QSize maximumOuterSizeHint() const override;

  protected:
    void draw(QCPPainter* painter) override;

  private:
    std::vector<Key> m_keys;
};

class ParetoFigure {
  public:
    /// Reads `state` whenever it updates or paints; `state` outlives the figure.
    ParetoFigure(QWidget* parent, const ParetoState& state);

    [[nodiscard]] QCustomPlot& plot() const { return *m_plot; }

    /// Everything. Does not replot.
    void update();
    /// Colours of the current theme. Does not replot.
    void restyle();
    /// The run whose mark lies nearest, within a few pixels.
    [[nodiscard]] std::optional<std::size_t> runAt(const QPointF& position) const;

  private:
    void updateLegends();
    void updateFronts();
    void updateRanges();
    QCPGraph* addLine(const QPen& pen, QCPGraph::LineStyle style);

    const ParetoState& m_state;
    QCustomPlot* m_plot;
    MarkLegend* m_methods;
    MarkLegend* m_groups;
    QCPAxisRect* m_rect;
    ParetoMarks* m_marks;
    std::vector<QCPGraph*> m_lines;  ///< fronts and full-precision lines
};

}  // namespace bitloom::widgets
