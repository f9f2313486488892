// See curves_figure.h.
#include "widgets/plots/curves_figure.h"

#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using report::MetricSample;

constexpr std::size_t kMarkersUpTo = 60;  // more evaluations than this are drawn as a line without dots
constexpr double kLeastSteps = 10;        // one row alone still needs a width
constexpr double kAir = 0.01;             // beside the first and the last step, so that no dot is cut in half
constexpr int kMostEpochLines = 60;       // more epochs than this in view would grey the panel

struct CurveText {
    int panel;
    double MetricSample::*field;
};

/// In the order of CurvesFigure::CurveName.
constexpr std::array<CurveText, 5> kCurves = {{
    {0, &MetricSample::loss},
    {1, &MetricSample::learningRate},
    {2, &MetricSample::top1Soft},
    {2, &MetricSample::top1Hard},
    {3, &MetricSample::quantMse},
}};

struct PanelText {
    const char* title;
    const char* unit;
    double leastSpan;  ///< the value axis shows at least this much, so that noise does not fill the panel
};

/// In the order of CurvesFigure::PanelName.
constexpr std::array<PanelText, 4> kPanels = {{
    {"Training loss", "nats", 1e-3},
    {"Learning rate", "rate", 1e-9},
    {"Top-1 accuracy", "%", 1.0},
    {"Quantization MSE", "weight²", 1e-12},
}};

}  // namespace

EventLines::EventLines(QCPAxis* key, const std::vector<report::RunEvent>& events)
    : QCPLayerable(key->parentPlot(), QStringLiteral("grid")), m_key(key), m_events(events) {}

void EventLines::draw(QCPPainter* painter) {
    const QRect area = clipRect();
    const auto inView = [this](const report::RunEvent& event) {
        return m_key->range().contains(static_cast<double>(event.step));
    };
    const auto epochs =
        std::count_if(m_events.begin(), m_events.end(), [&inView](const report::RunEvent& event) {
            return event.kind == report::EventKind::Epoch && inView(event);
        });
    for (const report::RunEvent& event : m_events) {
        if (!inView(event)) continue;
        switch (event.kind) {
            case report::EventKind::Epoch:
                if (epochs > kMostEpochLines) continue;
                painter->setPen(QPen(colors().grid, 1));
                break;
            case report::EventKind::Warning:
                painter->setPen(QPen(colors().warning, 1, Qt::DashLine));
                break;
            case report::EventKind::Stage:
                painter->setPen(QPen(colors().axis, 2));
                break;
            case report::EventKind::Paused:
            case report::EventKind::Resumed:
                painter->setPen(QPen(colors().axis, 1, Qt::DotLine));
                break;
            default:
                continue;
        }
        const double x = std::round(m_key->coordToPixel(static_cast<double>(event.step)));
        painter->drawLine(QLineF(x, area.top(), x, area.bottom()));
    }
}

CurvesFigure::CurvesFigure(QWidget* parent, const CurvesState& state)
    : m_state(state), m_plot(makeFigure(parent)) {
    for (std::size_t i = 0; i < m_panels.size(); ++i)
        assemblePanel(i);
    auto* margins = new QCPMarginGroup(m_plot);
    for (const Panel& panel : m_panels)
        panel.rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    for (std::size_t i = 0; i < kCurves.size(); ++i)
        m_curves[i] = addCurve(static_cast<PanelName>(kCurves[i].panel));
    m_fp32 = addCurve(Top1);
    m_plot->setInteraction(QCP::iRangeZoom);
    restyle();
    update();
}

