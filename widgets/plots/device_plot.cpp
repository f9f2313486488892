// The view around DeviceFigure: switches, read-out, mouse.
#include "widgets/plots/device_plot.h"

#include <QAction>
#include <QLabel>
#include <cmath>
#include <utility>

#include "widgets/commands.h"
#include "widgets/controls/elided_label.h"
#include "widgets/plots/device_csv.h"
#include "widgets/plots/device_figure.h"
#include "widgets/plots/family_row.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using Spot = DeviceFigure::Spot;

/// Time, spread, ratio and rates; what is not known is left out.
QString figuresText(const std::vector<report::KernelTiming>& timings, const report::KernelTiming& timing) {
    const report::TimingSummary& time = timing.time;
    if (!std::isfinite(time.medianMs)) return DevicePlot::tr("not timed");
    QString text = QStringLiteral("%1 ms").arg(formatNumber(time.medianMs, 4));
    if (std::isfinite(time.p10Ms) && std::isfinite(time.p90Ms)) {
        text +=
            DevicePlot::tr(" (p10 %1, p90 %2)").arg(formatNumber(time.p10Ms, 4), formatNumber(time.p90Ms, 4));
    }
    const double ratio = speedup(timings, time.medianMs);
    if (timing.family != kFloatBaseline && std::isfinite(ratio)) {
        text += DevicePlot::tr("   %1× tuned_fp32's %2 ms")
                    .arg(formatFixed(ratio, 2), formatNumber(ratio * time.medianMs, 4));
    }
    if (std::isfinite(timing.gmacs))
        text += DevicePlot::tr("   %1 GMAC/s").arg(formatNumber(timing.gmacs, 3));
    if (std::isfinite(timing.percentOfPeak))
        text += DevicePlot::tr("   %1 % of peak").arg(formatNumber(timing.percentOfPeak, 3));
    return text;
}

}  // namespace

