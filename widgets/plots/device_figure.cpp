// Assembly, sizes and places of the device figure; what it shows is in device_figure_update.cpp.
#include "widgets/plots/device_figure.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "widgets/plots/device_families.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr std::size_t kNameLength = 20;  // longer names of layers lose their middle
constexpr int kLeastColumnAslant = 18;   // narrower columns take their names upright
constexpr int kLeastPeakHeight = 48;     // pixels
constexpr int kMostTicks = 6;
constexpr int kLeastWidthOfThree = 600;  // narrower figures leave temperatures to their header
constexpr int kHeightPerTick = 36;       // so that tick labels keep apart

}  // namespace

std::optional<int> DeviceState::indexOf(const std::string& layer) const {
    if (!result) return std::nullopt;
    const auto found = std::ranges::find(result->layers, layer, &report::LayerTiming::name);
    if (found == result->layers.end()) return std::nullopt;
    return static_cast<int>(found - result->layers.begin());
}

DeviceFigure::DeviceFigure(QWidget* parent, const DeviceState& state)
    : m_state(state), m_plot(makeFigure(parent)), m_conditions(*m_plot) {
    for (KeyStrip** strip : {&m_title, &m_verdict, &m_familyKeys, &m_clockKeys, &m_layerKeys, &m_peakKeys})
        *strip = new KeyStrip(m_plot);
    for (QCPAxisRect** rect : {&m_families, &m_clock, &m_layers, &m_peak})
        *rect = makeAxisRect(*m_plot);
    auto* top = new QCPLayoutGrid;
    top->setRowSpacing(0);
    QCPLayoutGrid* rows = m_plot->plotLayout();
    rows->addElement(0, 0, m_title);
    rows->addElement(1, 0, m_verdict);
    rows->addElement(2, 0, top);
    rows->addElement(3, 0, m_layerKeys);
    rows->addElement(4, 0, m_layers);
    rows->addElement(5, 0, m_peakKeys);
    rows->addElement(6, 0, m_peak);
    rows->setRowStretchFactor(4, 1.5);
    assembleTop(top);
    assembleLayers();
    QObject::connect(m_plot, &QCustomPlot::afterReplot, m_plot, [this] {
        m_drawn = true;
        fitAfterLayout();
    });
    restyle();
}

void DeviceFigure::assembleTop(QCPLayoutGrid* top) {
    top->addElement(0, 0, m_familyKeys);
    top->addElement(0, 1, m_clockKeys);
    top->addElement(1, 0, m_families);
    top->addElement(1, 1, m_clock);
    top->addElement(0, 2, m_conditions.keys());
    top->addElement(1, 2, m_conditions.rect());
    top->setColumnStretchFactor(0, 2);
    auto* margins = new QCPMarginGroup(m_plot);
    for (QCPAxisRect* rect : {m_families, m_clock, m_conditions.rect()})
        rect->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    m_familyBars = new FamilyBars(m_families);
    QCPAxis* families = m_families->axis(QCPAxis::atLeft);
    families->setRangeReversed(true);
    families->grid()->setVisible(false);
    families->setTickLengthOut(0);
    QCPAxis* sample = m_clock->axis(QCPAxis::atBottom);
    QCPAxis* slowdown = m_clock->axis(QCPAxis::atLeft);
    sample->setLabel(QStringLiteral("sample"));
    slowdown->setLabel(QStringLiteral("× first"));
    m_clockStart = m_plot->addGraph(sample, slowdown);
    m_clockTrace = m_plot->addGraph(sample, slowdown);
}

void DeviceFigure::assembleLayers() {
    auto* margins = new QCPMarginGroup(m_plot);
    for (QCPAxisRect* rect : {m_layers, m_peak}) {
        rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
        rect->setRangeZoom(Qt::Horizontal);
        rect->setRangeDrag(Qt::Horizontal);
        rect->axis(QCPAxis::atBottom)->grid()->setVisible(false);
        rect->axis(QCPAxis::atBottom)->setTickLengthOut(0);
    }
    m_plot->setInteractions(QCP::iRangeZoom | QCP::iRangeDrag);
    m_layers->axis(QCPAxis::atBottom)->setTickLabels(false);
    QCPAxis* share = m_peak->axis(QCPAxis::atLeft);
    share->setLabel(QStringLiteral("%"));
    m_peak->setMinimumSize(60, kLeastPeakHeight);
    m_columns[0] = new LayerColumns(m_layers);
    m_columns[1] = new LayerColumns(m_peak);
    m_layerBars = new LayerBars(m_layers);
    QCPAxis* layers = m_peak->axis(QCPAxis::atBottom);
    m_baselineMarks = m_plot->addGraph(layers, share);
    m_peakMarks = m_plot->addGraph(layers, share);
    for (QCPGraph* marks : {m_baselineMarks, m_peakMarks})
        marks->setLineStyle(QCPGraph::lsNone);
    const auto changed = qOverload<const QCPRange&>(&QCPAxis::rangeChanged);
    for (const QCPAxisRect* rect : {m_layers, m_peak}) {
        QObject::connect(rect->axis(QCPAxis::atBottom), changed, m_plot, [this, rect](const QCPRange& range) {
            for (const QCPAxisRect* other : {m_layers, m_peak}) {
                if (other != rect) other->axis(QCPAxis::atBottom)->setRange(range);
            }
            clampLayers();
            fit();
        });
    }
}

