// The view around CurvesFigure: alarm, read-out, mouse.
#include "widgets/plots/curves_plot.h"

#include <QAction>
#include <QApplication>
#include <QTimer>
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "widgets/plots/curves_figure.h"
#include "widgets/plots/tool_row.h"
#include "widgets/plots/warning_banner.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr std::size_t kNamedLayers = 3;  // the alarm names so many layers

}  // namespace

struct CurvesPlot::Parts {
    explicit Parts(CurvesPlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    void pick(const QPointF& position);
    void hover(const QPointF& position);
    void leave();
    void rowsChanged();
    void updateAlarm();
    [[nodiscard]] QString worstLayers() const;

    CurvesPlot& view;
    CurvesState state;  // before the figure, which reads it
    CurvesFigure figure;
    std::vector<std::pair<QString, double>> gaps;
    QString alarm;  ///< empty when off
    QPointF clicked;
    QTimer* clickTimer = nullptr;
    WarningBanner* banner = nullptr;
    ToolRow* tools = nullptr;
    QAction* lockSwitch = nullptr;
    QAction* othersSwitch = nullptr;
};

void CurvesPlot::Parts::assemble() {
    makeTools();
    clickTimer = new QTimer(&view);
    clickTimer->setObjectName(QStringLiteral("pendingClick"));
    clickTimer->setSingleShot(true);
    connect(clickTimer, &QTimer::timeout, &view, [this] { pick(clicked); });
    connect(&figure.plot(), &QCustomPlot::mouseWheel, &view, [this](QWheelEvent* event) {
        if (figure.stepAt(event->position())) view.setStepsLocked(true);
    });
    banner = new WarningBanner(
        &view, tr("The hard weights are what is deployed. Lower the temperature or the learning rate of the "
                  "mixtures when the two drift apart."));
    view.assemble(QStringLiteral("curvesPlot"), figure.plot(), {tools},
                  tr("No steps yet.\nCurves appear with the first training step."));
    view.addBanner(*banner);
    leave();
    rowsChanged();
}

void CurvesPlot::Parts::makeTools() {
    tools = new ToolRow(&view, tr("Values of the row under the mouse"));
    lockSwitch = tools->addSwitch(
        QStringLiteral("lock"), tr("Lock steps"),
        tr("Keep the range of steps when new rows come; double-click the plot to see all again"), Qt::Key_K);
    connect(lockSwitch, &QAction::toggled, &view, &CurvesPlot::setStepsLocked);
    othersSwitch = tools->addSwitch(QStringLiteral("other_runs"), tr("Other runs"),
                                    tr("Draw the other open runs beneath this one"), Qt::Key_O);
    othersSwitch->setIcon(icon(QStringLiteral("curves")));
    othersSwitch->setChecked(true);
    othersSwitch->setEnabled(false);
    connect(othersSwitch, &QAction::toggled, &view, &CurvesPlot::setOtherRunsShown);
    tools->add(view.makeExportButton());
}

void CurvesPlot::Parts::pick(const QPointF& position) {
    const auto step = figure.stepAt(position);
    if (!step) return;
    const auto row = nearestRow(state.rows, std::llround(*step));
    if (!row) return;
    const std::int64_t chosen = state.rows[*row].step;
    if (state.step == chosen) return;
    view.setCurrentStep(chosen);
    Q_EMIT view.stepSelected(chosen);
}

void CurvesPlot::Parts::hover(const QPointF& position) {
    const auto step = figure.stepAt(position);
    const auto at = step ? nearestRow(state.rows, std::llround(*step)) : std::nullopt;
    if (!at) return leave();
    const report::MetricSample& row = state.rows[*at];
    QString text = tr("step %1   epoch %2   loss %3")
                       .arg(formatCount(row.step), formatFixed(row.epoch, 2), formatNumber(row.loss, 4));
    if (std::isfinite(row.learningRate)) text += tr("   rate %1").arg(formatNumber(row.learningRate, 3));
    if (std::isfinite(row.top1Soft)) text += tr("   soft %1 %").arg(formatFixed(row.top1Soft, 2));
    if (std::isfinite(row.top1Hard)) text += tr("   hard %1 %").arg(formatFixed(row.top1Hard, 2));
    if (std::isfinite(row.quantMse)) text += tr("   MSE %1").arg(formatScientific(row.quantMse));
    tools->setReadOut(text);
}

void CurvesPlot::Parts::leave() {
    tools->setReadOut(tr("Click or drag to go to a step, wheel to zoom, double-click to see all"));
}

void CurvesPlot::Parts::rowsChanged() {
    const bool any = !state.rows.empty();
    view.setFilled(any);
    updateAlarm();
    view.invalidate();
}

QString CurvesPlot::Parts::worstLayers() const {
    std::vector<std::pair<QString, double>> worst;
    for (const auto& gap : gaps) {
        if (std::isfinite(gap.second)) worst.push_back(gap);
    }
    std::stable_sort(worst.begin(), worst.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    QStringList names;
    for (std::size_t i = 0; i < std::min(kNamedLayers, worst.size()); ++i) {
        names += QStringLiteral("%1 (%2)").arg(worst[i].first, formatFixed(worst[i].second, 3));
    }
    return names.join(QStringLiteral(", "));
}

void CurvesPlot::Parts::updateAlarm() {
    constexpr auto kNewest = std::numeric_limits<std::int64_t>::max() - 1;
    const auto at = lastWithValue(state.rows, kNewest, &report::MetricSample::top1Hard);
    const double soft = at ? state.rows[*at].top1Soft : report::kNoValue;
    const double hard = at ? state.rows[*at].top1Hard : report::kNoValue;
    const bool on = std::abs(soft - hard) > kAlarmPoints;  // false when either is missing
    const QString before = std::exchange(
        alarm,
        on ? tr("Soft and hard weights differ by %1 points at step %2: top-1 is %3 % soft and %4 % hard.")
                 .arg(formatFixed(std::abs(soft - hard), 1), formatCount(state.rows[*at].step),
                      formatFixed(soft, 1), formatFixed(hard, 1))
           : QString());
    if (alarm != before) Q_EMIT view.alarmChanged(on, alarm);
    const QString layers = on ? worstLayers() : QString();
    banner->setText(layers.isEmpty() ? alarm
                                     : alarm + QLatin1Char(' ') + tr("Largest gaps: %1.").arg(layers));
}

CurvesPlot::CurvesPlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

CurvesPlot::~CurvesPlot() = default;

void CurvesPlot::clear() {
    Parts& p = *m_parts;
    p.clickTimer->stop();
    setStepsLocked(false);
    std::vector<report::RunFigures> others = std::move(p.state.others);
    const bool shown = p.state.othersShown;
    p.state = {};
    p.state.others = std::move(others);
    p.state.othersShown = shown;
    p.gaps.clear();
    p.rowsChanged();
}

void CurvesPlot::setMetrics(const std::vector<report::MetricSample>& rows) {
    m_parts->state.rows = rows;
    m_parts->rowsChanged();
}

void CurvesPlot::appendMetric(const report::MetricSample& row) {
    appendRow(m_parts->state.rows, row);
    // Only the first row and those that were evaluated change more than the curves.
    if (m_parts->state.rows.size() == 1 || std::isfinite(row.top1Hard)) {
        m_parts->rowsChanged();
    } else {
        invalidate();
    }
}

void CurvesPlot::setEvents(const std::vector<report::RunEvent>& events) {
    m_parts->state.events = events;
    invalidate();
}

void CurvesPlot::setOtherRuns(const std::vector<report::RunFigures>& runs) {
    if (runs.empty() && m_parts->state.others.empty()) return;
    m_parts->state.others = runs;
    m_parts->othersSwitch->setEnabled(!runs.empty());
    invalidate();
}

void CurvesPlot::setOtherRunsShown(bool shown) {
    m_parts->othersSwitch->setChecked(shown);
    if (std::exchange(m_parts->state.othersShown, shown) != shown) invalidate();
}

bool CurvesPlot::otherRunsShown() const {
    return m_parts->state.othersShown;
}

void CurvesPlot::setFp32Accuracy(double percent) {
    const double before = std::exchange(m_parts->state.fp32, percent);
    if (percent != before && (std::isfinite(percent) || std::isfinite(before))) invalidate();
}

void CurvesPlot::setStepsLocked(bool locked) {
    m_parts->lockSwitch->setChecked(locked);
    if (std::exchange(m_parts->state.locked, locked) == locked) return;
    if (!locked) invalidate();
}

bool CurvesPlot::stepsLocked() const {
    return m_parts->state.locked;
}

void CurvesPlot::setCurrentStep(std::int64_t step) {
    Parts& p = *m_parts;
    const auto wanted = step < 0 ? std::nullopt : std::optional(step);
    if (wanted == p.state.step) return;
    p.state.step = wanted;
    // The curves stay as they are: only headers and cursor are drawn anew.
    p.figure.updateCursor();
    if (isVisible()) p.figure.plot().replot(QCustomPlot::rpQueuedReplot);
}

void CurvesPlot::setLayerGaps(const std::vector<std::pair<QString, double>>& gaps) {
    m_parts->gaps = gaps;
    if (alarm()) m_parts->updateAlarm();
}

bool CurvesPlot::alarm() const {
    return !m_parts->alarm.isEmpty();
}

QByteArray CurvesPlot::csv() const {
    QByteArray text =
        "step,epoch,loss,learning_rate,top1_soft,top1_hard,top5_soft,top5_hard,quant_mse,step_seconds\n";
    for (const report::MetricSample& row : m_parts->state.rows) {
        text += QByteArray::number(static_cast<qlonglong>(row.step));
        for (const double value : {row.epoch, row.loss, row.learningRate, row.top1Soft, row.top1Hard,
                                   row.top5Soft, row.top5Hard, row.quantMse, row.stepSeconds}) {
            text += ',' + csvNumber(value);
        }
        text += '\n';
    }
    return text;
}

void CurvesPlot::updateFigure() {
    m_parts->figure.update();
}

void CurvesPlot::restyle() {
    m_parts->figure.restyle();
    m_parts->banner->restyle();
}

void CurvesPlot::mouseMoved(QMouseEvent& event) {
    if (dragged(event)) m_parts->pick(event.position());
    m_parts->hover(event.position());
}

void CurvesPlot::mouseLeft() {
    m_parts->leave();
}

void CurvesPlot::clicked(const QPointF& position) {
    m_parts->clicked = position;
    // A double-click begins with a click; where it means something, the click waits for it.
    if (m_parts->state.locked) {
        m_parts->clickTimer->start(QApplication::doubleClickInterval());
    } else {
        m_parts->pick(position);
    }
}

void CurvesPlot::doubleClicked(const QPointF&) {
    m_parts->clickTimer->stop();
    setStepsLocked(false);
}

}  // namespace bitloom::widgets