void CurvesFigure::assemblePanel(std::size_t index) {
    Panel& panel = m_panels[index];
    const bool last = index + 1 == m_panels.size();
    panel.header = new KeyStrip(m_plot);
    panel.rect = makeAxisRect(*m_plot);
    const int row = 2 * static_cast<int>(index);
    m_plot->plotLayout()->addElement(row, 0, panel.header);
    m_plot->plotLayout()->addElement(row + 1, 0, panel.rect);
    // Accuracy is what people look at first and carries three curves.
    m_plot->plotLayout()->setRowStretchFactor(row + 1, index == Top1 ? 1.6 : 1);
    QCPAxis* step = panel.rect->axis(QCPAxis::atBottom);
    QCPAxis* value = panel.rect->axis(QCPAxis::atLeft);
    step->setTickLabels(last);
    if (last) step->setLabel(QStringLiteral("training step"));
    step->grid()->setVisible(false);
    value->setLabel(QString::fromUtf8(kPanels[index].unit));
    value->ticker()->setTickCount(3);
    panel.rect->setRangeZoom(Qt::Horizontal);
    new EventLines(step, m_state.events);
    panel.cursor = new QCPItemStraightLine(m_plot);
    panel.cursor->setLayer(QStringLiteral("overlay"));
    panel.cursor->setClipAxisRect(panel.rect);
    for (QCPItemPosition* point : {panel.cursor->point1, panel.cursor->point2}) {
        point->setAxisRect(panel.rect);
        point->setAxes(step, value);
        point->setTypeX(QCPItemPosition::ptPlotCoords);
        point->setTypeY(QCPItemPosition::ptAxisRectRatio);
    }
    const auto changed = qOverload<const QCPRange&>(&QCPAxis::rangeChanged);
    QObject::connect(step, changed, m_plot, [this](const QCPRange& range) {
        if (range == m_steps) return;  // the other panels follow the first
        showSteps(range);
        updateCurves();
        fitValues();
    });
}

