// The view around BitwidthsFigure: alarm, read-out, mouse, keyboard.
#include "widgets/plots/bitwidths_plot.h"

#include <QAction>
#include <algorithm>
#include <cmath>
#include <utility>

#include "widgets/commands.h"
#include "widgets/plots/bitwidths_figure.h"
#include "widgets/plots/csv_field.h"
#include "widgets/plots/tool_row.h"
#include "widgets/plots/warning_banner.h"

namespace bitloom::widgets {
namespace {

constexpr int kNamedStalls = 3;  // the alarm names so many layers

}  // namespace

struct BitwidthsPlot::Parts {
    explicit Parts(BitwidthsPlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void addKey(const char* name, const QString& text, const QString& tip, const QKeySequence& key, int by);
    void scroll(int rows);
    void moveSelection(int by);
    void hover(const QPointF& position);
    void leave();
    void updateAlarm();
    [[nodiscard]] std::optional<std::int64_t> nearestStep(double step) const;
    [[nodiscard]] QString rowText(const report::BitwidthTrack& track, std::int64_t step) const;

    BitwidthsPlot& view;
    BitwidthsState state;  // before the figure, which reads it
    BitwidthsFigure figure;
    QString alarm;
    ToolRow* tools = nullptr;
    WarningBanner* banner = nullptr;
};

void BitwidthsPlot::Parts::assemble() {
    tools = new ToolRow(&view, tr("Bits of the layer under the mouse at that step"));
    tools->add(view.makeExportButton());
    addKey("next_layer", tr("Next layer"), tr("Choose the layer below"), Qt::Key_Down, 1);
    addKey("previous_layer", tr("Previous layer"), tr("Choose the layer above"), Qt::Key_Up, -1);
    banner = new WarningBanner(
        &view, tr("A bitwidth that never moves is a job that does not do what it says: check that the layer "
                  "is reached by the loss, and the weights of error and budget."));
    connect(&figure.plot(), &QCustomPlot::beforeReplot, &view, [this] { figure.fitRows(); });
    connect(&figure.plot(), &QCustomPlot::mouseWheel, &view,
            [this](QWheelEvent* event) { scroll(event->angleDelta().y() > 0 ? -3 : 3); });
    view.assemble(QStringLiteral("bitwidthsPlot"), figure.plot(), {tools},
                  tr("No bits recorded yet.\nOpen a run or start a job: every quantized layer gets a row."));
    view.addBanner(*banner);
    leave();
}

void BitwidthsPlot::Parts::addKey(const char* name, const QString& text, const QString& tip,
                                  const QKeySequence& key, int by) {
    QAction* action = addCommand(view, QString::fromLatin1(name), text, tip, key);
    connect(action, &QAction::triggered, &view, [this, by] { moveSelection(by); });
}

void BitwidthsPlot::Parts::scroll(int rows) {
    const int last = std::max(0, state.rows() - figure.rowsInView());
    const int first = std::clamp(state.firstRow + rows, 0, last);
    if (std::exchange(state.firstRow, first) != first) view.invalidate();
}

void BitwidthsPlot::Parts::moveSelection(int by) {
    if (state.rows() == 0) return;
    const int row = std::clamp(state.selectedRow() + by, 0, state.rows() - 1);
    const QString name = QString::fromStdString(state.tracks[static_cast<std::size_t>(row)].layer);
    view.selectLayer(name);
    Q_EMIT view.layerSelected(name);
}

std::optional<std::int64_t> BitwidthsPlot::Parts::nearestStep(double step) const {
    std::optional<std::int64_t> nearest;
    const auto distance = [step](std::int64_t candidate) {
        return std::abs(static_cast<double>(candidate) - step);
    };
    for (const report::BitwidthTrack& track : state.tracks) {
        for (const report::BitwidthPoint& point : track.points) {
            if (!nearest || distance(point.step) < distance(*nearest)) nearest = point.step;
        }
    }
    return nearest;
}

QString BitwidthsPlot::Parts::rowText(const report::BitwidthTrack& track, std::int64_t step) const {
    const report::BitwidthPoint* point = track.at(step);
    if (point == nullptr) return noValueText();
    const QString bits = formatBits(point->bits);
    if (!point->choice.isLearned()) return tr("%1 bits, fixed").arg(bits);
    if (!point->choice.open)
        return point->bits > 1 ? tr("%1 bits, settled").arg(bits) : tr("%1 bit, the least").arg(bits);
    return tr("%1 bits with probability %2, else %3   gradient %4")
        .arg(bits, formatFixed(point->choice.probability, 3), formatBits(point->bits - 1),
             formatNumber(point->choice.gradient));
}

void BitwidthsPlot::Parts::hover(const QPointF& position) {
    const auto step = figure.stepAt(position);
    const auto row = figure.rowAt(position);
    if (!step) return leave();
    const std::int64_t at = std::llround(*step);
    if (row) {
        const report::BitwidthTrack& track = state.tracks[static_cast<std::size_t>(*row)];
        tools->setReadOut(tr("step %1   %2   %3")
                              .arg(formatCount(at), QString::fromStdString(track.layer), rowText(track, at)));
        return;
    }
    const report::BitTotals totals = report::totalsAt(figure.totals(), at);
    if (!std::isfinite(totals.bits)) return leave();
    tools->setReadOut(
        tr("step %1   average %2 bits   weights %3   %4 bit operations an image, float activations")
            .arg(formatCount(at), formatFixed(totals.bits, 3), formatBytes(std::llround(totals.bytes)),
                 formatNumber(totals.bitOperations)));
}

void BitwidthsPlot::Parts::leave() {
    tools->setReadOut(tr("Point to a row to read it, click to choose its layer and the step"));
}

void BitwidthsPlot::Parts::updateAlarm() {
    QStringList named;
    int stalled = 0;
    for (std::size_t i = 0; i < state.tracks.size(); ++i) {
        const report::StalledBits stall = state.stallOf(i);
        if (stall.reason == report::BitStall::None || ++stalled > kNamedStalls) continue;
        named +=
            (stall.reason == report::BitStall::NoGradient ? tr("%1 (its gradient is exactly 0 since step %2)")
             : stall.reason == report::BitStall::NoChange
                 ? tr("%1 (its probability has hardly changed since step %2)")
                 : tr("%1 (its probability of staying has only risen since step %2)"))
                .arg(QString::fromStdString(state.tracks[i].layer), formatCount(stall.since));
    }
    if (stalled > kNamedStalls) named += tr("%1 more").arg(stalled - kNamedStalls);
    const QString text =
        stalled == 0 ? QString()
        : stalled == 1
            ? tr("One bitwidth does not move: %1.").arg(named.join(QString()))
            : tr("%1 bitwidths do not move: %2.").arg(stalled).arg(named.join(QStringLiteral(", ")));
    if (std::exchange(alarm, text) == text) return;
    banner->setText(text);
    Q_EMIT view.alarmChanged(text);
}

BitwidthsPlot::BitwidthsPlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

BitwidthsPlot::~BitwidthsPlot() = default;

void BitwidthsPlot::setNetwork(const report::NetworkInfo& network) {
    m_parts->state.network = network;
    m_parts->state.target.reset();
    m_parts->state.step.reset();
    m_parts->state.firstRow = 0;
    setTracks({});
}

void BitwidthsPlot::setTracks(const std::vector<report::BitwidthTrack>& tracks) {
    BitwidthsState& state = m_parts->state;
    state.tracks.clear();
    for (const report::LayerInfo& layer : state.network.layers) {
        const auto found = std::ranges::find(tracks, layer.name, &report::BitwidthTrack::layer);
        if (found != tracks.end() && !found->points.empty()) state.tracks.push_back(*found);
    }
    setFilled(!state.tracks.empty());
    m_parts->updateAlarm();
    invalidate();
}

void BitwidthsPlot::setTarget(std::optional<report::BitTarget> target) {
    m_parts->state.target = target;
    m_parts->updateAlarm();
    invalidate();
}

void BitwidthsPlot::setCurrentStep(std::int64_t step) {
    Parts& p = *m_parts;
    const auto wanted = step < 0 ? std::nullopt : std::optional(step);
    if (std::exchange(p.state.step, wanted) == wanted) return;
    p.updateAlarm();
    p.figure.updateCursor();
    if (isVisible()) p.figure.plot().replot(QCustomPlot::rpQueuedReplot);
}

void BitwidthsPlot::selectLayer(const QString& name) {
    Parts& p = *m_parts;
    if (std::exchange(p.state.layer, name) == name) return;
    const int row = p.state.selectedRow();
    if (row >= 0) {
        const int least = row - p.figure.rowsInView() + 1;
        p.state.firstRow = std::clamp(p.state.firstRow, std::max(0, least), std::max(0, row));
    }
    invalidate();
}

const QString& BitwidthsPlot::selectedLayer() const {
    return m_parts->state.layer;
}

const QString& BitwidthsPlot::alarm() const {
    return m_parts->alarm;
}

QByteArray BitwidthsPlot::csv() const {
    QByteArray text = "layer,step,bits,probability,gradient,open,bytes,bit_operations\n";
    for (const report::BitwidthTrack& track : m_parts->state.tracks) {
        for (const report::BitwidthPoint& point : track.points) {
            const report::BitChoice& choice = point.choice;
            text += csvField(track.layer) + ',' + QByteArray::number(static_cast<qlonglong>(point.step)) +
                    ',' + csvNumber(point.bits) + ',' + csvNumber(choice.probability) + ',' +
                    csvNumber(choice.gradient) + ',' +
                    (!choice.isLearned() ? ""
                     : choice.open       ? "true"
                                         : "false") +
                    ",,\n";
        }
    }
    const BitwidthsState& state = m_parts->state;
    for (const report::BitTotals& totals : report::bitTotals(state.network, state.tracks, false)) {
        text += "(all)," + QByteArray::number(static_cast<qlonglong>(totals.step)) + ',' +
                csvNumber(totals.bits) + ",,,," + csvNumber(totals.bytes) + ',' +
                csvNumber(totals.bitOperations) + '\n';
    }
    return text;
}

void BitwidthsPlot::updateFigure() {
    m_parts->figure.update();
}

void BitwidthsPlot::restyle() {
    m_parts->figure.restyle();
    m_parts->banner->restyle();
}

void BitwidthsPlot::mouseMoved(QMouseEvent& event) {
    m_parts->hover(event.position());
}

void BitwidthsPlot::mouseLeft() {
    m_parts->leave();
}

void BitwidthsPlot::clicked(const QPointF& position) {
    Parts& p = *m_parts;
    if (const auto row = p.figure.rowAt(position)) {
        const QString name = QString::fromStdString(p.state.tracks[static_cast<std::size_t>(*row)].layer);
        selectLayer(name);
        Q_EMIT layerSelected(name);
    }
    const auto at = p.figure.stepAt(position);
    const auto step = at ? p.nearestStep(*at) : std::nullopt;
    if (!step || step == p.state.step) return;
    setCurrentStep(*step);
    Q_EMIT stepSelected(*step);
}

}  // namespace bitloom::widgets
