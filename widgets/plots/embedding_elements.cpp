// See embedding_elements.h. Everything reads the current theme when it paints.
#include "widgets/plots/embedding_elements.h"

#include <algorithm>
#include <cmath>

#include "widgets/class_colors.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr double kReach = 8;          // pixels from the mouse to an image
constexpr double kMargin = 0.05;      // of the range, around all points
constexpr double kFaint = 0.10;       // opacity of what is not asked for
constexpr int kMostLines = 4;         // of the legend
constexpr int kLegendSwatch = 10;     // pixels
constexpr int kLegendSpacing = 14;    // between keys
constexpr double kManyPoints = 4000;  // more take smaller discs

double radiusFor(std::size_t points) {
    return static_cast<double>(points) > kManyPoints ? 1.6 : 2.4;
}

}  // namespace

EmbeddedPoints::EmbeddedPoints(QCPAxisRect* rect, const EmbeddingState& state,
                               report::EmbeddedNetwork report::Embedding::*network)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("main")),
      m_rect(rect),
      m_state(state),
      m_network(network) {
    QObject::connect(rect->axis(QCPAxis::atBottom), qOverload<const QCPRange&>(&QCPAxis::rangeChanged), rect,
                     [this] { m_all = m_all && m_fitting; });
}

const report::EmbeddedNetwork* EmbeddedPoints::network() const {
    if (!m_state.result) return nullptr;
    const report::EmbeddedNetwork& network = (*m_state.result).*m_network;
    return network.x.empty() ? nullptr : &network;
}

QPointF EmbeddedPoints::pixelOf(const report::EmbeddedNetwork& network, std::size_t image) const {
    return {m_rect->axis(QCPAxis::atBottom)->coordToPixel(network.x[image]),
            m_rect->axis(QCPAxis::atLeft)->coordToPixel(network.y[image])};
}

std::optional<std::size_t> EmbeddedPoints::imageAt(const QPointF& position) const {
    const report::EmbeddedNetwork* points = network();
    if (!points || !m_rect->rect().contains(position.toPoint())) return std::nullopt;
    std::optional<std::size_t> nearest;
    double least = kReach * kReach;
    for (std::size_t i = 0; i < points->x.size(); ++i) {
        const QPointF away = pixelOf(*points, i) - position;
        const double squared = QPointF::dotProduct(away, away);
        if (squared > least) continue;
        least = squared;
        nearest = i;
    }
    return nearest;
}

void EmbeddedPoints::fit() {
    const report::EmbeddedNetwork* points = network();
    const QSize size = m_rect->size();
    if (!points || size.width() < 2 || size.height() < 2) return;
    if (m_all) {
        const auto [left, right] = std::ranges::minmax(points->x);
        const auto [bottom, top] = std::ranges::minmax(points->y);
        const double unit = std::max({(double{right} - double{left}) / size.width(),
                                      (double{top} - double{bottom}) / size.height(), 1e-9});
        setRanges({(double{left} + double{right}) / 2, (double{bottom} + double{top}) / 2},
                  unit * (1 + 2 * kMargin));
    } else if (size != m_fitted) {
        const QCPRange across = m_rect->axis(QCPAxis::atBottom)->range();
        setRanges({across.center(), m_rect->axis(QCPAxis::atLeft)->range().center()},
                  across.size() / m_fitted.width());
    }
    m_fitted = size;
}

void EmbeddedPoints::setRanges(const QPointF& centre, double unit) {
    m_fitting = true;
    m_rect->axis(QCPAxis::atBottom)->setRange(centre.x(), unit * m_rect->width(), Qt::AlignCenter);
    m_rect->axis(QCPAxis::atLeft)->setRange(centre.y(), unit * m_rect->height(), Qt::AlignCenter);
    m_fitting = false;
}

void EmbeddedPoints::drawImages(QCPPainter* painter, const report::EmbeddedNetwork& network,
                                bool wrong) const {
    const report::Embedding& result = *m_state.result;
    const double radius = radiusFor(network.x.size());
    const QRectF area = QRectF(clipRect()).adjusted(-4, -4, 4, 4);
    const QPen ring(colors().text, 1.1);
    for (std::size_t i = 0; i < network.x.size(); ++i) {
        if ((network.predicted[i] != result.labels[i]) != wrong) continue;
        const QPointF place = pixelOf(network, i);
        if (!area.contains(place)) continue;
        const bool faint = (m_state.wrongOnly && !wrong) ||
                           (m_state.shown.has_value() && *m_state.shown != result.labels[i]);
        const QColor color = classColor(static_cast<std::size_t>(result.labels[i]));
        painter->setPen(wrong && !faint ? ring : QPen(Qt::NoPen));
        painter->setBrush(faded(color, faint ? kFaint : 0.85));
        const double r = wrong && !faint ? radius + 1 : radius;
        painter->drawEllipse(place, r, r);
    }
}

