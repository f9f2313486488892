// See landscape_figure.h.
#include "widgets/plots/landscape_figure.h"

#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr int kGradientStops = 17;
constexpr double kContourOpacity = 0.55;
constexpr double kMarkRadius = 5;

/// Cividis, as magnitudeColor has it; unknown points are transparent.
QCPColorGradient gradient() {
    QCPColorGradient colors;
    colors.clearColorStops();
    for (int i = 0; i < kGradientStops; ++i) {
        const double fraction = i / (kGradientStops - 1.0);
        colors.setColorStopAt(fraction, magnitudeColor(fraction));
    }
    colors.setNanHandling(QCPColorGradient::nhTransparent);
    return colors;
}

/// Where `value` stands on the scale, 0 to 1.
double fractionOf(double value, const std::pair<double, double>& range, bool logarithmic) {
    if (logarithmic) return std::log(value / range.first) / std::log(range.second / range.first);
    return (value - range.first) / (range.second - range.first);
}

}  // namespace

std::optional<std::size_t> LandscapeState::best(const report::LossSurface& surface) const {
    const std::vector<double>& all = values(surface);
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (std::isfinite(all[i]) && (!found || (top1 ? all[i] > all[*found] : all[i] < all[*found])))
            found = i;
    }
    return found;
}

LandscapeMarks::LandscapeMarks(QCPAxisRect* rect, const LandscapeState& state)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("legend")), m_rect(rect), m_state(state) {}

QPointF LandscapeMarks::pixelOf(const QPointF& place) const {
    return {m_rect->axis(QCPAxis::atBottom)->coordToPixel(place.x()),
            m_rect->axis(QCPAxis::atLeft)->coordToPixel(place.y())};
}

void LandscapeMarks::draw(QCPPainter* painter) {
    if (!m_state.result) return;
    painter->setBrush(Qt::NoBrush);
    for (const Contour& contour : m_contours) {
        painter->setPen(QPen(contour.color, 1));
        for (const QLineF& line : contour.lines)
            painter->drawLine(QLineF(pixelOf(line.p1()), pixelOf(line.p2())));
    }
    const QPointF middle = pixelOf({0, 0});
    const QPointF across(kMarkRadius + 1, 0);
    const QPointF up(0, kMarkRadius + 1);
    for (const auto& [color, width] :
         {std::pair(QColor(0, 0, 0), 4.0), std::pair(QColor(255, 255, 255), 2.0)}) {
        painter->setPen(QPen(color, width, Qt::SolidLine, Qt::FlatCap));
        painter->drawLine(QLineF(middle - across, middle + across));
        painter->drawLine(QLineF(middle - up, middle + up));
        if (m_best) painter->drawEllipse(pixelOf(*m_best), kMarkRadius + 2, kMarkRadius + 2);
    }
}

LandscapeProbe::LandscapeProbe(QCPAxisRect* rect, const LandscapeState& state)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("overlay")), m_rect(rect), m_state(state) {}

void LandscapeProbe::draw(QCPPainter* painter) {
    if (!m_state.result || !m_state.probe) return;
    const report::Landscape& result = *m_state.result;
    const double half = result.range / (result.size - 1);
    const double alpha = result.coordinate(m_state.probe->first);
    const double beta = result.coordinate(m_state.probe->second);
    const QCPAxis* across = m_rect->axis(QCPAxis::atBottom);
    const QCPAxis* up = m_rect->axis(QCPAxis::atLeft);
    const QRectF cell(QPointF(across->coordToPixel(alpha - half), up->coordToPixel(beta + half)),
                      QPointF(across->coordToPixel(alpha + half), up->coordToPixel(beta - half)));
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(QColor(0, 0, 0), 3));
    painter->drawRect(cell);
    painter->setPen(QPen(QColor(255, 255, 255), 1));
    painter->drawRect(cell);
}

LandscapeFigure::LandscapeFigure(QWidget* parent, const LandscapeState& state)
    : m_state(state), m_plot(makeFigure(parent)), m_title(new KeyStrip(m_plot)), m_grid(new QCPLayoutGrid) {
    QCPLayoutGrid* rows = m_plot->plotLayout();
    rows->addElement(0, 0, m_title);
    rows->addElement(1, 0, m_grid);
    m_grid->setRowSpacing(0);
    m_panels[0].surface = &report::Landscape::fullPrecision;
    m_panels[1].surface = &report::Landscape::quantized;
    for (int column = 0; column < 2; ++column)
        assemblePanel(m_panels[static_cast<std::size_t>(column)], column);
    assembleScale();
    QObject::connect(m_plot, &QCustomPlot::afterReplot, m_plot, [this] { m_drawn = true; });
    restyle();
}