QCPGraph* CurvesFigure::addCurve(PanelName panel) {
    const QCPAxisRect* rect = m_panels[panel].rect;
    return m_plot->addGraph(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
}

void CurvesFigure::showSteps(const QCPRange& range) {
    m_steps = range;
    for (const Panel& panel : m_panels)
        panel.rect->axis(QCPAxis::atBottom)->setRange(range);
}

QCPRange CurvesFigure::fullRange() const {
    if (m_state.rows.empty()) return {0, 100};
    const auto first = static_cast<double>(m_state.rows.front().step);
    const auto last = static_cast<double>(m_state.rows.back().step);
    const double width = std::max(last - first, kLeastSteps);
    return {first - kAir * width, first + (1 + kAir) * width};
}

/// What is in view is thinned, not what lies outside: zooming in shows every row in the end.
void CurvesFigure::updateCurves() {
    std::vector<double> keep;
    for (const report::RunEvent& event : m_state.events)
        keep.push_back(static_cast<double>(event.step));
    std::sort(keep.begin(), keep.end());
    for (std::size_t i = 0; i < kCurves.size(); ++i) {
        const Series drawn = decimate(column(m_state.rows, kCurves[i].field, m_steps.lower, m_steps.upper),
                                      kCurvePoints, keep);
        setGraphData(*m_curves[i], drawn.x, drawn.y);
        const bool dots = kCurves[i].panel == Top1 && drawn.x.size() <= kMarkersUpTo;
        m_curves[i]->setScatterStyle(dots ? QCPScatterStyle(QCPScatterStyle::ssDisc, 5) : QCPScatterStyle());
    }
}

void CurvesFigure::update() {
    const QCPRange range = fullRange();
    if (!m_state.locked) showSteps(range);
    updateCurves();
    const bool known = std::isfinite(m_state.fp32);
    setGraphData(*m_fp32, {range.lower, range.upper}, {m_state.fp32, m_state.fp32});
    m_fp32->setVisible(known);
    fitValues();
    updateCursor();
}

/// Each value axis shows what its curves do within the range of steps in view.
void CurvesFigure::fitValues() {
    for (std::size_t p = 0; p < m_panels.size(); ++p) {
        QCPRange values(report::kNoValue, report::kNoValue);
        const auto include = [&values](double value) {
            values.lower = std::fmin(values.lower, value);
            values.upper = std::fmax(values.upper, value);
        };
        for (std::size_t i = 0; i < kCurves.size(); ++i) {
            if (kCurves[i].panel != static_cast<int>(p)) continue;
            bool found = false;
            QCPRange range = m_curves[i]->getValueRange(found, QCP::sdBoth, m_steps);
            // No row in view: the line runs between those beside it.
            if (!found) range = m_curves[i]->getValueRange(found);
            if (!found) continue;
            include(range.lower);
            include(range.upper);
        }
        if (p == Top1 && std::isfinite(m_state.fp32)) include(m_state.fp32);
        if (!std::isfinite(values.lower)) values = {0, p == Top1 ? 100.0 : 1.0};
        const double missing = std::max(0.0, kPanels[p].leastSpan - values.size());
        const double margin = 0.08 * values.size() + 0.5 * missing;
        const bool touchesZero = values.lower >= 0 && values.lower < 0.25 * values.upper;
        m_panels[p]
            .rect->axis(QCPAxis::atLeft)
            ->setRange(touchesZero ? 0 : values.lower - margin, values.upper + margin);
    }
}

QString CurvesFigure::valueAt(double MetricSample::*field, int panel) const {
    const std::int64_t step = m_state.step.value_or(m_state.rows.empty() ? 0 : m_state.rows.back().step);
    const auto row = lastWithValue(m_state.rows, step, field);
    if (!row) return noValueText();
    const double value = m_state.rows[*row].*field;
    if (panel == QuantMse) return formatScientific(value);
    return panel == Top1 ? formatFixed(value, 2) + QStringLiteral(" %") : formatNumber(value, 4);
}

void CurvesFigure::updateHeaders() {
    using Swatch = KeyStrip::Swatch;
    static const std::array<QString, CurveCount> kNames = {{
        QStringLiteral("batch"),
        QStringLiteral("weights"),
        QStringLiteral("soft"),
        QStringLiteral("hard"),
        QStringLiteral("mean (w − Ψ)²"),
    }};
    for (std::size_t p = 0; p < m_panels.size(); ++p) {
        std::vector<KeyStrip::Key> keys = {{QString::fromUtf8(kPanels[p].title), {}, Swatch::None, true}};
        for (std::size_t i = 0; i < kCurves.size(); ++i) {
            if (kCurves[i].panel != static_cast<int>(p)) continue;
            const QString value = valueAt(kCurves[i].field, kCurves[i].panel);
            keys.push_back({kNames[i], m_curves[i]->pen().color(), Swatch::Line, false, value});
        }
        if (p == Top1 && std::isfinite(m_state.fp32)) {
            keys.push_back({QStringLiteral("full precision"), colors().mutedText, Swatch::Dashes, false,
                            formatFixed(m_state.fp32, 2) + QStringLiteral(" %")});
        }
        m_panels[p].header->setKeys(std::move(keys));
    }
}

void CurvesFigure::updateCursor() {
    updateHeaders();
    for (const Panel& panel : m_panels) {
        panel.cursor->setVisible(m_state.step.has_value());
        if (!m_state.step) continue;
        panel.cursor->point1->setCoords(static_cast<double>(*m_state.step), 0);
        panel.cursor->point2->setCoords(static_cast<double>(*m_state.step), 1);
    }
}

void CurvesFigure::restyle() {
    const ThemeColors& c = colors();
    applyThemeTo(*m_plot);
    m_curves[LossCurve]->setPen(QPen(c.text, 1.2));
    m_curves[RateCurve]->setPen(QPen(c.category(0), 1.6));
    m_curves[SoftCurve]->setPen(QPen(c.soft, 1.8));
    m_curves[HardCurve]->setPen(QPen(c.hard, 1.8));
    m_curves[MseCurve]->setPen(QPen(c.category(2), 1.6));
    m_fp32->setPen(QPen(c.mutedText, 1.2, Qt::DashLine));
    for (const Panel& panel : m_panels)
        panel.cursor->setPen(QPen(c.accent, 1));
    updateHeaders();
}

std::optional<double> CurvesFigure::stepAt(const QPointF& position) const {
    for (const Panel& panel : m_panels) {
        if (!panel.rect->rect().contains(position.toPoint())) continue;
        return panel.rect->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
    }
    return std::nullopt;
}

}  // namespace bitloom::widgets