void EmbeddedPoints::draw(QCPPainter* painter) {
    const report::EmbeddedNetwork* points = network();
    if (!points) return;
    drawImages(painter, *points, false);
    drawImages(painter, *points, true);  // above, as there are few
}

EmbeddedReticle::EmbeddedReticle(QCPAxisRect* rect, const EmbeddingState& state,
                                 report::EmbeddedNetwork report::Embedding::*network)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("overlay")),
      m_rect(rect),
      m_state(state),
      m_network(network) {}

void EmbeddedReticle::draw(QCPPainter* painter) {
    if (!m_state.result || !m_state.image) return;
    const report::EmbeddedNetwork& points = (*m_state.result).*m_network;
    if (*m_state.image >= points.x.size()) return;
    const QPointF place(m_rect->axis(QCPAxis::atBottom)->coordToPixel(points.x[*m_state.image]),
                        m_rect->axis(QCPAxis::atLeft)->coordToPixel(points.y[*m_state.image]));
    painter->setBrush(Qt::NoBrush);
    constexpr double kRadius = 8;
    for (const auto& [color, width] : {std::pair(colors().panel, 4.0), std::pair(colors().accent, 2.0)}) {
        painter->setPen(QPen(color, width));
        painter->drawEllipse(place, kRadius, kRadius);
    }
}

ClassLegend::ClassLegend(QCustomPlot* figure, const EmbeddingState& state)
    : QCPLayoutElement(figure), m_state(state) {
    setLayer(QStringLiteral("axes"));
    setMargins({});
}

int ClassLegend::lineHeight() const {
    return QFontMetrics(mParentPlot->font()).height() + 3;
}

std::vector<ClassLegend::Key> ClassLegend::keys() const {
    std::vector<Key> keys;
    if (!m_state.result) return keys;
    const QFontMetrics metrics(mParentPlot->font());
    const int right = mParentPlot->viewport().width() - 12;
    QPoint corner(10, 2);
    const auto add = [&](const QString& text) {
        const int width = kLegendSwatch + 6 + metrics.horizontalAdvance(text);
        if (corner.x() > 10 && corner.x() + width > right) corner = {10, corner.y() + lineHeight()};
        keys.push_back({QRect(corner, QSize(width, lineHeight())), text});
        corner.rx() += width + kLegendSpacing;
    };
    for (const std::string& name : m_state.result->classNames)
        add(QString::fromStdString(name));
    add(QStringLiteral("wrong prediction"));
    return keys;
}

int ClassLegend::height() const {
    const std::vector<Key> all = keys();
    return all.empty() ? 0 : std::min(all.back().place.bottom() + 3, kMostLines * lineHeight() + 4);
}

QSize ClassLegend::minimumOuterSizeHint() const {
    return {40, height()};
}

QSize ClassLegend::maximumOuterSizeHint() const {
    return {QWIDGETSIZE_MAX, height()};
}

std::optional<std::int32_t> ClassLegend::classAt(const QPointF& position) const {
    const std::vector<Key> all = keys();
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        if (all[i].place.translated(rect().topLeft()).contains(position.toPoint()))
            return static_cast<std::int32_t>(i);
    }
    return std::nullopt;
}

void ClassLegend::draw(QCPPainter* painter) {
    painter->setAntialiasing(true);
    painter->setFont(mParentPlot->font());
    const std::vector<Key> all = keys();
    for (std::size_t i = 0; i < all.size(); ++i) {
        const QRect place = all[i].place.translated(rect().topLeft());
        if (place.bottom() > rect().bottom()) return;
        const bool ring = i + 1 == all.size();
        const bool faint = !ring && m_state.shown && *m_state.shown != static_cast<std::int32_t>(i);
        painter->setPen(ring ? QPen(colors().text, 1.1) : QPen(Qt::NoPen));
        painter->setBrush(ring ? QBrush(Qt::NoBrush) : QBrush(faded(classColor(i), faint ? 0.3 : 1)));
        painter->drawEllipse(QPointF(place.left() + kLegendSwatch / 2.0, place.center().y() + 1), 4, 4);
        painter->setPen(faint ? colors().disabledText : colors().text);
        painter->drawText(place.adjusted(kLegendSwatch + 4, 0, 4, 0), Qt::AlignLeft | Qt::AlignVCenter,
                          all[i].text);
    }
}

}  // namespace bitloom::widgets
