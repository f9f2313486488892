// Pieces of a figure that QCustomPlot does not have: a strip of coloured keys, a legend table beside the
// plot, stems with numbered heads. They paint into the figure, so that pictures and vector files contain
// them. Private.
#pragma once

#include <optional>
#include <vector>

#include "engine/report/mixture.h"
#include "widgets/component_colors.h"
#include "widgets/plots/plot_surface.h"

namespace bitloom::widgets {

/// One line of text runs, each with an optional swatch; what does not fit is left out from the right. Without
/// keys it takes no room.
class KeyStrip : public QCPLayoutElement {
  public:
    enum class Swatch { None, Box, Outline, Line, Dashes, Stem };
    struct Key {
        QString text;
        QColor color = {};  ///< of the swatch; of the text when there is none and it is valid
        Swatch swatch = Swatch::None;
        bool bold = false;
        QString value = {};  ///< after the text, in the plain text colour
    };

    explicit KeyStrip(QCustomPlot* figure);

    void setKeys(std::vector<Key> keys) { m_keys = std::move(keys); }
    [[nodiscard]] const std::vector<Key>& keys() const { return m_keys; }

    [[nodiscard]] QSize minimumOuterSizeHint() const override;
    [[nodiscard]] QSize maximumOuterSizeHint() const override;

  protected:
    void draw(QCPPainter* painter) override;

  private:
    [[nodiscard]] int height() const;

    std::vector<Key> m_keys;
};

/// The components of a mixture as a table of k, pi, mu, sigma. Rows that do not fit are reached by scroll().
class ComponentLegend : public QCPLayoutElement {
  public:
    explicit ComponentLegend(QCustomPlot* figure);

    void setMixture(const report::Mixture* mixture);
    void setSelected(int component);
    void scroll(int rows);

    /// A legend that is not shown takes no room.
    void setShown(bool shown) { m_shown = shown; }

    /// The component whose row lies at `position`.
    [[nodiscard]] std::optional<int> componentAt(const QPointF& position) const;
    [[nodiscard]] QSize minimumOuterSizeHint() const override;
    [[nodiscard]] QSize maximumOuterSizeHint() const override;

  protected:
    void draw(QCPPainter* painter) override;

  private:
    void drawHeader(QCPPainter* painter) const;
    void drawRow(QCPPainter* painter, int component, int top) const;
    [[nodiscard]] int rowHeight() const;
    [[nodiscard]] int width() const;
    [[nodiscard]] int visibleRows() const;
    [[nodiscard]] int firstRow() const;

    report::Mixture m_mixture;
    ComponentColors m_colors;
    int m_selected = -1;
    int m_first = 0;
    bool m_shown = true;
};

/// The hard weights: one stem at each centroid, its height a count on `value`, its number above the head
/// where there is room.
class CentroidMarks : public QCPLayerable {
  public:
    CentroidMarks(QCPAxis* key, QCPAxis* value);

    struct Mark {
        double centroid = 0;
        double count = 0;
    };
    void setMarks(std::vector<Mark> marks, ComponentColors colors) {
        m_marks = std::move(marks);
        m_colors = std::move(colors);
    }
    void setSelected(int component) { m_selected = component; }

  protected:
    [[nodiscard]] QRect clipRect() const override;
    void draw(QCPPainter* painter) override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override;

  private:
    QCPAxis* m_key;
    QCPAxis* m_value;
    std::vector<Mark> m_marks;
    ComponentColors m_colors;
    int m_selected = -1;
};

}  // namespace bitloom::widgets
