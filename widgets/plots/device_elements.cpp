// See device_elements.h. Everything reads the current theme when it paints.
#include "widgets/plots/device_elements.h"

#include <algorithm>
#include <cmath>

#include "widgets/plots/device_families.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr double kThickestBar = 16;  // pixels
constexpr double kTextGap = 6;
constexpr int kLeastBarRoom = 60;  // below this much width texts lie on the bars
constexpr double kLeastWidthWithWhisker = 4;
constexpr double kLeastWidthWithCaps = 7;
constexpr double kLeastWidthWithGap = 6;

}  // namespace

FamilyBars::FamilyBars(QCPAxisRect* rect)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("main")), m_rect(rect) {}

double FamilyBars::fittingEnd(int width) const {
    const QFontMetrics metrics(mParentPlot->font());
    double largest = 0;
    for (const Row& row : m_rows)
        largest = std::fmax(largest, row.time.ms);
    double end = 0;
    for (const Row& row : m_rows) {
        if (!std::isfinite(row.time.ms)) continue;
        const double reach = std::fmin(std::fmax(row.time.ms, row.time.p90), timesEnd(largest, row.time.p90));
        const double room = width - metrics.horizontalAdvance(row.text) - 2 * kTextGap;
        end = std::max(end, reach * (room > kLeastBarRoom ? width / room : 1.05));
    }
    return end > 0 ? end : 1;
}

double FamilyBars::whiskerLimit(const Row& row) const {
    return m_rect->right() - QFontMetrics(mParentPlot->font()).horizontalAdvance(row.text) - kTextGap;
}

std::optional<int> FamilyBars::rowAt(const QPointF& position) const {
    if (!m_rect->rect().contains(position.toPoint())) return std::nullopt;
    const double row = std::round(places()->pixelToCoord(position.y()));
    if (row < 0 || row >= static_cast<double>(m_rows.size())) return std::nullopt;
    return static_cast<int>(row);
}

void FamilyBars::draw(QCPPainter* painter) {
    const double step = std::abs(places()->coordToPixel(1) - places()->coordToPixel(0));
    const double thickness = std::round(std::min(kThickestBar, 0.64 * step));
    const double zero = times()->coordToPixel(0);
    for (std::size_t i = 0; i < m_rows.size(); ++i) {
        const Row& row = m_rows[i];
        const double y = std::round(places()->coordToPixel(static_cast<double>(i)));
        if (!std::isfinite(row.time.ms)) {
            drawText(painter, row, y, zero, zero);
            continue;
        }
        const double end = std::round(times()->coordToPixel(row.time.ms));
        fillBar(*painter, QRectF(zero, y - std::floor(thickness / 2), std::max(1.0, end - zero), thickness),
                lookOf(row.family));
        double after = end;
        if (std::isfinite(row.time.p10) && std::isfinite(row.time.p90)) {
            const double from = times()->coordToPixel(row.time.p10);
            const double to = times()->coordToPixel(row.time.p90);
            const double limit = std::max(end, whiskerLimit(row));
            after = std::max(end, std::min(to, limit));
            painter->setPen(QPen(colors().text, 1));
            painter->drawLine(QLineF(from, y, std::min(to, after), y));
            painter->drawLine(QLineF(from, y - 3, from, y + 3));
            // An arrow where it goes on.
            const double side = to > after ? 3 : 0;
            painter->drawLine(QLineF(after - side, y - 3, after, side > 0 ? y : y + 3));
            if (side > 0) painter->drawLine(QLineF(after - side, y + 3, after, y));
        }
        drawText(painter, row, y, end, after);
    }
}

