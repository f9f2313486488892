// What the views over one figure share: tools above it, a hint in its place while there is nothing to show,
// an "Export" button, when it is drawn anew. New data only marks the figure stale; it is computed in
// QCustomPlot's beforeReplot, so that a burst of changes costs one replot and a hidden view none. GUI thread.
#pragma once

#include <QByteArray>
#include <QPoint>
#include <QPointF>
#include <QString>
#include <QWidget>
#include <optional>
#include <vector>

class QBoxLayout;
class QCustomPlot;
class QLabel;
class QMouseEvent;
class QToolButton;

namespace bitloom::widgets {

class FigureView : public QWidget {
    Q_OBJECT

  public:
    /// Whether there is nothing to show.
    [[nodiscard]] bool isEmpty() const { return !m_filled; }

    /// What is shown, as comma-separated values with a header line and full precision.
    [[nodiscard]] virtual QByteArray csv() const = 0;

    [[nodiscard]] QSize sizeHint() const override { return {860, 520}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {320, 280}; }

  Q_SIGNALS:
    /// An export did not succeed; `message` names the file and the remedy.
    void failed(const QString& message);

  protected:
    using QWidget::QWidget;

    /// Once, when the derived view has its parts, which empties it. `tools` stand above the figure and hide
    /// with it; `hint` stands in their place.
    void assemble(const QString& name, QCustomPlot& figure, const std::vector<QWidget*>& tools,
                  const QString& hint);
    /// Connected to failed().
    [[nodiscard]] QToolButton* makeExportButton();
    /// Between tools and figure; takes no room while it is hidden.
    void addBanner(QWidget& banner);

    /// Whether there is something to show: tools and figure, else the hint.
    void setFilled(bool filled);
    /// The figure is computed anew when it is drawn next.
    void invalidate();
    /// Whether the left button went down over the figure and the mouse then moved more than a click does.
    [[nodiscard]] bool dragged(const QMouseEvent& event) const;

    /// Computes the stale figure; only while filled.
    virtual void updateFigure() = 0;
    /// Colours of a new theme; the figure is stale afterwards.
    virtual void restyle() = 0;
    /// The mouse left the figure.
    virtual void mouseLeft() {}
    /// The left button came up where it went down. A double-click is a click and then doubleClicked().
    virtual void clicked(const QPointF& /*position*/) {}
    virtual void doubleClicked(const QPointF& /*position*/) {}
    /// With or without a button.
    virtual void mouseMoved(QMouseEvent& /*event*/) {}

    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void connectMouse();

    QCustomPlot* m_figure = nullptr;
    QBoxLayout* m_column = nullptr;
    std::vector<QWidget*> m_tools;
    QLabel* m_hint = nullptr;
    bool m_filled = false;
    bool m_stale = true;
    std::optional<QPoint> m_pressed;
};

}  // namespace bitloom::widgets
