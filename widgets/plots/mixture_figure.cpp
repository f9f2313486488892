// See mixture_figure.h. Full-precision weights and densities are read on the left axis, quantized weights on
// the right: a centroid gathers hundreds of bins' worth of weights and would flatten everything else on one
// axis.
#include "widgets/plots/mixture_figure.h"

#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

/// Logarithmic count axes start below one weight, so that single weights can be seen.
constexpr double kLogFloor = 0.7;

/// Beyond this many the curves are a texture, and smoothing them would take most of a frame.
constexpr std::size_t kMostSmoothCurves = 64;

constexpr int kLeastWidthWithLegend = 560;  // pixels

double peak(const report::Histogram& histogram) {
    const auto largest = std::max_element(histogram.counts.begin(), histogram.counts.end());
    return largest == histogram.counts.end() ? 0 : *largest;
}

/// Outline of a histogram: each bin's left edge, and the right edge of the last.
void outline(const report::Histogram& histogram, Curve& curve) {
    curve.clear();
    const double width = histogram.binWidth();
    for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
        curve.x.push_back(histogram.low + static_cast<double>(bin) * width);
        curve.y.push_back(histogram.counts[bin]);
    }
    if (curve.x.empty()) return;
    curve.x.push_back(histogram.high);
    curve.y.push_back(curve.y.back());
}

}  // namespace

const report::Mixture* MixtureState::mixture() const {
    if (!snapshot || snapshot->mixtures.empty()) return nullptr;
    const auto last = static_cast<int>(snapshot->mixtures.size()) - 1;
    const report::Mixture& mixture =
        snapshot->mixtures[static_cast<std::size_t>(std::clamp(channel, 0, last))];
    return mixture.components.empty() ? nullptr : &mixture;
}

MixtureFigure::MixtureFigure(QWidget* parent) : m_plot(makeFigure(parent)) {
    m_title = new KeyStrip(m_plot);
    m_keys = new KeyStrip(m_plot);
    m_counts = makeAxisRect(*m_plot);
    m_map = makeAxisRect(*m_plot);
    m_legend = new ComponentLegend(m_plot);
    auto* body = new QCPLayoutGrid;
    auto* rects = new QCPLayoutGrid;
    m_plot->plotLayout()->addElement(0, 0, m_title);
    m_plot->plotLayout()->addElement(1, 0, m_keys);
    m_plot->plotLayout()->addElement(2, 0, body);
    body->addElement(0, 0, rects);
    body->addElement(0, 1, m_legend);
    rects->addElement(0, 0, m_counts);
    rects->addElement(1, 0, m_map);
    rects->setRowStretchFactor(0, 2.0);
    rects->setRowSpacing(0);
    auto* margins = new QCPMarginGroup(m_plot);
    m_counts->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    m_map->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    assembleCounts();
    assembleMap();
    assembleCursor();
    synchroniseWeights();
    restyle();
}

void MixtureFigure::assembleCounts() {
    QCPAxis* weight = m_counts->axis(QCPAxis::atBottom);
    QCPAxis* left = m_counts->axis(QCPAxis::atLeft);
    QCPAxis* right = m_counts->axis(QCPAxis::atRight);
    weight->setTickLabels(false);
    left->setLabel(QStringLiteral("weights per bin"));
    right->setLabel(QStringLiteral("quantized weights"));
    right->setVisible(true);
    right->setTickLabels(true);
    right->grid()->setVisible(false);
    m_histogram = m_plot->addGraph(weight, left);
    m_soft = m_plot->addGraph(weight, right);
    m_sum = m_plot->addGraph(weight, left);
    for (QCPGraph* steps : {m_histogram, m_soft}) {
        steps->setLineStyle(QCPGraph::lsStepLeft);
        steps->setAntialiased(false);
        steps->setAntialiasedFill(false);
    }
    m_marks = new CentroidMarks(weight, right);
    m_counts->setRangeDrag(Qt::Horizontal);
    m_counts->setRangeZoom(Qt::Horizontal);
}

