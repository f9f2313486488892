// The view around MixtureFigure: switches, read-out, mouse.
#include "widgets/plots/mixture_plot.h"

#include <QAction>
#include <QLabel>
#include <QSignalBlocker>
#include <QSpinBox>
#include <algorithm>
#include <optional>
#include <utility>

#include "widgets/plots/mixture_figure.h"
#include "widgets/plots/tool_row.h"
#include "widgets/theme.h"

namespace bitloom::widgets {

struct MixturePlot::Parts {
    explicit Parts(MixturePlot& owner) : view(owner), figure(&owner) {}

    void assemble();
    void makeTools();
    void wheel(const QWheelEvent& event);
    void lockByZoom();
    void select(int component);
    void click(const QPointF& position);
    void hover(const QPointF& position);
    void leave();
    [[nodiscard]] int components() const;  ///< of the mixture that is drawn
    [[nodiscard]] QString readOut(double weight) const;
    [[nodiscard]] std::optional<double> weightAt(const QPointF& position) const;

    MixturePlot& view;
    MixtureFigure figure;
    MixtureState state;
    bool lockedByZoom = false;       ///< a lock by zooming ends with the layer; one from the switch stays
    std::optional<QPointF> pointed;  ///< where the mouse rests over the figure
    ToolRow* tools = nullptr;
    QLabel* channelLabel = nullptr;
    QSpinBox* channel = nullptr;
    QAction* logSwitch = nullptr;
    QAction* lockSwitch = nullptr;
};

void MixturePlot::Parts::assemble() {
    makeTools();
    connect(logSwitch, &QAction::toggled, &view, &MixturePlot::setLogCounts);
    connect(lockSwitch, &QAction::toggled, &view, &MixturePlot::setAxesLocked);
    connect(channel, &QSpinBox::valueChanged, &view, &MixturePlot::setChannel);
    connect(&figure.plot(), &QCustomPlot::beforeReplot, &view, [this] { figure.fitLegend(); });
    connect(&figure.plot(), &QCustomPlot::mouseWheel, &view, [this](QWheelEvent* event) { wheel(*event); });
    view.assemble(QStringLiteral("mixturePlot"), figure.plot(), {tools},
                  tr("Nothing to show yet.\nOpen a run or start a job, then choose a layer."));
}

void MixturePlot::Parts::makeTools() {
    tools = new ToolRow(&view, tr("Values under the mouse"));
    channelLabel = new QLabel(tr("Channel"), tools);
    channel = new QSpinBox(tools);
    channel->setObjectName(QStringLiteral("channel"));
    channel->setToolTip(tr("Output channel whose mixture is drawn (this layer has one mixture per channel)"));
    tools->add(channelLabel);
    tools->add(channel);
    logSwitch =
        tools->addSwitch(QStringLiteral("log_scale"), tr("Log counts"), tr("Logarithmic counts"), Qt::Key_L);
    lockSwitch = tools->addSwitch(
        QStringLiteral("lock"), tr("Lock axes"),
        tr("Keep the ranges when new data comes; double-click the plot to see all again"), Qt::Key_K);
    tools->add(view.makeExportButton());
    channelLabel->hide();
    channel->hide();
    leave();
}

void MixturePlot::Parts::wheel(const QWheelEvent& event) {
    if (figure.legend().rect().contains(event.position().toPoint())) {
        figure.legend().scroll(event.angleDelta().y() > 0 ? -3 : 3);
        figure.plot().replot(QCustomPlot::rpQueuedReplot);
    } else if (weightAt(event.position())) {
        lockByZoom();
    }
}

void MixturePlot::Parts::lockByZoom() {
    if (state.axesLocked) return;
    view.setAxesLocked(true);
    lockedByZoom = true;
}

std::optional<double> MixturePlot::Parts::weightAt(const QPointF& position) const {
    for (const QCPAxisRect* rect : {&figure.countsRect(), &figure.mapRect()}) {
        if (!rect->visible() || !rect->rect().contains(position.toPoint())) continue;
        return rect->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
    }
    return std::nullopt;
}

void MixturePlot::Parts::select(int component) {
    if (component == state.selected) return;
    state.selected = component;
    view.invalidate();
    Q_EMIT view.componentSelected(component);
}

void MixturePlot::Parts::click(const QPointF& position) {
    const report::Mixture* mixture = state.mixture();
    if (!mixture) return;
    std::optional<int> hit = figure.legend().componentAt(position);
    if (!hit) {
        const auto weight = weightAt(position);
        if (!weight) return;
        hit = static_cast<int>(report::hardIndex(*mixture, *weight));
    }
    select(*hit == state.selected ? -1 : *hit);
}

int MixturePlot::Parts::components() const {
    const report::Mixture* mixture = state.mixture();
    return mixture ? static_cast<int>(mixture->components.size()) : 0;
}

QString MixturePlot::Parts::readOut(double weight) const {
    const report::LayerSnapshot& snapshot = *state.snapshot;
    QString text = QStringLiteral("w = %1").arg(formatFixed(weight, 4));
    const report::Mixture* mixture = state.mixture();
    if (mixture && !report::isFixedSet(*mixture)) {
        const std::size_t k = report::hardIndex(*mixture, weight);
        text += QStringLiteral("   Φ = %1   Ψ = %2   k = %3 (r = %4)")
                    .arg(formatFixed(report::softValue(*mixture, weight), 4),
                         formatFixed(mixture->components[k].mu, 4))
                    .arg(k)
                    .arg(formatFixed(report::responsibilities(*mixture, weight)[k], 2));
    }
    if (const auto bin = binAt(snapshot.weights, weight)) {
        text += QStringLiteral("   %1 weights in this bin").arg(formatCount(snapshot.weights.counts[*bin]));
        if (*bin < snapshot.softWeights.counts.size()) {
            text += QStringLiteral(", %1 soft").arg(formatCount(snapshot.softWeights.counts[*bin]));
        }
    }
    return text;
}

void MixturePlot::Parts::hover(const QPointF& position) {
    const auto weight = state.snapshot ? weightAt(position) : std::nullopt;
    if (!weight) return leave();
    pointed = position;
    tools->setReadOut(readOut(*weight));
    figure.setCursor(weight);
}

void MixturePlot::Parts::leave() {
    pointed.reset();
    tools->setReadOut(tr("Point to read values, click to choose a component, wheel to zoom"));
    figure.setCursor(std::nullopt);
}

MixturePlot::MixturePlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

MixturePlot::~MixturePlot() = default;

void MixturePlot::setSnapshot(report::LayerSnapshotPtr snapshot) {
    Parts& p = *m_parts;
    const bool otherLayer = !snapshot || !p.state.snapshot || snapshot->layer != p.state.snapshot->layer;
    const int componentsBefore = p.components();
    p.state.snapshot = std::move(snapshot);
    const bool any = p.state.snapshot != nullptr;
    if (otherLayer && p.lockedByZoom) setAxesLocked(false);
    const int channels = any ? static_cast<int>(p.state.snapshot->mixtures.size()) : 0;
    const int channel = std::clamp(p.state.channel, 0, std::max(0, channels - 1));
    const bool otherChannel = channel != std::exchange(p.state.channel, channel);
    const QSignalBlocker quiet(p.channel);
    p.channel->setRange(0, std::max(0, channels - 1));
    p.channel->setValue(channel);
    p.channel->setVisible(channels > 1);
    p.channelLabel->setVisible(channels > 1);
    setFilled(any);
    if (any) invalidate();
    if (otherChannel) Q_EMIT channelChanged(channel);
    if (otherLayer || otherChannel || p.components() != componentsBefore) p.select(-1);
}

const report::LayerSnapshotPtr& MixturePlot::snapshot() const {
    return m_parts->state.snapshot;
}

void MixturePlot::setLogCounts(bool on) {
    m_parts->logSwitch->setChecked(on);
    if (m_parts->state.logCounts == on) return;
    m_parts->state.logCounts = on;
    invalidate();
}

bool MixturePlot::logCounts() const {
    return m_parts->state.logCounts;
}

void MixturePlot::setChannel(int channel) {
    Parts& p = *m_parts;
    const int channels = p.state.snapshot ? static_cast<int>(p.state.snapshot->mixtures.size()) : 1;
    const int wanted = std::clamp(channel, 0, std::max(0, channels - 1));
    if (wanted == p.state.channel) return;
    p.state.channel = wanted;
    p.channel->setValue(wanted);
    invalidate();
    Q_EMIT channelChanged(wanted);
    p.select(-1);
}

int MixturePlot::channel() const {
    return m_parts->state.channel;
}

void MixturePlot::setAxesLocked(bool locked) {
    m_parts->lockSwitch->setChecked(locked);
    if (m_parts->state.axesLocked == locked) return;
    m_parts->state.axesLocked = locked;
    m_parts->lockedByZoom = false;
    if (!locked) invalidate();
}

bool MixturePlot::axesLocked() const {
    return m_parts->state.axesLocked;
}

void MixturePlot::selectComponent(int component) {
    m_parts->select(component >= 0 && component < m_parts->components() ? component : -1);
}

int MixturePlot::selectedComponent() const {
    return m_parts->state.selected;
}

QByteArray MixturePlot::csv() const {
    const MixtureState& state = m_parts->state;
    if (!state.snapshot) return {};
    const report::LayerSnapshot& snapshot = *state.snapshot;
    QByteArray text = "kind,index,low,high,weights,soft_weights,mu,pi,sigma\n";
    const double width = snapshot.weights.binWidth();
    for (std::size_t bin = 0; bin < snapshot.weights.counts.size(); ++bin) {
        const double low = snapshot.weights.low + static_cast<double>(bin) * width;
        const bool soft = bin < snapshot.softWeights.counts.size();
        text += "bin," + QByteArray::number(static_cast<qulonglong>(bin)) + ',' + csvNumber(low) + ',' +
                csvNumber(low + width) + ',' + QByteArray::number(snapshot.weights.counts[bin]) + ',' +
                (soft ? QByteArray::number(snapshot.softWeights.counts[bin]) : QByteArray()) + ",,,\n";
    }
    const report::Mixture* mixture = state.mixture();
    for (std::size_t k = 0; mixture && k < mixture->components.size(); ++k) {
        const report::MixtureComponent& c = mixture->components[k];
        text += "component," + QByteArray::number(static_cast<qulonglong>(k)) + ",,," +
                QByteArray::number(static_cast<qlonglong>(c.count)) + ",," + csvNumber(c.mu) + ',' +
                csvNumber(c.pi) + ',' + csvNumber(c.sigma) + '\n';
    }
    return text;
}

void MixturePlot::updateFigure() {
    m_parts->figure.update(m_parts->state);
    if (m_parts->pointed) m_parts->hover(*m_parts->pointed);  // what is under a resting mouse has changed
}

void MixturePlot::restyle() {
    m_parts->figure.restyle();
}

void MixturePlot::mouseMoved(QMouseEvent& event) {
    if (event.buttons() & Qt::LeftButton && dragged(event)) m_parts->lockByZoom();
    m_parts->hover(event.position());
}

void MixturePlot::mouseLeft() {
    m_parts->leave();
}

void MixturePlot::clicked(const QPointF& position) {
    m_parts->click(position);
}

void MixturePlot::doubleClicked(const QPointF& position) {
    m_parts->click(position);  // takes back what its first click did
    setAxesLocked(false);
    invalidate();
}

}  // namespace bitloom::widgets
