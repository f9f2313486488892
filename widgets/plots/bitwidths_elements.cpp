// See bitwidths_elements.h. Everything reads the current theme when it paints.
#include "widgets/plots/bitwidths_elements.h"

#include <algorithm>
#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr double kRowGap = 0.14;  // of a row's height, above and below what is drawn in it
constexpr int kBitsWidth = 26;
constexpr int kProbabilityWidth = 44;
constexpr int kGradientWidth = 76;
constexpr int kMarkWidth = 16;

QCPAxis& rowAxis(QCPAxisRect& rect) {
    return *rect.axis(QCPAxis::atLeft);
}

/// Where row `row` lies on the screen.
QRectF roomOf(QCPAxisRect& rect, int row) {
    const double top = rowAxis(rect).coordToPixel(row - 0.5);
    const double bottom = rowAxis(rect).coordToPixel(row + 0.5);
    return {static_cast<double>(rect.left()), top, static_cast<double>(rect.width()), bottom - top};
}

}  // namespace

std::int64_t BitwidthsState::newestStep() const {
    std::int64_t newest = 0;
    for (const report::BitwidthTrack& track : tracks) {
        if (!track.points.empty()) newest = std::max(newest, track.points.back().step);
    }
    return newest;
}

bool BitwidthsState::isLearned() const {
    return std::ranges::any_of(tracks, &report::BitwidthTrack::isLearned);
}

bool BitwidthsState::changes() const {
    return std::ranges::any_of(tracks, [](const report::BitwidthTrack& track) {
        return std::ranges::any_of(track.points, [&](const report::BitwidthPoint& point) {
            return point.bits != track.points.front().bits;
        });
    });
}

int BitwidthsState::selectedRow() const {
    const auto found = std::ranges::find(tracks, layer.toStdString(), &report::BitwidthTrack::layer);
    return found == tracks.end() ? -1 : static_cast<int>(found - tracks.begin());
}

QColor bitsColor(double bits) {
    constexpr double kMostBits = 8;
    if (!std::isfinite(bits) || bits > kMostBits) return colors().histogram;
    return sequentialColor((bits - 1) / (kMostBits - 1));
}

BitwidthRows::BitwidthRows(QCPAxisRect& rect, const BitwidthsState& state)
    : QCPLayerable(rect.parentPlot(), QStringLiteral("main")), m_rect(rect), m_state(state) {}

double BitwidthRows::xOf(std::int64_t step) const {
    return m_rect.axis(QCPAxis::atBottom)->coordToPixel(static_cast<double>(step));
}

void BitwidthRows::draw(QCPPainter* painter) {
    const QCPRange inView = rowAxis(m_rect).range();
    for (int row = 0; row < m_state.rows(); ++row) {
        if (row < inView.lower || row > inView.upper) continue;
        const QRectF room = roomOf(m_rect, row);
        if (row == m_state.selectedRow()) painter->fillRect(room, faded(colors().accent, 0.16));
        const double gap = kRowGap * room.height();
        const report::BitwidthTrack& track = m_state.tracks[static_cast<std::size_t>(row)];
        if (!track.points.empty()) drawRow(*painter, track, room.adjusted(0, gap, 0, -gap));
    }
}

void BitwidthRibbons::drawRow(QCPPainter& painter, const report::BitwidthTrack& track, const QRectF& room) {
    const std::vector<report::BitwidthPoint>& points = track.points;
    for (std::size_t first = 0; first < points.size();) {
        std::size_t last = first + 1;
        while (last < points.size() && points[last].bits == points[first].bits &&
               points[last].choice.isLearned() == points[first].choice.isLearned()) {
            ++last;
        }
        drawRun(painter, track, first, last, room);
        first = last;
    }
}

/// Points [first, last) have the same bits, up to the step where they change.
void BitwidthRibbons::drawRun(QCPPainter& painter, const report::BitwidthTrack& track, std::size_t first,
                              std::size_t last, const QRectF& room) const {
    const std::vector<report::BitwidthPoint>& points = track.points;
    const double left = xOf(points[first].step);
    // A run of one point, the newest, still needs to be seen.
    const double right = std::max(left + 1, xOf(points[std::min(last, points.size() - 1)].step));
    const double bits = points[first].bits;
    painter.fillRect(QRectF(left, room.top(), right - left, room.height()), bitsColor(bits));
    if (!points[first].choice.isLearned()) return;
    QPolygonF below;
    const auto add = [&](double x, const report::BitwidthPoint& point) {
        const double share = point.choice.open ? 1 - point.choice.probability : 0;
        below << QPointF(x, room.bottom() - share * room.height());
    };
    for (std::size_t i = first; i < last; ++i)
        add(xOf(points[i].step), points[i]);
    add(right, points[last - 1]);
    below << QPointF(right, room.bottom()) << QPointF(left, room.bottom());
    painter.setPen(Qt::NoPen);
    painter.setBrush(bitsColor(bits - 1));
    painter.drawPolygon(below);
}

