// The view around CurvesFigure: alarm, read-out, mouse. New rows only mark the figure stale; it is computed
// in QCustomPlot's beforeReplot, so that a burst of rows costs one replot and a hidden plot none.
#include "widgets/plots/curves_plot.h"

#include <QAction>
#include <QApplication>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "widgets/plots/curves_figure.h"
#include "widgets/plots/export_button.h"
#include "widgets/plots/tool_row.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr std::size_t kNamedLayers = 3;  // the alarm names so many layers

}  // namespace

struct CurvesPlot::Parts {
    explicit Parts(CurvesPlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    QWidget* makeBanner();
    void connectMouse();
    [[nodiscard]] bool dragged(const QMouseEvent* event) const;  ///< since the left button went down
    void invalidate();
    void refresh();
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
    bool stale = true;
    QString alarm;  ///< empty when off
    std::optional<QPoint> pressed;
    QPointF clicked;
    QTimer* clickTimer = nullptr;
    QFrame* banner = nullptr;
    QLabel* bannerIcon = nullptr;
    QLabel* bannerText = nullptr;
    QLabel* empty = nullptr;
    ToolRow* tools = nullptr;
    QAction* lockSwitch = nullptr;
};

void CurvesPlot::Parts::assemble() {
    view.setObjectName(QStringLiteral("curvesPlot"));
    empty = new QLabel(tr("No steps yet.\nCurves appear with the first training step."), &view);
    empty->setObjectName(QStringLiteral("emptyHint"));
    empty->setAlignment(Qt::AlignCenter);
    empty->setProperty("role", QStringLiteral("muted"));
    auto* column = new QVBoxLayout(&view);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    makeTools();
    column->addWidget(tools);
    auto* banners = new QHBoxLayout;
    banners->setContentsMargins(8, 0, 8, 2);
    banners->addWidget(makeBanner());
    column->addLayout(banners);
    column->addWidget(&figure.plot(), 1);
    column->addWidget(empty, 1);
    clickTimer = new QTimer(&view);
    clickTimer->setObjectName(QStringLiteral("pendingClick"));
    clickTimer->setSingleShot(true);
    connect(&figure.plot(), &QCustomPlot::beforeReplot, &view, [this] { refresh(); });
    connectMouse();
    leave();
    rowsChanged();
    view.setBackgroundRole(QPalette::Base);  // announces a palette change, for which all parts must be there
    view.setAutoFillBackground(true);
}

void CurvesPlot::Parts::makeTools() {
    tools = new ToolRow(&view, tr("Values of the row under the mouse"));
    lockSwitch = tools->addSwitch(
        QStringLiteral("lock"), tr("Lock steps"),
        tr("Keep the range of steps when new rows come; double-click the plot to see all again"), Qt::Key_K);
    connect(lockSwitch, &QAction::toggled, &view, &CurvesPlot::setStepsLocked);
    auto* exporter = new ExportButton(&view, [this] { return view.csv(); });
    connect(exporter, &ExportButton::failed, &view, &CurvesPlot::failed);
    tools->add(exporter);
}

QWidget* CurvesPlot::Parts::makeBanner() {
    banner = new QFrame(&view);
    banner->setObjectName(QStringLiteral("alarm"));
    banner->setProperty("role", QStringLiteral("warning"));
    banner->setToolTip(
        tr("The hard weights are what is deployed. Lower the temperature or the learning rate of the "
           "mixtures when the two drift apart."));
    bannerIcon = new QLabel(banner);
    bannerText = new QLabel(banner);
    bannerText->setObjectName(QStringLiteral("alarmText"));
    bannerText->setWordWrap(true);
    bannerText->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* row = new QHBoxLayout(banner);
    row->setContentsMargins(8, 6, 8, 6);
    row->addWidget(bannerIcon, 0, Qt::AlignTop);
    row->addWidget(bannerText, 1);
    banner->hide();
    return banner;
}

void CurvesPlot::Parts::connectMouse() {
    QCustomPlot* plot = &figure.plot();
    plot->installEventFilter(&view);
    connect(plot, &QCustomPlot::mousePress, &view, [this](QMouseEvent* event) {
        if (event->button() == Qt::LeftButton) pressed = event->pos();
    });
    connect(plot, &QCustomPlot::mouseMove, &view, [this](QMouseEvent* event) {
        if (dragged(event)) pick(event->position());
        hover(event->position());
    });
    connect(plot, &QCustomPlot::mouseRelease, &view, [this](QMouseEvent* event) {
        if (event->button() != Qt::LeftButton || !pressed) return;
        clicked = event->position();
        // A double-click begins with a click; where it means something, the click waits for it.
        if (state.locked && !dragged(event)) {
            clickTimer->start(QApplication::doubleClickInterval());
        } else {
            pick(clicked);
        }
        pressed.reset();
    });
    connect(clickTimer, &QTimer::timeout, &view, [this] { pick(clicked); });
    connect(plot, &QCustomPlot::mouseWheel, &view, [this](QWheelEvent* event) {
        if (figure.stepAt(event->position())) view.setStepsLocked(true);
    });
    connect(plot, &QCustomPlot::mouseDoubleClick, &view, [this] {
        clickTimer->stop();
        pressed.reset();
        view.setStepsLocked(false);
    });
}

bool CurvesPlot::Parts::dragged(const QMouseEvent* event) const {
    return pressed && (event->pos() - *pressed).manhattanLength() > kClickSlack;
}

void CurvesPlot::Parts::invalidate() {
    stale = true;
    if (view.isVisible()) figure.plot().replot(QCustomPlot::rpQueuedReplot);
}

void CurvesPlot::Parts::refresh() {
    if (!stale) return;
    stale = false;
    figure.update();
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
    tools->setVisible(any);
    figure.plot().setVisible(any);
    empty->setVisible(!any);
    updateAlarm();
    invalidate();
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
    banner->setVisible(on);
    if (alarm != before) Q_EMIT view.alarmChanged(on, alarm);
    if (!on) return;
    const QString layers = worstLayers();
    bannerText->setText(layers.isEmpty() ? alarm
                                         : alarm + QLatin1Char(' ') + tr("Largest gaps: %1.").arg(layers));
    bannerIcon->setPixmap(icon(QStringLiteral("warning"), &ThemeColors::warning).pixmap(16, 16));
}

CurvesPlot::CurvesPlot(QWidget* parent) : QWidget(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

CurvesPlot::~CurvesPlot() = default;

void CurvesPlot::clear() {
    Parts& p = *m_parts;
    p.clickTimer->stop();
    setStepsLocked(false);
    p.state = {};
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
        m_parts->invalidate();
    }
}

void CurvesPlot::setEvents(const std::vector<report::RunEvent>& events) {
    m_parts->state.events = events;
    m_parts->invalidate();
}

void CurvesPlot::setFp32Accuracy(double percent) {
    const double before = std::exchange(m_parts->state.fp32, percent);
    if (percent != before && (std::isfinite(percent) || std::isfinite(before))) m_parts->invalidate();
}

void CurvesPlot::setStepsLocked(bool locked) {
    m_parts->lockSwitch->setChecked(locked);
    if (std::exchange(m_parts->state.locked, locked) == locked) return;
    if (!locked) m_parts->invalidate();
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

void CurvesPlot::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (m_parts->stale) m_parts->invalidate();
}

void CurvesPlot::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange || !m_parts) return;
    m_parts->figure.restyle();
    m_parts->updateAlarm();  // its icon carries a colour
    m_parts->invalidate();
}

bool CurvesPlot::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Leave) m_parts->leave();
    return QWidget::eventFilter(watched, event);
}

}  // namespace bitloom::widgets