void LandscapeFigure::assemblePanel(Panel& panel, int column) {
    panel.header = new KeyStrip(m_plot);
    panel.rect = makeAxisRect(*m_plot);
    m_grid->addElement(0, column, panel.header);
    m_grid->addElement(1, column, panel.rect);
    QCPAxis* across = panel.rect->axis(QCPAxis::atBottom);
    QCPAxis* up = panel.rect->axis(QCPAxis::atLeft);
    across->setLabel(QStringLiteral("α, filter norms along direction 1"));
    up->setLabel(column == 0 ? QStringLiteral("β, filter norms along direction 2") : QString());
    for (QCPAxis* axis : {across, up})
        axis->grid()->setVisible(false);
    panel.map = new QCPColorMap(across, up);
    panel.map->setTightBoundary(false);
    panel.marks = new LandscapeMarks(panel.rect, m_state);
    new LandscapeProbe(panel.rect, m_state);  // belongs to the figure
}

void LandscapeFigure::assembleScale() {
    m_scale = new QCPColorScale(m_plot);
    m_scale->setType(QCPAxis::atRight);
    m_scale->setBarWidth(14);
    m_grid->addElement(1, 2, m_scale);
    m_grid->setColumnStretchFactor(2, 0.01);
    auto* margins = new QCPMarginGroup(m_plot);
    m_scale->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
    for (const Panel& panel : m_panels) {
        panel.rect->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
        panel.map->setColorScale(m_scale);
    }
    m_scale->setRangeDrag(false);
    m_scale->setRangeZoom(false);
}

std::pair<double, double> LandscapeFigure::scaleRange() const {
    const double none = std::nan("");
    if (!m_state.result) return {none, none};
    std::vector<double> all = m_state.values(m_state.result->fullPrecision);
    const std::vector<double>& quantized = m_state.values(m_state.result->quantized);
    all.insert(all.end(), quantized.begin(), quantized.end());
    auto [least, greatest] = finiteRange(all);
    constexpr double kLeastLoss = 1e-6;  // a logarithm needs one
    if (m_state.logarithmic()) least = std::max(least, kLeastLoss);
    if (greatest <= least) greatest = least > 0 ? least * 1.01 : least + 1;
    return {least, greatest};
}

void LandscapeFigure::updateTitle() {
    const report::Landscape& result = *m_state.result;
    std::vector<KeyStrip::Key> keys = {
        {.text = QString::fromStdString(result.origin), .bold = true},
        {.text = QString::fromStdString(result.arch)},
        {.text = QStringLiteral("images"), .value = formatCount(result.images)},
        {.text = QStringLiteral("points"), .value = QStringLiteral("%1×%1").arg(result.size)},
        {.text = QStringLiteral("seed"), .value = QString::number(result.seed)},
        {.text = QStringLiteral("+ the weights")},
        {.text = m_state.top1 ? QStringLiteral("○ the best point") : QStringLiteral("○ the least loss")}};
    if (result.done < result.points()) {
        keys.insert(
            keys.begin() + 2,
            {.text =
                 QStringLiteral("%1 of %2 points, the rest filled in").arg(result.done).arg(result.points()),
             .color = colors().warning});
    }
    m_title->setKeys(std::move(keys));
}

std::vector<KeyStrip::Key> LandscapeFigure::headerOf(const Panel& panel) const {
    const report::Landscape& result = *m_state.result;
    const report::LossSurface& surface = result.*panel.surface;
    const bool full = panel.surface == &report::Landscape::fullPrecision;
    const auto shown = [this](double value) {
        return m_state.top1 ? QStringLiteral("%1 %").arg(formatFixed(value, 2)) : formatNumber(value, 4);
    };
    const std::vector<double>& values = m_state.values(surface);
    const QString deployed = result.quantizedAnew ? QStringLiteral("Quantized anew at each point")
                                                  : QStringLiteral("Deployed weights, moved");
    std::vector<KeyStrip::Key> keys = {
        {.text = full ? startName(result.pretrained) : deployed, .bold = true},
        {.text = QStringLiteral("at +"), .value = shown(values[result.centre()])}};
    if (const auto best = m_state.best(surface))
        keys.push_back({.text = QStringLiteral("at ○"), .value = shown(values[*best])});
    return keys;
}