void BitwidthGradients::draw(QCPPainter* painter) {
    BitwidthRows::draw(painter);
    if (state().isLearned()) return;
    painter->setPen(colors().mutedText);
    painter->drawText(clipRect(), Qt::AlignCenter | Qt::TextWordWrap,
                      state().changes() ? QStringLiteral("Not recorded") : QStringLiteral("Bits are fixed"));
}

void BitwidthGradients::drawRow(QCPPainter& painter, const report::BitwidthTrack& track, const QRectF& room) {
    if (!track.isLearned()) return;
    const double middle = room.center().y();
    const auto heightOf = [&](double gradient) {
        const double share = std::sqrt(std::abs(gradient) / m_halfRow);
        return std::copysign(0.5 * room.height() * std::min(share, 1.0), gradient);
    };
    painter.setPen(QPen(colors().grid, 1));
    painter.drawLine(QPointF(room.left(), middle), QPointF(room.right(), middle));
    painter.setPen(Qt::NoPen);
    for (const double sign : {1.0, -1.0}) {
        QPolygonF area;
        for (const report::BitwidthPoint& point : track.points) {
            const double gradient = point.choice.gradient;
            if (!std::isfinite(gradient) || m_halfRow <= 0) continue;
            const double height = gradient * sign > 0 ? heightOf(gradient) : 0;
            if (area.isEmpty()) area << QPointF(xOf(point.step), middle);
            area << QPointF(xOf(point.step), middle - height);
        }
        if (area.isEmpty()) continue;
        area << QPointF(area.back().x(), middle);
        painter.setBrush(sign > 0 ? colors().hard : colors().soft);
        painter.drawPolygon(area);
    }
}

BitwidthNumbers::BitwidthNumbers(QCPAxisRect& rows, const BitwidthsState& state)
    : QCPLayoutElement(rows.parentPlot()), m_rows(rows), m_state(state) {
    setLayer(QStringLiteral("axes"));
    setMargins({});
}

int BitwidthNumbers::width() const {
    return kMarkWidth + kBitsWidth + (m_state.isLearned() ? kProbabilityWidth + kGradientWidth : 0) + 10;
}

QSize BitwidthNumbers::minimumOuterSizeHint() const {
    return {width(), 10};
}

QSize BitwidthNumbers::maximumOuterSizeHint() const {
    return {width(), QWIDGETSIZE_MAX};
}

void BitwidthNumbers::drawCells(QCPPainter& painter, double top, double height, const QString& bits,
                                const QStringList& choice) const {
    double left = rect().left() + kMarkWidth;
    const auto cell = [&](const QString& text, int cellWidth) {
        painter.drawText(QRectF(left, top, cellWidth, height), Qt::AlignRight | Qt::AlignVCenter, text);
        left += cellWidth;
    };
    cell(bits, kBitsWidth);
    if (choice.isEmpty()) return;
    cell(choice[0], kProbabilityWidth);
    cell(choice[1], kGradientWidth);
}

void BitwidthNumbers::draw(QCPPainter* painter) {
    const ThemeColors& c = colors();
    QFont font = mParentPlot->font();
    font.setPointSizeF(font.pointSizeF() * 0.92);
    painter->setFont(font);
    painter->setPen(c.mutedText);
    const double line = QFontMetrics(font).height() + 4;
    const bool learned = m_state.isLearned();  // looks at every point
    drawCells(*painter, m_rows.top() - line, line, QStringLiteral("bits"),
              learned ? QStringList{QStringLiteral("β"), QStringLiteral("dL/dθ")} : QStringList());
    const QCPRange inView = rowAxis(m_rows).range();
    for (int row = 0; row < m_state.rows(); ++row) {
        if (row < inView.lower || row > inView.upper) continue;
        const report::BitwidthTrack& track = m_state.tracks[static_cast<std::size_t>(row)];
        const report::BitwidthPoint* point = track.at(m_state.shownStep());
        if (point == nullptr) continue;
        const QRectF room = roomOf(m_rows, row);
        painter->setPen(c.text);
        const report::BitChoice& choice = point->choice;
        QStringList numbers;
        if (learned) {
            numbers = {choice.isLearned() && choice.open ? formatFixed(choice.probability, 2) : noValueText(),
                       choice.isLearned() ? formatNumber(choice.gradient, 2) : noValueText()};
        }
        drawCells(*painter, room.top(), room.height(), formatBits(point->bits), numbers);
        if (m_state.stallOf(static_cast<std::size_t>(row)).reason == report::BitStall::None) continue;
        const QPointF middle(rect().left() + 8, room.center().y());
        painter->setPen(QPen(c.warning, 1.5));
        painter->setBrush(Qt::NoBrush);
        painter->drawPolygon(
            QPolygonF({middle + QPointF(0, -5), middle + QPointF(5, 4), middle + QPointF(-5, 4)}));
    }
}

}  // namespace bitloom::widgets
