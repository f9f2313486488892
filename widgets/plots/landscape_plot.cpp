// The view around LandscapeFigure: switches, read-out, mouse, keyboard. New data only marks the figure stale;
// it is computed in QCustomPlot's beforeReplot, so that a hidden plot costs nothing.
#include "widgets/plots/landscape_plot.h"

#include <QAction>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "widgets/commands.h"
#include "widgets/plots/export_button.h"
#include "widgets/plots/landscape_figure.h"
#include "widgets/plots/tool_row.h"
#include "widgets/theme.h"

namespace bitloom::widgets {

struct LandscapePlot::Parts {
    explicit Parts(LandscapePlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    void addKey(const char* name, const QString& text, const QKeySequence& key, int columns, int rows);
    void connectMouse();
    void invalidate();
    void resultChanged();
    void move(int columns, int rows);
    void tell();
    [[nodiscard]] QString figures(const report::LossSurface& surface) const;

    LandscapePlot& view;
    LandscapeState state;  // before the figure, which reads it
    LandscapeFigure figure;
    bool stale = true;
    ToolRow* row = nullptr;
    QAction* logSwitch = nullptr;
    QAction* top1Switch = nullptr;
    QLabel* empty = nullptr;
};

void LandscapePlot::Parts::assemble() {
    view.setObjectName(QStringLiteral("landscapePlot"));
    empty = new QLabel(
        tr("No landscape yet.\nOpen a run and press Compute: the loss is measured around its weights,\n"
           "in full precision and quantized, along two random directions."),
        &view);
    empty->setObjectName(QStringLiteral("emptyHint"));
    empty->setAlignment(Qt::AlignCenter);
    empty->setProperty("role", QStringLiteral("muted"));
    makeTools();
    auto* column = new QVBoxLayout(&view);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(row);
    column->addWidget(&figure.plot(), 1);
    column->addWidget(empty, 1);
    connect(&figure.plot(), &QCustomPlot::beforeReplot, &view, [this] {
        if (std::exchange(stale, false)) figure.update();
    });
    connectMouse();
    resultChanged();
    view.setBackgroundRole(QPalette::Base);  // announces a palette change, for which all parts must be there
    view.setAutoFillBackground(true);
}

void LandscapePlot::Parts::makeTools() {
    row = new ToolRow(&view, tr("Loss and top-1 of both networks at the point under the mouse"));
    logSwitch = row->addSwitch(QStringLiteral("log_scale"), tr("Log loss"),
                               tr("Colours by the logarithm of the loss"), Qt::Key_L);
    logSwitch->setChecked(state.logScale);
    connect(logSwitch, &QAction::toggled, &view, &LandscapePlot::setLogScale);
    top1Switch =
        row->addSwitch(QStringLiteral("top1"), tr("Top-1"), tr("Show top-1 in place of the loss"), Qt::Key_T);
    top1Switch->setIcon(icon(QStringLiteral("curves")));
    connect(top1Switch, &QAction::toggled, &view, &LandscapePlot::setTop1);
    auto* exporter = new ExportButton(&view, [this] { return view.csv(); });
    connect(exporter, &ExportButton::failed, &view, &LandscapePlot::failed);
    row->add(exporter);
    addKey("point_left", tr("Point to the left"), Qt::Key_Left, -1, 0);
    addKey("point_right", tr("Point to the right"), Qt::Key_Right, 1, 0);
    addKey("point_up", tr("Point above"), Qt::Key_Up, 0, 1);
    addKey("point_down", tr("Point below"), Qt::Key_Down, 0, -1);
}

void LandscapePlot::Parts::addKey(const char* name, const QString& text, const QKeySequence& key, int columns,
                                  int rows) {
    QAction* action =
        addCommand(view, QString::fromLatin1(name), text, tr("Tell about the next point there"), key);
    connect(action, &QAction::triggered, &view, [this, columns, rows] { move(columns, rows); });
}

void LandscapePlot::Parts::connectMouse() {
    QCustomPlot* plot = &figure.plot();
    plot->installEventFilter(&view);
    connect(plot, &QCustomPlot::mouseMove, &view,
            [this](QMouseEvent* event) { view.selectPoint(figure.pointAt(event->position())); });
}

void LandscapePlot::Parts::invalidate() {
    stale = true;
    if (view.isVisible()) figure.plot().replot(QCustomPlot::rpQueuedReplot);
}

void LandscapePlot::Parts::resultChanged() {
    const bool any = state.result.has_value();
    row->setVisible(any);
    figure.plot().setVisible(any);
    empty->setVisible(!any);
    tell();
    if (any) invalidate();
}

/// From the weights where no point is framed yet.
void LandscapePlot::Parts::move(int columns, int rows) {
    if (!state.result) return;
    const int size = state.result->size;
    const auto [column, line] = state.probe.value_or(std::pair(size / 2, size / 2));
    view.selectPoint(
        std::pair(std::clamp(column + columns, 0, size - 1), std::clamp(line + rows, 0, size - 1)));
}

QString LandscapePlot::Parts::figures(const report::LossSurface& surface) const {
    const std::size_t at = state.result->at(state.probe->second, state.probe->first);
    if (std::isnan(surface.loss[at])) return tr("not computed yet");
    const QString loss = std::isfinite(surface.loss[at]) ? formatNumber(surface.loss[at], 4) : tr("overflow");
    return tr("loss %1, top-1 %2 %").arg(loss, formatFixed(surface.top1[at], 2));
}

void LandscapePlot::Parts::tell() {
    if (!state.result || !state.probe) {
        row->setReadOut(tr("Point to a place to read it, or move by the arrow keys"));
        return;
    }
    row->setReadOut(tr("α %1  β %2   full precision: %3   quantized: %4")
                        .arg(formatFixed(state.result->coordinate(state.probe->first), 2),
                             formatFixed(state.result->coordinate(state.probe->second), 2),
                             figures(state.result->fullPrecision), figures(state.result->quantized)));
}

LandscapePlot::LandscapePlot(QWidget* parent) : QWidget(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

LandscapePlot::~LandscapePlot() = default;

void LandscapePlot::setLandscape(const report::Landscape& landscape) {
    Parts& p = *m_parts;
    if (p.state.result && p.state.result->size != landscape.size) p.state.probe.reset();
    p.state.result = landscape;
    p.resultChanged();
}

void LandscapePlot::clear() {
    m_parts->state.result.reset();
    m_parts->state.probe.reset();
    m_parts->resultChanged();
}

bool LandscapePlot::isEmpty() const {
    return !m_parts->state.result;
}

void LandscapePlot::setLogScale(bool on) {
    m_parts->logSwitch->setChecked(on);
    if (std::exchange(m_parts->state.logScale, on) != on) m_parts->invalidate();
}

bool LandscapePlot::logScale() const {
    return m_parts->state.logScale;
}

void LandscapePlot::setTop1(bool on) {
    m_parts->top1Switch->setChecked(on);
    m_parts->logSwitch->setEnabled(!on);
    if (std::exchange(m_parts->state.top1, on) != on) m_parts->invalidate();
}

bool LandscapePlot::top1() const {
    return m_parts->state.top1;
}

void LandscapePlot::selectPoint(std::optional<std::pair<int, int>> point) {
    Parts& p = *m_parts;
    const int size = p.state.result ? p.state.result->size : 0;
    const auto outside = [size](int place) { return place < 0 || place >= size; };
    if (point && (outside(point->first) || outside(point->second))) point.reset();
    if (std::exchange(p.state.probe, point) == point) return;
    p.figure.showProbe();
    p.tell();
}

std::optional<std::pair<int, int>> LandscapePlot::selectedPoint() const {
    return m_parts->state.probe;
}

QByteArray LandscapePlot::csv() const {
    QByteArray text = "alpha,beta,full_precision_loss,full_precision_top1,quantized_loss,quantized_top1\n";
    if (!m_parts->state.result) return text;
    const report::Landscape& result = *m_parts->state.result;
    for (int row = 0; row < result.size; ++row) {
        for (int column = 0; column < result.size; ++column) {
            const std::size_t at = result.at(row, column);
            text += csvNumber(result.coordinate(column)) + ',' + csvNumber(result.coordinate(row));
            for (const double value : {result.fullPrecision.loss[at], result.fullPrecision.top1[at],
                                       result.quantized.loss[at], result.quantized.top1[at]}) {
                text += ',' + csvNumber(value);
            }
            text += '\n';
        }
    }
    return text;
}

void LandscapePlot::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_parts->stale) m_parts->invalidate();
}

void LandscapePlot::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange || !m_parts) return;
    m_parts->figure.restyle();
    m_parts->invalidate();
}

bool LandscapePlot::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Leave) selectPoint({});
    return QWidget::eventFilter(watched, event);
}

}  // namespace bitloom::widgets