struct DevicePlot::Parts {
    explicit Parts(DevicePlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    void resultChanged();
    void hover(const QPointF& position);
    void leave();
    void tell(const QString& place, const QString& figures = {});
    void tell(const Spot& spot);

    DevicePlot& view;
    DeviceState state;  // before the figure, which reads it
    DeviceFigure figure;
    bool freshLayers = true;  ///< their axis shows all of them at the next update
    std::optional<int> pointed;
    std::set<std::string> known;  ///< families that had their first state
    FamilyRow* row = nullptr;
    QAction* logSwitch = nullptr;
    QLabel* readOut = nullptr;         ///< what lies under the mouse
    QLabel* readOutFigures = nullptr;  ///< its times and rates
};

void DevicePlot::Parts::assemble() {
    makeTools();
    view.assemble(QStringLiteral("devicePlot"), figure.plot(), {row, readOut, readOutFigures},
                  tr("No times yet.\nChoose a device and press Benchmark: the open run is timed there,\n"
                     "beside float kernels, as a whole and layer by layer."));
    resultChanged();
}

void DevicePlot::Parts::makeTools() {
    row = new FamilyRow(&view);
    connect(row, &FamilyRow::toggled, &view, &DevicePlot::setFamilyShown);
    logSwitch = addCommand(view, QStringLiteral("log_times"), tr("Log times"),
                           tr("Logarithmic times of the layers"), Qt::Key_L);
    logSwitch->setIcon(icon(QStringLiteral("log_scale")));
    logSwitch->setCheckable(true);
    connect(logSwitch, &QAction::toggled, &view, &DevicePlot::setLogTimes);
    auto* logButton = new QToolButton(row);
    logButton->setObjectName(QStringLiteral("log_times"));
    logButton->setDefaultAction(logSwitch);
    row->add(logButton);
    row->add(view.makeExportButton());
    readOut = new ElidedLabel(&view);
    readOut->setObjectName(QStringLiteral("readOut"));
    readOut->setToolTip(tr("What lies under the mouse"));
    readOutFigures = new ElidedLabel(&view);
    readOutFigures->setObjectName(QStringLiteral("readOutFigures"));
    readOutFigures->setToolTip(tr("Times and rates of what lies under the mouse"));
    for (QLabel* line : {readOut, readOutFigures}) {
        line->setProperty("role", QStringLiteral("muted"));
        line->setContentsMargins(8, 1, 6, 1);
    }
}

void DevicePlot::Parts::resultChanged() {
    const bool any = state.result.has_value();
    view.setFilled(any);
    pointed.reset();
    leave();
    if (any) view.invalidate();
}

void DevicePlot::Parts::hover(const QPointF& position) {
    const Spot spot = figure.spotAt(position);
    const auto layer = spot.kind == Spot::Kind::Layer ? std::optional(spot.index) : std::nullopt;
    if (layer != std::exchange(pointed, layer)) figure.showColumns(pointed);
    if (spot.kind == Spot::Kind::Nothing) {
        leave();
    } else {
        tell(spot);
    }
}

void DevicePlot::Parts::leave() {
    tell(tr("Point to a bar to read it, click a layer to choose it, wheel to zoom, double-click to see all"));
}

void DevicePlot::Parts::tell(const QString& place, const QString& figures) {
    readOut->setText(place);
    readOutFigures->setText(figures);
}

void DevicePlot::Parts::tell(const Spot& spot) {
    const report::BenchResult& result = *state.result;
    const QString gap = QStringLiteral("   ");
    QString place;
    QString figures;
    if (spot.kind == Spot::Kind::Clock) {
        const std::vector<double> trace = clockTrace(result.sentinelMs);
        const auto at = static_cast<std::size_t>(spot.index);
        if (at >= trace.size()) return leave();
        place = tr("sample %1 of the fixed loop").arg(at + 1);
        figures = tr("%1 ms   %2× the first")
                      .arg(formatNumber(result.sentinelMs[at], 4), formatFixed(trace[at], 3));
    } else if (spot.kind == Spot::Kind::Conditions) {
        const ConditionsSeries& series = figure.conditions().series();
        const auto at = static_cast<std::size_t>(spot.index);
        place = tr("the device after %1 s").arg(formatFixed(series.seconds[at], 1));
        figures = tr("%1 °C in its hottest zone   %2 MHz on the fastest core timed")
                      .arg(formatFixed(series.celsius[at], 1), formatFixed(series.megahertz[at], 0));
    } else if (spot.kind == Spot::Kind::Family) {
        const report::KernelTiming* timing = timingOf(result.network, spot.family);
        place = tr("whole network") + gap + QString::fromStdString(spot.family);
        figures = figuresText(result.network, *timing);
        if (timing->weightBytes >= 0) figures += gap + tr("weights %1").arg(formatBytes(timing->weightBytes));
        if (timing->peakBytes >= 0) figures += gap + tr("memory %1").arg(formatBytes(timing->peakBytes));
    } else {
        const report::LayerTiming& layer = result.layers[static_cast<std::size_t>(spot.index)];
        place = QString::fromStdString(layer.name) + gap + QString::fromStdString(layer.shape);
        if (const report::KernelTiming* timing = timingOf(layer.kernels, spot.family)) {
            place += gap + QString::fromStdString(spot.family);
            if (!timing->kernel.empty()) place += gap + QString::fromStdString(timing->kernel);
            figures = figuresText(layer.kernels, *timing);
        }
    }
    if (result.device.emulated) place += gap + tr("emulated");
    tell(place, figures);
}

DevicePlot::DevicePlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

DevicePlot::~DevicePlot() = default;

void DevicePlot::setResult(const report::BenchResult& result) {
    Parts& p = *m_parts;
    p.state.result = result;
    const std::vector<std::string> families = familiesOf(result);
    for (const std::string& family : families) {
        if (p.known.insert(family).second && !isShownAtFirst(family)) p.state.hidden.insert(family);
    }
    p.row->setFamilies(families);
    p.row->showHidden(p.state.hidden);
    p.freshLayers = true;
    p.resultChanged();
    p.figure.showColumns(std::nullopt);
}

void DevicePlot::clear() {
    m_parts->state.result.reset();
    m_parts->resultChanged();
}

void DevicePlot::selectLayer(const QString& name) {
    Parts& p = *m_parts;
    if (std::exchange(p.state.selectedLayer, name.toStdString()) == name.toStdString()) return;
    if (p.state.result) p.figure.showColumns(p.pointed);
}

void DevicePlot::setFamilyShown(const QString& family, bool shown) {
    Parts& p = *m_parts;
    const std::string name = family.toStdString();
    if (name == kFloatBaseline || !p.known.contains(name) || shown == p.state.shows(name)) return;
    if (shown) {
        p.state.hidden.erase(name);
    } else {
        p.state.hidden.insert(name);
    }
    p.row->showHidden(p.state.hidden);
    invalidate();
}

bool DevicePlot::isFamilyShown(const QString& family) const {
    return m_parts->state.shows(family.toStdString());
}

void DevicePlot::setLogTimes(bool on) {
    m_parts->logSwitch->setChecked(on);
    if (std::exchange(m_parts->state.logTimes, on) != on) invalidate();
}

bool DevicePlot::logTimes() const {
    return m_parts->state.logTimes;
}

QByteArray DevicePlot::csv() const {
    return m_parts->state.result ? benchCsv(*m_parts->state.result) : benchCsv({});
}

void DevicePlot::updateFigure() {
    m_parts->figure.update();
    if (std::exchange(m_parts->freshLayers, false)) m_parts->figure.showAllLayers();
}

void DevicePlot::restyle() {
    m_parts->figure.restyle();
    m_parts->row->restyle();
}

void DevicePlot::mouseMoved(QMouseEvent& event) {
    m_parts->hover(event.position());
}

void DevicePlot::mouseLeft() {
    m_parts->leave();
    if (std::exchange(m_parts->pointed, std::nullopt)) m_parts->figure.showColumns(std::nullopt);
}

void DevicePlot::clicked(const QPointF& position) {
    const Spot spot = m_parts->figure.spotAt(position);
    if (spot.kind != Spot::Kind::Layer) return;
    const auto layer = static_cast<std::size_t>(spot.index);
    const QString name = QString::fromStdString(m_parts->state.result->layers[layer].name);
    selectLayer(name);
    Q_EMIT layerSelected(name);
}

void DevicePlot::doubleClicked(const QPointF&) {
    m_parts->figure.showAllLayers();
    m_parts->figure.plot().replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace bitloom::widgets