/// There is nothing to see beside the layers.
void DeviceFigure::clampLayers() {
    if (!m_state.result) return;
    const double count = std::max<double>(1, static_cast<double>(m_state.result->layers.size()));
    QCPAxis* axis = m_layers->axis(QCPAxis::atBottom);
    axis->setRange(axis->range().bounded(-0.5, count - 0.5));
}

void DeviceFigure::showAllLayers() {
    const auto count = m_state.result ? static_cast<double>(m_state.result->layers.size()) : 1.0;
    m_layers->axis(QCPAxis::atBottom)->setRange(-0.5, std::max(1.0, count) - 0.5);
}

bool DeviceFigure::fit() {
    if (!m_state.result) return false;
    const std::vector<report::LayerTiming>& layers = m_state.result->layers;
    QCPAxis* axis = m_peak->axis(QCPAxis::atBottom);
    const QFontMetrics metrics(axis->tickLabelFont());
    const double column = std::max(1.0, m_peak->width() / axis->range().size());
    Fit now;
    m_conditions.setShown(m_plot->viewport().width() >= kLeastWidthOfThree);
    now.conditions = m_conditions.isShown();
    now.familiesEnd = m_familyBars->fittingEnd(m_families->width());
    now.every = std::max(1, static_cast<int>(std::ceil(metrics.height() * 0.85 / column)));
    auto names = QSharedPointer<QCPAxisTickerText>::create();
    int widest = 0;
    for (std::size_t i = 0; i < layers.size(); i += static_cast<std::size_t>(now.every)) {
        const QString name = QString::fromStdString(shortened(layers[i].name, kNameLength));
        widest = std::max(widest, metrics.horizontalAdvance(name));
        names->addTick(static_cast<double>(i), name);
    }
    now.angle = widest + 6 < column ? 0 : column >= kLeastColumnAslant ? -60 : -90;
    for (const QCPAxisRect* rect : {m_clock, m_layers, m_peak}) {
        const int count = std::clamp(rect->height() / kHeightPerTick, rect == m_clock ? 3 : 2, kMostTicks);
        now.ticks += count;
        rect->axis(QCPAxis::atLeft)->ticker()->setTickCount(count);
    }
    now.ticks += m_conditions.fit(m_clock->axis(QCPAxis::atLeft)->ticker()->tickCount());
    m_families->axis(QCPAxis::atBottom)->setRange(0, now.familiesEnd);
    axis->setTicker(names);
    axis->setTickLabelRotation(now.angle);
    return now != std::exchange(m_fit, now);
}

/// Sizes are known once the layout is done; what depends on them is drawn a second time where it changed.
/// Twice at most: names that turn change the sizes in turn.
void DeviceFigure::fitAfterLayout() {
    constexpr int kMostRounds = 2;
    if (fit() && m_rounds++ < kMostRounds) {
        m_plot->replot(QCustomPlot::rpQueuedReplot);
    } else {
        m_rounds = 0;
    }
}

void DeviceFigure::showColumns(std::optional<int> pointed) {
    for (LayerColumns* columns : m_columns) {
        columns->setSelected(m_state.indexOf(m_state.selectedLayer));
        columns->setPointed(pointed);
    }
    // A figure that was never drawn draws them with everything else.
    if (m_drawn) m_plot->layer(QStringLiteral("overlay"))->replot();
}

void DeviceFigure::restyle() {
    const ThemeColors& c = colors();
    applyThemeTo(*m_plot);
    m_clockTrace->setPen(QPen(c.text, 1.2));
    m_clockStart->setPen(QPen(c.axis, 1, Qt::DashLine));
    m_conditions.restyle();
    m_families->axis(QCPAxis::atLeft)->setTickLabelColor(c.text);
}

DeviceFigure::Spot DeviceFigure::spotAt(const QPointF& position) const {
    Spot spot;
    if (!m_state.result) return spot;
    if (const auto row = m_familyBars->rowAt(position)) {
        spot.kind = Spot::Kind::Family;
        spot.family = m_familyBars->rows()[static_cast<std::size_t>(*row)].family;
        return spot;
    }
    const std::size_t samples = m_state.result->sentinelMs.size();
    if (m_clock->rect().contains(position.toPoint()) && samples > 0) {
        const double sample = m_clock->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
        spot.kind = Spot::Kind::Clock;
        spot.index =
            static_cast<int>(std::clamp(std::round(sample) - 1, 0.0, static_cast<double>(samples - 1)));
        return spot;
    }
    if (const auto reading = m_conditions.readingAt(position)) {
        spot.kind = Spot::Kind::Conditions;
        spot.index = *reading;
        return spot;
    }
    const QRect layers = m_layers->rect();
    const bool below = position.y() > layers.bottom();  // shares and names belong to the layer above them
    if (position.x() < layers.left() || position.x() > layers.right() || position.y() < layers.top() ||
        position.y() > m_peak->outerRect().bottom()) {
        return spot;
    }
    const double place = m_layers->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
    const auto bar = m_layerBars->groups().at(place);
    if (!bar) return spot;
    spot.kind = Spot::Kind::Layer;
    spot.index = bar->group;
    spot.family = below ? m_peakFamily : m_layerBars->series()[static_cast<std::size_t>(bar->bar)].family;
    return spot;
}

}  // namespace bitloom::widgets
