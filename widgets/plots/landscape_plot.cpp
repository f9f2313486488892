// The view around LandscapeFigure: switches, read-out, mouse, keyboard. New data only marks the figure stale;
// it is computed in QCustomPlot's beforeReplot, so that a hidden plot costs nothing.
#include "widgets/plots/landscape_plot.h"

#include <QAction>
#include <algorithm>
#include <cmath>

#include "widgets/commands.h"
#include "widgets/plots/landscape_figure.h"
#include "widgets/plots/tool_row.h"
#include "widgets/theme.h"

namespace bitloom::widgets {

struct LandscapePlot::Parts {
    explicit Parts(LandscapePlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    void addKey(const char* name, const QString& text, const QKeySequence& key, int columns, int rows);
    void resultChanged();
    void move(int columns, int rows);
    void tell();
    [[nodiscard]] QString figures(const report::LossSurface& surface) const;

    LandscapePlot& view;
    LandscapeState state;  // before the figure, which reads it
    LandscapeFigure figure;
    ToolRow* row = nullptr;
    QAction* logSwitch = nullptr;
    QAction* top1Switch = nullptr;
};

void LandscapePlot::Parts::assemble() {
    makeTools();
    view.assemble(
        QStringLiteral("landscapePlot"), figure.plot(), {row},
        tr("No landscape yet.\nOpen a run and press Compute: the loss is measured around its weights,\n"
           "in full precision and quantized, along two random directions."));
    resultChanged();
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
    row->add(view.makeExportButton());
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

void LandscapePlot::Parts::resultChanged() {
    const bool any = state.result.has_value();
    view.setFilled(any);
    tell();
    if (any) view.invalidate();
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
    row->setReadOut(tr("α %1  β %2   %3: %4   quantized: %5")
                        .arg(formatFixed(state.result->coordinate(state.probe->first), 2),
                             formatFixed(state.result->coordinate(state.probe->second), 2),
                             startName(state.result->pretrained).toLower(),
                             figures(state.result->fullPrecision), figures(state.result->quantized)));
}

LandscapePlot::LandscapePlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
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

void LandscapePlot::setLogScale(bool on) {
    m_parts->logSwitch->setChecked(on);
    if (std::exchange(m_parts->state.logScale, on) != on) invalidate();
}

bool LandscapePlot::logScale() const {
    return m_parts->state.logScale;
}

void LandscapePlot::setTop1(bool on) {
    m_parts->top1Switch->setChecked(on);
    m_parts->logSwitch->setEnabled(!on);
    if (std::exchange(m_parts->state.top1, on) != on) invalidate();
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

void LandscapePlot::updateFigure() {
    m_parts->figure.update();
}

void LandscapePlot::restyle() {
    m_parts->figure.restyle();
}

void LandscapePlot::mouseMoved(QMouseEvent& event) {
    selectPoint(m_parts->figure.pointAt(event.position()));
}

void LandscapePlot::mouseLeft() {
    selectPoint({});
}

}  // namespace bitloom::widgets
