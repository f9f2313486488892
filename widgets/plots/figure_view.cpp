// See figure_view.h.
#include "widgets/plots/figure_view.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>
#include <utility>

#include "widgets/plots/export_button.h"
#include "widgets/plots/plot_surface.h"

namespace bitloom::widgets {

void FigureView::assemble(const QString& name, QCustomPlot& figure, const std::vector<QWidget*>& tools,
                          const QString& hint) {
    setObjectName(name);
    m_tools = tools;
    m_hint = new QLabel(hint, this);
    m_hint->setObjectName(QStringLiteral("emptyHint"));
    m_hint->setAlignment(Qt::AlignCenter);
    m_hint->setProperty("role", QStringLiteral("muted"));
    m_column = new QVBoxLayout(this);
    m_column->setContentsMargins(0, 0, 0, 0);
    m_column->setSpacing(0);
    for (QWidget* tool : tools)
        m_column->addWidget(tool);
    m_figure = &figure;
    m_column->addWidget(m_figure, 1);
    m_column->addWidget(m_hint, 1);
    connect(&figure, &QCustomPlot::beforeReplot, this, [this] {
        if (m_filled && std::exchange(m_stale, false)) updateFigure();
    });
    connectMouse();
    setFilled(false);
    setBackgroundRole(QPalette::Base);  // announces a palette change, for which all parts must be there
    setAutoFillBackground(true);
}

void FigureView::addBanner(QWidget& banner) {
    auto* margins = new QHBoxLayout;
    margins->setContentsMargins(8, 0, 8, 2);
    margins->addWidget(&banner);
    m_column->insertLayout(static_cast<int>(m_tools.size()), margins);
}

void FigureView::connectMouse() {
    m_figure->installEventFilter(this);
    connect(m_figure, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) {
        if (event->button() == Qt::LeftButton) m_pressed = event->pos();
    });
    connect(m_figure, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) { mouseMoved(*event); });
    connect(m_figure, &QCustomPlot::mouseRelease, this, [this](QMouseEvent* event) {
        if (event->button() != Qt::LeftButton || !m_pressed) return;
        const bool moved = dragged(*event);
        m_pressed.reset();
        if (!moved) clicked(event->position());
    });
    connect(m_figure, &QCustomPlot::mouseDoubleClick, this,
            [this](QMouseEvent* event) { doubleClicked(event->position()); });
}

QToolButton* FigureView::makeExportButton() {
    auto* button = new ExportButton(this, [this] { return csv(); });
    connect(button, &ExportButton::failed, this, &FigureView::failed);
    return button;
}

void FigureView::setFilled(bool filled) {
    m_filled = filled;
    for (QWidget* tool : m_tools)
        tool->setVisible(filled);
    m_figure->setVisible(filled);
    m_hint->setVisible(!filled);
}

void FigureView::invalidate() {
    m_stale = true;
    if (m_filled && isVisible()) m_figure->replot(QCustomPlot::rpQueuedReplot);
}

bool FigureView::dragged(const QMouseEvent& event) const {
    return m_pressed && (event.pos() - *m_pressed).manhattanLength() > kClickSlack;
}

void FigureView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_stale) invalidate();
}

void FigureView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange || !m_figure) return;
    restyle();
    invalidate();
}

bool FigureView::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Leave) mouseLeft();
    return QWidget::eventFilter(watched, event);
}

}  // namespace bitloom::widgets