void FamilyBars::drawText(QCPPainter* painter, const Row& row, double y, double barEnd, double after) const {
    painter->setFont(mParentPlot->font());
    const QFontMetrics metrics(mParentPlot->font());
    const double width = metrics.horizontalAdvance(row.text);
    const double top = y - metrics.height() / 2.0;
    const FamilyLook look = lookOf(row.family);
    if (after + kTextGap + width <= m_rect->right() + 1) {
        painter->setPen(std::isfinite(row.time.ms) ? colors().text : colors().mutedText);
        painter->drawText(QRectF(after + kTextGap, top, width + 2, metrics.height()),
                          Qt::AlignLeft | Qt::AlignVCenter, row.text);
    } else {
        painter->setPen(look.outlined ? colors().text : readableOn(look.color));
        painter->drawText(QRectF(m_rect->left(), top, barEnd - m_rect->left() - kTextGap, metrics.height()),
                          Qt::AlignRight | Qt::AlignVCenter, row.text);
    }
}

LayerBars::LayerBars(QCPAxisRect* rect)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("main")), m_rect(rect) {}

void LayerBars::setSeries(std::vector<Series> series) {
    m_series = std::move(series);
    m_groups.bars = static_cast<int>(m_series.size());
    m_groups.groups = m_series.empty() ? 0 : static_cast<int>(m_series.front().bars.size());
}

std::optional<QRectF> LayerBars::barRect(int series, int layer) const {
    const TimeBar& bar = m_series[static_cast<std::size_t>(series)].bars[static_cast<std::size_t>(layer)];
    if (!(bar.ms > 0)) return std::nullopt;
    const double left = std::round(layers()->coordToPixel(m_groups.left(layer, series)));
    const double width = std::round(layers()->coordToPixel(m_groups.right(layer, series))) - left;
    const double floor = m_rect->bottom() + 1;
    // A time below a logarithmic axis keeps a foot of one pixel.
    const double top = std::clamp(std::round(times()->coordToPixel(bar.ms)), m_rect->top() - 1.0, floor - 1);
    return QRectF(left, top, std::max(1.0, width >= kLeastWidthWithGap ? width - 1 : width), floor - top);
}

void LayerBars::draw(QCPPainter* painter) {
    const QCPRange view = layers()->range();
    QColor whisker = colors().text;
    whisker.setAlphaF(0.75F);
    for (int layer = 0; layer < m_groups.groups; ++layer) {
        if (layer < view.lower - 0.5 || layer > view.upper + 0.5) continue;
        for (int s = 0; s < m_groups.bars; ++s) {
            const auto place = barRect(s, layer);
            if (!place) continue;
            const Series& series = m_series[static_cast<std::size_t>(s)];
            fillBar(*painter, *place, lookOf(series.family));
            const TimeBar& bar = series.bars[static_cast<std::size_t>(layer)];
            if (place->width() < kLeastWidthWithWhisker || !(bar.p10 > 0) || !(bar.p90 > 0)) continue;
            const double x = std::floor(place->center().x());
            const double low = times()->coordToPixel(bar.p10);
            const double high = times()->coordToPixel(bar.p90);
            painter->setPen(QPen(whisker, 1));
            painter->drawLine(QLineF(x, low, x, high));
            if (place->width() < kLeastWidthWithCaps) continue;
            for (const double y : {low, high})
                painter->drawLine(QLineF(x - 2, y, x + 2, y));
        }
    }
}

LayerColumns::LayerColumns(QCPAxisRect* rect)
    : QCPLayerable(rect->parentPlot(), QStringLiteral("overlay")), m_rect(rect) {}

void LayerColumns::draw(QCPPainter* painter) {
    const QCPAxis* layers = m_rect->axis(QCPAxis::atBottom);
    const auto tint = [&](std::optional<int> layer, const QColor& color) {
        if (!layer) return;
        const double left = layers->coordToPixel(*layer - 0.5);
        const double right = layers->coordToPixel(*layer + 0.5);
        painter->fillRect(QRectF(left, m_rect->top(), right - left, m_rect->height()), color);
    };
    if (m_pointed != m_selected) tint(m_pointed, faded(colors().text, 0.06));
    tint(m_selected, faded(colors().accent, 0.16));
}

}  // namespace bitloom::widgets
