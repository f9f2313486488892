// See bitwidths_figure.h.
#include "widgets/plots/bitwidths_figure.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr double kLeastStepsShown = 10;  // one point alone still needs a width

/// The average, and the size that goes with it: both are one curve on two scales.
QString totalsText(const report::BitTotals& totals) {
    if (!std::isfinite(totals.bits)) return noValueText();
    return QStringLiteral("%1 bits, %2")
        .arg(formatFixed(totals.bits, 2), formatBytes(std::llround(totals.bytes)));
}

/// 19 of 20 gradients are smaller, so that a single spike does not flatten all others.
double usualGradient(const std::vector<report::BitwidthTrack>& tracks) {
    std::vector<double> sizes;
    for (const report::BitwidthTrack& track : tracks) {
        for (const report::BitwidthPoint& point : track.points) {
            const double size = std::abs(point.choice.gradient);
            if (size > 0) sizes.push_back(size);  // also false for NaN
        }
    }
    if (sizes.empty()) return 0;
    const auto at = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() * 19 / 20);
    std::ranges::nth_element(sizes, at);
    return *at;
}

}  // namespace

BitwidthsFigure::BitwidthsFigure(QWidget* parent, const BitwidthsState& state)
    : m_state(state), m_plot(makeFigure(parent)), m_legend(new KeyStrip(m_plot)), m_grid(new QCPLayoutGrid) {
    m_plot->plotLayout()->addElement(0, 0, m_legend);
    m_plot->plotLayout()->addElement(1, 0, m_grid);
    m_grid->setRowSpacing(0);
    for (QCPMarginGroup*& margins : m_margins)
        margins = new QCPMarginGroup(m_plot);
    assemblePanel(Ribbons, 0, 0);
    assemblePanel(Gradients, 0, 1);
    assemblePanel(Average, 2, 0);
    assemblePanel(Operations, 2, 1);
    m_numbers = new BitwidthNumbers(*m_panels[Ribbons].rect, m_state);
    m_grid->addElement(1, 2, m_numbers);
    m_grid->setColumnStretchFactor(0, 1.8);
    m_grid->setColumnStretchFactor(1, 1);
    m_grid->setRowStretchFactor(1, 4.5);
    m_grid->setColumnSpacing(0);
    new BitwidthRibbons(*m_panels[Ribbons].rect, m_state);
    m_gradients = new BitwidthGradients(*m_panels[Gradients].rect, m_state);
    m_average = addCurve(Average);
    m_operations = addCurve(Operations);
    restyle();
    update();
}

/// Header in `row`, axes in the row below.
void BitwidthsFigure::assemblePanel(PanelName name, int row, int column) {
    Panel& panel = m_panels[name];
    panel.header = new KeyStrip(m_plot);
    panel.rect = makeAxisRect(*m_plot);
    m_grid->addElement(row, column, panel.header);
    m_grid->addElement(row + 1, column, panel.rect);
    panel.rect->setMarginGroup(QCP::msLeft | QCP::msRight, m_margins[column]);
    panel.cursor = makeStepCursor(*panel.rect);
    QCPAxis* step = panel.rect->axis(QCPAxis::atBottom);
    QCPAxis* value = panel.rect->axis(QCPAxis::atLeft);
    step->grid()->setVisible(false);
    const bool rows = name == Ribbons || name == Gradients;
    step->setTickLabels(!rows);
    value->setRangeReversed(rows);
    value->grid()->setVisible(!rows);
    if (rows) {
        step->setTicks(false);
        value->setTickLengthOut(0);
        value->setTickLabels(name == Ribbons);
        value->setTicks(name == Ribbons);
        return;
    }
    step->setLabel(QStringLiteral("training step"));
    step->ticker()->setTickCount(name == Average ? 6 : 2);
    value->setLabel(name == Average ? QStringLiteral("bits") : QStringLiteral("BitOPs"));
    value->ticker()->setTickCount(3);
    panel.rect->setMinimumSize(60, 64);
}