void MixtureFigure::assembleMap() {
    QCPAxis* weight = m_map->axis(QCPAxis::atBottom);
    QCPAxis* value = m_map->axis(QCPAxis::atLeft);
    weight->setLabel(QStringLiteral("weight w"));
    value->setLabel(QStringLiteral("quantized w"));  // as short as the panel is low
    value->ticker()->setTickCount(4);
    m_identity = m_plot->addGraph(weight, value);
    m_hardMap = m_plot->addGraph(weight, value);
    m_softMap = m_plot->addGraph(weight, value);
    m_hardMap->setAntialiased(false);
    m_map->setSizeConstraintRect(QCPLayoutElement::scrOuterRect);
    m_map->setRangeDrag(Qt::Horizontal);
    m_map->setRangeZoom(Qt::Horizontal);
    m_plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
}

void MixtureFigure::assembleCursor() {
    for (QCPAxisRect* rect : {m_counts, m_map}) {
        auto* line = new QCPItemStraightLine(m_plot);
        line->setLayer(QStringLiteral("overlay"));
        line->setClipAxisRect(rect);
        line->setSelectable(false);
        for (QCPItemPosition* point : {line->point1, line->point2}) {
            point->setAxisRect(rect);
            point->setAxes(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
            point->setTypeX(QCPItemPosition::ptPlotCoords);
            point->setTypeY(QCPItemPosition::ptAxisRectRatio);
        }
        line->setVisible(false);
        m_cursor.push_back(line);
    }
}

/// The two weight axes show one range; setRange of an unchanged range emits nothing, which ends the exchange.
void MixtureFigure::synchroniseWeights() {
    QCPAxis* upper = m_counts->axis(QCPAxis::atBottom);
    QCPAxis* lower = m_map->axis(QCPAxis::atBottom);
    const auto changed = qOverload<const QCPRange&>(&QCPAxis::rangeChanged);
    QObject::connect(upper, changed, lower, [lower](const QCPRange& range) { lower->setRange(range); });
    QObject::connect(lower, changed, upper, [upper](const QCPRange& range) { upper->setRange(range); });
}

void MixtureFigure::update(const MixtureState& state) {
    const report::LayerSnapshot& snapshot = *state.snapshot;
    const report::Mixture* mixture = state.mixture();
    m_selected = state.selected;
    // One channel is drawn on the scale of the whole layer's histogram; the title says by how much.
    const double weights = total(snapshot.weights);
    const double own = mixture ? total(*mixture) : 0;
    const double scale = snapshot.mixtures.size() > 1 && own > 0 ? weights / own : 1;
    m_quantized = mixture != nullptr;
    m_fixedSet = mixture != nullptr && report::isFixedSet(*mixture);
    if (mixture) {
        makeMixtureCurves(*mixture, snapshot.weights, weights, m_curves);
    } else {
        m_curves = {};
    }
    updateHistograms(snapshot);
    updateComponents(state, scale);
    updateMap(state);
    showMap(!m_fixedSet);
    updateTitle(state, scale);
    updateKeys();
    m_legend->setMixture(mixture);
    m_legend->setSelected(state.selected);
    QCPAxis* left = m_counts->axis(QCPAxis::atLeft);
    QCPAxis* right = m_counts->axis(QCPAxis::atRight);
    if ((left->scaleType() == QCPAxis::stLogarithmic) != state.logCounts) {
        for (QCPAxis* axis : {left, right})
            setLogarithmic(*axis, state.logCounts);
        if (state.axesLocked) resetRanges(state);
    }
    if (!state.axesLocked) resetRanges(state);
}

void MixtureFigure::updateHistograms(const report::LayerSnapshot& snapshot) {
    outline(snapshot.weights, m_scratch);
    setGraphData(*m_histogram, m_scratch.x, m_scratch.y);
    m_histogramPeak = peak(snapshot.weights);
    m_soft->setVisible(m_quantized);
    m_counts->axis(QCPAxis::atRight)->setVisible(m_quantized);
    outline(snapshot.softWeights, m_scratch);
    setGraphData(*m_soft, m_scratch.x, m_scratch.y);
    m_quantizedPeak = peak(snapshot.softWeights);
    setGraphData(*m_sum, m_curves.sum.x, m_curves.sum.y);
}

void MixtureFigure::updateComponents(const MixtureState& state, double scale) {
    const report::Mixture* mixture = state.mixture();
    const std::size_t count = m_curves.components.size();
    while (m_components.size() < count) {
        m_components.push_back(
            m_plot->addGraph(m_counts->axis(QCPAxis::atBottom), m_counts->axis(QCPAxis::atLeft)));
    }
    for (std::size_t k = 0; k < m_components.size(); ++k) {
        m_components[k]->setVisible(k < count);
        if (k >= count) continue;
        m_components[k]->setAntialiased(count <= kMostSmoothCurves);
        setGraphData(*m_components[k], m_curves.components[k].x, m_curves.components[k].y);
    }
    std::vector<CentroidMarks::Mark> marks;
    for (std::size_t k = 0; mixture && k < mixture->components.size(); ++k) {
        const report::MixtureComponent& component = mixture->components[k];
        marks.push_back({component.mu, static_cast<double>(component.count) * scale});
        m_quantizedPeak = std::max(m_quantizedPeak, marks.back().count);
    }
    m_colors = mixture ? ComponentColors(*mixture) : ComponentColors();
    m_marks->setMarks(std::move(marks), m_colors);
    m_marks->setSelected(m_selected);
    styleComponents();
}

void MixtureFigure::updateMap(const MixtureState& state) {
    const auto range = weightRange(state.snapshot->weights);
    setGraphData(*m_identity, {range[0], range[1]}, {range[0], range[1]});
    setGraphData(*m_softMap, m_curves.soft.x, m_curves.soft.y);
    setGraphData(*m_hardMap, m_curves.hard.x, m_curves.hard.y);
}

/// No function of a weight leads to the values of a fixed set: then the counts take all of the height and the
/// weight axis.
void MixtureFigure::showMap(bool shown) {
    if (m_map->visible() == shown) return;
    m_map->setVisible(shown);
    // Hidden, it takes no height; its width stays that of the counts.
    m_map->setMinimumSize(m_map->minimumSize().width(), shown ? m_counts->minimumSize().height() : 0);
    m_map->setMaximumSize(QWIDGETSIZE_MAX, shown ? QWIDGETSIZE_MAX : 0);
    m_map->setAutoMargins(shown ? QCP::msAll : QCP::msLeft | QCP::msRight);
    if (!shown) m_map->setMargins({m_map->margins().left(), 0, m_map->margins().right(), 0});
    QCPAxis* weight = m_counts->axis(QCPAxis::atBottom);
    weight->setTickLabels(!shown);
    weight->setLabel(shown ? QString() : m_map->axis(QCPAxis::atBottom)->label());
}

void MixtureFigure::updateTitle(const MixtureState& state, double scale) {
    const report::LayerSnapshot& snapshot = *state.snapshot;
    std::vector<KeyStrip::Key> keys;
    keys.push_back({QString::fromStdString(snapshot.layer), {}, KeyStrip::Swatch::None, true});
    QString text = QStringLiteral("step %1  ·  ").arg(formatCount(snapshot.step));
    text += snapshot.mixtures.empty() ? QStringLiteral("full precision")
                                      : QStringLiteral("%1 bits").arg(formatBits(snapshot.bits));
    text += QStringLiteral("  ·  %1 weights")
                .arg(formatCount(static_cast<std::int64_t>(total(snapshot.weights))));
    if (snapshot.mixtures.size() > 1) {
        text += QStringLiteral("  ·  channel %1 of %2, counts ×%3")
                    .arg(state.channel)
                    .arg(snapshot.mixtures.size())
                    .arg(formatTick(scale));
    }
    keys.push_back({text});
    const auto outside = static_cast<std::int64_t>(snapshot.weights.below + snapshot.weights.above);
    if (outside > 0) {
        keys.push_back({QStringLiteral("%1 outside the range").arg(formatCount(outside)), colors().warning});
    }
    m_title->setKeys(std::move(keys));
}

void MixtureFigure::updateKeys() {
    using Swatch = KeyStrip::Swatch;
    const ThemeColors& c = colors();
    if (m_fixedSet) {
        m_keys->setKeys({{QStringLiteral("unrounded"), c.histogram, Swatch::Box},
                         {QStringLiteral("chosen"), c.soft, Swatch::Outline},
                         {QStringLiteral("values"), c.hard, Swatch::Stem}});
        return;
    }
    std::vector<KeyStrip::Key> keys = {{QStringLiteral("FP32 w"), c.histogram, Swatch::Box}};
    if (m_quantized) {
        keys.push_back({QStringLiteral("mixture"), c.text, Swatch::Line});
        keys.push_back({QStringLiteral("soft Φ(w)"), c.soft, Swatch::Outline});
        keys.push_back({QStringLiteral("hard Ψ(w)"), c.hard, Swatch::Stem});
    }
    if (m_quantized) keys.push_back({QStringLiteral("w unchanged"), colors().axis, Swatch::Dashes});
    m_keys->setKeys(std::move(keys));
}

void MixtureFigure::resetRanges(const MixtureState& state) {
    const auto weights = weightRange(state.snapshot->weights);
    m_counts->axis(QCPAxis::atBottom)->setRange(weights[0], weights[1]);
    const bool log = state.logCounts;
    const double bottom = log ? kLogFloor : 0;
    const double headroom = log ? 2.0 : 1.12;
    // A very narrow component may tower over every bin; then the bins decide.
    const double density = std::min(largestOf(m_curves.sum.y), 2 * m_histogramPeak);
    const double left = niceCeiling(std::max({m_histogramPeak, density, 1.0}) * 1.05);
    const double right = niceCeiling(std::max(m_quantizedPeak, 1.0) * headroom);
    m_counts->axis(QCPAxis::atLeft)->setRange(bottom, left);
    m_counts->axis(QCPAxis::atRight)->setRange(bottom, right);
    double low = weights[0];
    double high = weights[1];
    if (const report::Mixture* mixture = state.mixture()) {
        const auto byMu = [](const auto& a, const auto& b) { return a.mu < b.mu; };
        const auto [least, most] =
            std::minmax_element(mixture->components.begin(), mixture->components.end(), byMu);
        if (most->mu > least->mu) {
            low = least->mu;
            high = most->mu;
        }
    }
    const double margin = 0.08 * (high - low);
    m_map->axis(QCPAxis::atLeft)->setRange(low - margin, high + margin);
}

void MixtureFigure::fitLegend() {
    m_legend->setShown(m_plot->width() >= kLeastWidthWithLegend);
}

void MixtureFigure::restyle() {
    const ThemeColors& c = colors();
    applyThemeTo(*m_plot);
    m_histogram->setPen(QPen(c.histogram, 1));
    m_histogram->setBrush(faded(c.histogram, c.dark ? 0.75 : 0.55));
    m_soft->setPen(QPen(faded(c.soft, 0.9), 1));
    m_soft->setBrush(faded(c.soft, 0.14));
    m_sum->setPen(QPen(c.text, 1.4));
    m_identity->setPen(QPen(c.axis, 1, Qt::DashLine));
    m_softMap->setPen(QPen(c.soft, 1.6));
    m_hardMap->setPen(QPen(faded(c.hard, 0.7), 4, Qt::SolidLine, Qt::FlatCap, Qt::MiterJoin));
    for (QCPItemStraightLine* line : m_cursor)
        line->setPen(QPen(faded(c.text, 0.5), 1));
    styleComponents();
    updateKeys();
}

void MixtureFigure::styleComponents() {
    for (std::size_t k = 0; k < m_curves.components.size() && k < m_components.size(); ++k) {
        const bool selected = static_cast<int>(k) == m_selected;
        const QColor color = m_colors.of(k);
        m_components[k]->setPen(
            QPen(faded(color, m_selected < 0 || selected ? 1 : 0.35), selected ? 2.4 : 1));
        m_components[k]->setBrush(selected ? QBrush(faded(color, 0.3)) : QBrush(Qt::NoBrush));
    }
}

void MixtureFigure::setCursor(std::optional<double> weight) {
    if (!weight && !m_cursor.front()->visible()) return;
    for (QCPItemStraightLine* line : m_cursor) {
        line->setVisible(weight.has_value());
        if (!weight) continue;
        line->point1->setCoords(*weight, 0);
        line->point2->setCoords(*weight, 1);
    }
    m_plot->layer(QStringLiteral("overlay"))->replot();
}

}  // namespace bitloom::widgets