void LandscapeFigure::updateScale(const std::vector<double>& levels) {
    const auto [least, greatest] = scaleRange();
    m_scale->setDataScaleType(m_state.logarithmic() ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    m_scale->setGradient(gradient());
    if (std::isfinite(least)) m_scale->setDataRange({least, greatest});
    auto ticks = QSharedPointer<QCPAxisTickerText>::create();
    for (const double level : levels)
        ticks->addTick(level, formatTick(level));
    m_scale->axis()->setTicker(ticks);
    m_scale->axis()->setSubTicks(false);
    m_scale->axis()->setLabel(m_state.top1 ? QStringLiteral("top-1, %")
                                           : QStringLiteral("cross-entropy, nats"));
}

void LandscapeFigure::updatePanel(Panel& panel, const std::vector<double>& levels) {
    const report::Landscape& result = *m_state.result;
    const report::LossSurface& surface = result.*panel.surface;
    const auto range = scaleRange();
    std::vector<double> values = withoutGaps(m_state.values(surface), result.size);
    QCPColorMapData* data = panel.map->data();
    data->setSize(result.size, result.size);
    data->setRange({-result.range, result.range}, {-result.range, result.range});
    for (int row = 0; row < result.size; ++row) {
        for (int column = 0; column < result.size; ++column) {
            double& value = values[result.at(row, column)];
            if (!std::isnan(value)) value = std::clamp(value, range.first, range.second);  // infinite: most
            data->setCell(column, row, value);
        }
    }
    // Squares say of a part how coarse it is.
    panel.map->setInterpolate(result.done == result.points());
    std::vector<LandscapeMarks::Contour> contours;
    const double step = result.size > 1 ? 2 * result.range / (result.size - 1) : 0;
    const auto place = [&](double column, double row) {
        return QPointF(column * step - result.range, row * step - result.range);
    };
    if (result.done == result.points()) {
        for (const double level : levels) {
            const QColor below = magnitudeColor(fractionOf(level, range, m_state.logarithmic()));
            LandscapeMarks::Contour contour{faded(readableOn(below), kContourOpacity), {}};
            for (const ContourSegment& segment : contourSegments(values, result.size, level)) {
                contour.lines.emplace_back(place(segment.column[0], segment.row[0]),
                                           place(segment.column[1], segment.row[1]));
            }
            contours.push_back(std::move(contour));
        }
    }
    panel.marks->setContours(std::move(contours));
    const auto best = m_state.best(surface);
    const auto size = static_cast<std::size_t>(result.size);
    const auto placeOf = [&](std::size_t index) {
        const std::size_t row = index / size;
        return place(static_cast<double>(index % size), static_cast<double>(row));
    };
    panel.marks->setBest(best ? std::optional(placeOf(*best)) : std::nullopt);
    panel.header->setKeys(headerOf(panel));
    const double edge = result.range + step / 2;  // whole cells
    panel.rect->axis(QCPAxis::atBottom)->setRange(-edge, edge);
    panel.rect->axis(QCPAxis::atLeft)->setRange(-edge, edge);
}

void LandscapeFigure::update() {
    if (!m_state.result) return;
    const auto [least, greatest] = scaleRange();
    const std::vector<double> levels = contourLevels(least, greatest, m_state.logarithmic());
    updateTitle();
    updateScale(levels);
    for (Panel& panel : m_panels)
        updatePanel(panel, levels);
}

void LandscapeFigure::showProbe() {
    // A figure that was never drawn draws them with everything else.
    if (m_drawn) m_plot->layer(QStringLiteral("overlay"))->replot();
}

void LandscapeFigure::restyle() {
    const ThemeColors& c = colors();
    applyThemeTo(*m_plot);
    QCPAxis* axis = m_scale->axis();
    const QCPAxis* like = m_panels[0].rect->axis(QCPAxis::atLeft);
    axis->setBasePen(QPen(c.axis, 1));
    axis->setTickPen(QPen(c.axis, 1));
    axis->setTickLabelColor(c.mutedText);
    axis->setLabelColor(c.text);
    axis->setTickLabelFont(like->tickLabelFont());
    axis->setLabelFont(like->labelFont());
}

std::optional<std::pair<int, int>> LandscapeFigure::pointAt(const QPointF& position) const {
    if (!m_state.result) return std::nullopt;
    const report::Landscape& result = *m_state.result;
    for (const Panel& panel : m_panels) {
        if (!panel.rect->rect().contains(position.toPoint())) continue;
        const auto placeOn = [&](QCPAxis::AxisType side, double pixel) {
            const double along = (panel.rect->axis(side)->pixelToCoord(pixel) / result.range + 1) / 2;
            return std::clamp(static_cast<int>(std::lround(along * (result.size - 1))), 0, result.size - 1);
        };
        return std::pair(placeOn(QCPAxis::atBottom, position.x()), placeOn(QCPAxis::atLeft, position.y()));
    }
    return std::nullopt;
}

}  // namespace bitloom::widgets