BitwidthsFigure::Curve BitwidthsFigure::addCurve(PanelName name) const {
    QCPAxisRect* rect = m_panels[name].rect;
    const auto add = [&] {
        return m_plot->addGraph(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
    };
    Curve curve{add(), add()};
    curve.graph->setLineStyle(QCPGraph::lsStepLeft);
    return curve;
}

bool BitwidthsFigure::isTarget(double report::BitTotals::*figure) const {
    return m_state.target && m_state.target->counted == figure;
}

void BitwidthsFigure::update() {
    m_totals = report::bitTotals(m_state.network, m_state.tracks, m_state.target && m_state.isLearned());
    m_halfRow = usualGradient(m_state.tracks);
    m_gradients->setScale(m_halfRow);
    auto names = QSharedPointer<QCPAxisTickerText>::create();
    for (int row = 0; row < m_state.rows(); ++row)
        names->addTick(row, QString::fromStdString(m_state.tracks[static_cast<std::size_t>(row)].layer));
    m_panels[Ribbons].rect->axis(QCPAxis::atLeft)->setTicker(names);
    updateSteps();
    // A target of bytes lies on the average's axis, which is the same curve.
    updateCurve(m_average, Average, &report::BitTotals::bits);
    updateCurve(m_operations, Operations, &report::BitTotals::bitOperations);
    updateLegend();
    updateCursor();
}

void BitwidthsFigure::updateSteps() {
    std::int64_t first = 0;
    bool any = false;
    for (const report::BitwidthTrack& track : m_state.tracks) {
        if (track.points.empty()) continue;
        first = any ? std::min(first, track.points.front().step) : track.points.front().step;
        any = true;
    }
    const double low = static_cast<double>(first);
    const double high = std::max(static_cast<double>(m_state.newestStep()), low + kLeastStepsShown);
    for (const Panel& panel : m_panels)
        panel.rect->axis(QCPAxis::atBottom)->setRange(low, high);
}

void BitwidthsFigure::updateCurve(const Curve& curve, PanelName panel, double report::BitTotals::*figure) {
    const QCPRange steps = m_panels[panel].rect->axis(QCPAxis::atBottom)->range();
    std::vector<double> x;
    std::vector<double> y;
    double most = 0;
    for (const report::BitTotals& totals : m_totals) {
        x.push_back(static_cast<double>(totals.step));
        y.push_back(totals.*figure);
        most = std::fmax(most, y.back());
    }
    if (!x.empty()) {
        x.push_back(steps.upper);
        y.push_back(y.back());
    }
    setGraphData(*curve.graph, x, y);
    double target = report::kNoValue;
    if (isTarget(figure)) target = m_state.target->most;
    if (panel == Average && isTarget(&report::BitTotals::bytes) && !m_totals.empty())
        target = m_state.target->most * m_totals.front().bits / m_totals.front().bytes;
    curve.target->setVisible(std::isfinite(target));
    setGraphData(*curve.target, {steps.lower, steps.upper}, {target, target});
    m_panels[panel].rect->axis(QCPAxis::atLeft)->setRange(0, 1.1 * std::max(std::fmax(most, target), 1e-9));
}

void BitwidthsFigure::updateLegend() {
    using Swatch = KeyStrip::Swatch;
    std::set<double> widths;
    for (const report::BitwidthTrack& track : m_state.tracks) {
        for (const report::BitwidthPoint& point : track.points) {
            widths.insert(point.bits);
            if (point.choice.isLearned() && point.choice.open) widths.insert(point.bits - 1);
        }
    }
    std::vector<KeyStrip::Key> keys = {{QStringLiteral("Bits"), {}, Swatch::None, true}};
    for (const double bits : widths)
        keys.push_back({formatBits(bits), bitsColor(bits), Swatch::Box});
    m_legend->setKeys(std::move(keys));
}

void BitwidthsFigure::updateHeaders() {
    using Swatch = KeyStrip::Swatch;
    const ThemeColors& c = colors();
    const bool learned = m_state.isLearned();
    const int inView = rowsInView();
    QString rows = learned             ? QStringLiteral("each as high as its probability β")
                   : m_state.changes() ? QStringLiteral("their probabilities are not recorded in this run")
                                       : QStringLiteral("fixed in this run: nothing is learned");
    if (inView < m_state.rows()) {
        rows = QStringLiteral("rows %1 to %2 of %3, wheel to scroll")
                   .arg(m_state.firstRow + 1)
                   .arg(m_state.firstRow + inView)
                   .arg(m_state.rows());
    }
    m_panels[Ribbons].header->setKeys(
        {{learned ? QStringLiteral("Candidate widths") : QStringLiteral("Widths"), {}, Swatch::None, true},
         {rows}});
    std::vector<KeyStrip::Key> gradient = {{QStringLiteral("Gradient"), {}, Swatch::None, true}};
    if (learned) {
        gradient.push_back({QStringLiteral("fewer bits"), c.hard, Swatch::Box});
        gradient.push_back({QStringLiteral("stay"), c.soft, Swatch::Box});
        gradient.push_back({QStringLiteral("half a row %1, by root").arg(formatNumber(m_halfRow, 2))});
    }
    m_panels[Gradients].header->setKeys(std::move(gradient));

    const report::BitTotals now = report::totalsAt(m_totals, m_state.shownStep());
    std::vector<KeyStrip::Key> average = {
        {QStringLiteral("Average"), {}, Swatch::None, true},
        {QStringLiteral("step %1").arg(formatCount(m_state.shownStep())), m_average.graph->pen().color(),
         Swatch::Line, false, totalsText(now)}};
    const auto addTarget = [&](std::vector<KeyStrip::Key>& keys, const QString& value) {
        keys.push_back({QStringLiteral("target"), c.mutedText, Swatch::Dashes, false, value});
    };
    if (isTarget(&report::BitTotals::bits)) addTarget(average, formatBits(m_state.target->most));
    if (isTarget(&report::BitTotals::bytes))
        addTarget(average, formatBytes(std::llround(m_state.target->most)));
    m_panels[Average].header->setKeys(std::move(average));
    std::vector<KeyStrip::Key> operations = {{QStringLiteral("BitOPs"), {}, Swatch::None, true},
                                             {QStringLiteral("an image"), m_operations.graph->pen().color(),
                                              Swatch::Line, false, formatNumber(now.bitOperations)}};
    if (isTarget(&report::BitTotals::bitOperations))
        addTarget(operations, formatNumber(m_state.target->most));
    m_panels[Operations].header->setKeys(std::move(operations));
}

void BitwidthsFigure::updateCursor() {
    updateHeaders();
    for (const Panel& panel : m_panels)
        placeStepCursor(*panel.cursor, m_state.step);
}

int BitwidthsFigure::rowsInView() const {
    const int fitting = std::max(1, m_panels[Ribbons].rect->height() / kLeastRowHeight);
    return std::min(fitting, std::max(1, m_state.rows()));
}

void BitwidthsFigure::fitRows() {
    // QCustomPlot lays out only after beforeReplot; how high the rows are is needed before.
    for (const auto phase :
         {QCPLayoutElement::upPreparation, QCPLayoutElement::upMargins, QCPLayoutElement::upLayout})
        m_plot->plotLayout()->update(phase);
    const double first = std::clamp(m_state.firstRow, 0, std::max(0, m_state.rows() - rowsInView()));
    for (const PanelName name : {Ribbons, Gradients})
        m_panels[name].rect->axis(QCPAxis::atLeft)->setRange(first - 0.5, first + rowsInView() - 0.5);
}

void BitwidthsFigure::restyle() {
    const ThemeColors& c = colors();
    applyThemeTo(*m_plot);
    for (const Curve& curve : {m_average, m_operations}) {
        curve.graph->setPen(QPen(c.text, 1.6));
        curve.target->setPen(QPen(c.mutedText, 1.2, Qt::DashLine));
    }
    for (const Panel& panel : m_panels)
        panel.cursor->setPen(QPen(c.accent, 1));
    updateLegend();
    updateHeaders();
}

std::optional<double> BitwidthsFigure::stepAt(const QPointF& position) const {
    for (const Panel& panel : m_panels) {
        if (!panel.rect->rect().contains(position.toPoint())) continue;
        return panel.rect->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
    }
    return std::nullopt;
}

std::optional<int> BitwidthsFigure::rowAt(const QPointF& position) const {
    const QRect area = m_panels[Ribbons].rect->rect();
    if (position.y() < area.top() || position.y() > area.bottom()) return std::nullopt;
    const int row = static_cast<int>(
        std::lround(m_panels[Ribbons].rect->axis(QCPAxis::atLeft)->pixelToCoord(position.y())));
    if (row < 0 || row >= m_state.rows()) return std::nullopt;
    return row;
}

}  // namespace bitloom::widgets
