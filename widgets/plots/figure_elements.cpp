// See figure_elements.h. Everything reads the current theme when it paints.
#include "widgets/plots/figure_elements.h"

#include <algorithm>
#include <array>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr int kSwatchWidth = 14;
constexpr int kGap = 5;  // between swatch, text and value
constexpr int kKeySpacing = 16;
constexpr int kIndent = 6;                 // of the first key
constexpr std::size_t kMostNumbered = 32;  // larger codebooks number the selected stem alone

void drawSwatch(QCPPainter* painter, KeyStrip::Swatch swatch, const QColor& color, const QRect& place) {
    const QPoint left(place.left(), place.center().y());
    const QPoint right(place.right(), place.center().y());
    const QRect box(place.left() + 1, place.center().y() - 4, place.width() - 3, 9);
    painter->setBrush(Qt::NoBrush);
    switch (swatch) {
        case KeyStrip::Swatch::None:
            break;
        case KeyStrip::Swatch::Box:
            painter->fillRect(box, color);
            break;
        case KeyStrip::Swatch::Outline:
            painter->fillRect(box, faded(color, 0.25));
            painter->setPen(QPen(color, 1));
            painter->drawRect(box);
            break;
        case KeyStrip::Swatch::Line:
            painter->setPen(QPen(color, 2));
            painter->drawLine(left, right);
            break;
        case KeyStrip::Swatch::Dashes:
            painter->setPen(QPen(color, 1.5, Qt::DashLine));
            painter->drawLine(left, right);
            break;
        case KeyStrip::Swatch::Stem:
            painter->setPen(QPen(color, 1.5));
            painter->drawLine(QPoint(place.center().x(), box.bottom()),
                              QPoint(place.center().x(), box.top() + 2));
            painter->setBrush(color);
            painter->drawEllipse(QPoint(place.center().x(), box.top() + 1), 2, 2);
            break;
    }
}

QFont boldFont(QFont font) {
    font.setWeight(QFont::DemiBold);
    return font;
}

}  // namespace

KeyStrip::KeyStrip(QCustomPlot* figure) : QCPLayoutElement(figure) {
    setLayer(QStringLiteral("axes"));
    setMargins({});
}

int KeyStrip::height() const {
    return QFontMetrics(mParentPlot->font()).height() + 6;
}

QSize KeyStrip::minimumOuterSizeHint() const {
    return {40, m_keys.empty() ? 0 : height()};
}

QSize KeyStrip::maximumOuterSizeHint() const {
    return {QWIDGETSIZE_MAX, minimumOuterSizeHint().height()};
}

void KeyStrip::draw(QCPPainter* painter) {
    const QFont plain = mParentPlot->font();
    int x = rect().left() + kIndent;
    for (const Key& key : m_keys) {
        const QFont font = key.bold ? boldFont(plain) : plain;
        const QFontMetrics metrics(font);
        const int swatch = key.swatch == Swatch::None ? 0 : kSwatchWidth + kGap;
        const int text = metrics.horizontalAdvance(key.text);
        const int value = key.value.isEmpty() ? 0 : kGap + metrics.horizontalAdvance(key.value);
        const int room = rect().right() - x - swatch - value;
        if (room < std::min(text, 60)) return;
        if (swatch > 0)
            drawSwatch(painter, key.swatch, key.color, {x, rect().top(), kSwatchWidth, rect().height()});
        x += swatch;
        painter->setFont(font);
        const bool tinted = swatch == 0 && key.color.isValid();
        const bool muted = !tinted && !key.bold;
        painter->setPen(tinted ? key.color : muted ? colors().mutedText : colors().text);
        const QString shown = text > room ? metrics.elidedText(key.text, Qt::ElideRight, room) : key.text;
        painter->drawText(QRect(x, rect().top(), room, rect().height()), Qt::AlignLeft | Qt::AlignVCenter,
                          shown);
        x += std::min(text, room);
        if (value > 0) {
            painter->setPen(colors().text);
            painter->drawText(QRect(x + kGap, rect().top(), value, rect().height()),
                              Qt::AlignLeft | Qt::AlignVCenter, key.value);
        }
        x += value + kKeySpacing;
    }
}

ComponentLegend::ComponentLegend(QCustomPlot* figure) : QCPLayoutElement(figure) {
    setLayer(QStringLiteral("axes"));
    setMargins({});
}

void ComponentLegend::setMixture(const report::Mixture* mixture) {
    m_mixture = mixture ? *mixture : report::Mixture{};
    m_colors = ComponentColors(m_mixture);
}

void ComponentLegend::setSelected(int component) {
    m_selected = component;
    if (component < 0) return;
    const int rows = visibleRows();
    if (component < m_first) m_first = component;
    if (rows > 0 && component >= m_first + rows) m_first = component - rows + 1;
}

void ComponentLegend::scroll(int rows) {
    m_first = std::max(0, firstRow() + rows);
}

int ComponentLegend::rowHeight() const {
    return QFontMetrics(mParentPlot->font()).height() + 2;
}

int ComponentLegend::width() const {
    const QFontMetrics metrics(mParentPlot->font());
    return metrics.horizontalAdvance(QStringLiteral("0000−0.00000.00000.0000")) + 3 * 12 + 32;
}

QSize ComponentLegend::minimumOuterSizeHint() const {
    return {m_shown ? width() : 0, 40};
}

QSize ComponentLegend::maximumOuterSizeHint() const {
    return {m_shown ? width() : 0, QWIDGETSIZE_MAX};
}

/// One row is the header, one the temperature; one more says how many rows are hidden.
int ComponentLegend::visibleRows() const {
    const int count = static_cast<int>(m_mixture.components.size());
    const int room = rect().height() / rowHeight() - 2;
    return room >= count ? count : std::max(0, room - 1);
}

int ComponentLegend::firstRow() const {
    const int count = static_cast<int>(m_mixture.components.size());
    return std::clamp(m_first, 0, std::max(0, count - visibleRows()));
}

std::optional<int> ComponentLegend::componentAt(const QPointF& position) const {
    if (!m_shown || !rect().contains(position.toPoint())) return std::nullopt;
    const int row = static_cast<int>(position.y() - rect().top()) / rowHeight() - 1;
    if (row < 0 || row >= visibleRows()) return std::nullopt;
    return firstRow() + row;
}

namespace {

/// Right edges of the four columns, from the right edge of the legend.
std::array<int, 4> columnEdges(const QRect& rect, const QFontMetrics& metrics) {
    const int number = metrics.horizontalAdvance(QStringLiteral("−0.0000")) + 8;
    const int right = rect.right() - 6;
    return {right - 3 * number, right - 2 * number, right - number, right};
}

void drawCell(QCPPainter* painter, int right, int top, int height, const QString& text) {
    painter->drawText(QRect(right - 220, top, 220, height), Qt::AlignRight | Qt::AlignVCenter, text);
}

}  // namespace

void ComponentLegend::drawHeader(QCPPainter* painter) const {
    const auto edges = columnEdges(rect(), QFontMetrics(mParentPlot->font()));
    const int height = rowHeight();
    painter->setPen(colors().mutedText);
    const std::array<QString, 4> titles = {QStringLiteral("k"), QStringLiteral("π"), QStringLiteral("μ"),
                                           QStringLiteral("σ")};
    for (std::size_t i = 0; i < titles.size(); ++i)
        drawCell(painter, edges[i], rect().top(), height, titles[i]);
    painter->setPen(QPen(colors().border, 1));
    const int line = rect().top() + height - 1;
    painter->drawLine(QPointF(rect().left() + 4, line), QPointF(rect().right() - 4, line));
}

void ComponentLegend::drawRow(QCPPainter* painter, int component, int top) const {
    const auto k = static_cast<std::size_t>(component);
    const report::MixtureComponent& c = m_mixture.components[k];
    const auto edges = columnEdges(rect(), QFontMetrics(mParentPlot->font()));
    const int height = rowHeight();
    const bool selected = component == m_selected;
    const QRect row(rect().left() + 4, top, rect().width() - 8, height);
    if (selected) painter->fillRect(row, faded(colors().accent, 0.22));
    painter->fillRect(QRect(row.left() + 3, top + height / 2 - 4, 9, 9), m_colors.of(k));
    painter->setPen(c.count == 0 && !selected ? colors().disabledText : colors().text);
    drawCell(painter, edges[0], top, height, QString::number(component));
    drawCell(painter, edges[1], top, height, formatFixed(c.pi, 4));
    drawCell(painter, edges[2], top, height, formatFixed(c.mu, 4));
    drawCell(painter, edges[3], top, height, c.sigma > 0 ? formatFixed(c.sigma, 4) : noValueText());
}

void ComponentLegend::draw(QCPPainter* painter) {
    if (!m_shown) return;
    painter->setFont(mParentPlot->font());
    const int height = rowHeight();
    const int count = static_cast<int>(m_mixture.components.size());
    if (count == 0) {
        painter->setPen(colors().mutedText);
        painter->drawText(rect().adjusted(12, 0, -8, 0), Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap,
                          QStringLiteral("Full precision:\nthis layer is not quantized."));
        return;
    }
    drawHeader(painter);
    const int first = firstRow();
    const int rows = visibleRows();
    for (int i = 0; i < rows; ++i)
        drawRow(painter, first + i, rect().top() + (i + 1) * height);
    QStringList notes;
    if (m_mixture.temperature > 0)
        notes += QStringLiteral("τ = %1").arg(formatNumber(m_mixture.temperature, 3));
    if (rows < count) notes += QStringLiteral("%1–%2 of %3").arg(first).arg(first + rows - 1).arg(count);
    painter->setPen(colors().mutedText);
    drawCell(painter, rect().right() - 6, rect().top() + (rows + 1) * height + 2, height,
             notes.join(QStringLiteral("  ·  ")));
}

CentroidMarks::CentroidMarks(QCPAxis* key, QCPAxis* value)
    : QCPLayerable(key->parentPlot(), QStringLiteral("legend")), m_key(key), m_value(value) {}

QRect CentroidMarks::clipRect() const {
    return m_key->axisRect()->rect();
}

void CentroidMarks::applyDefaultAntialiasingHint(QCPPainter* painter) const {
    painter->setAntialiasing(true);
}

void CentroidMarks::draw(QCPPainter* painter) {
    const QRect area = clipRect();
    QFont font = mParentPlot->font();
    font.setPointSizeF(font.pointSizeF() * 0.85);
    painter->setFont(font);
    const QFontMetrics metrics(font);
    QRect occupied;
    for (std::size_t k = 0; k < m_marks.size(); ++k) {
        const Mark& mark = m_marks[k];
        if (!(mark.count > 0) || !m_key->range().contains(mark.centroid)) continue;
        const bool selected = static_cast<int>(k) == m_selected;
        const double opacity = m_selected < 0 || selected ? 1 : 0.4;
        const QColor color = faded(m_colors.of(k), opacity);
        const double x = m_key->coordToPixel(mark.centroid);
        const double y = std::max<double>(m_value->coordToPixel(mark.count), area.top() + 3);
        painter->setPen(QPen(color, selected ? 3 : 2, Qt::SolidLine, Qt::FlatCap));
        painter->drawLine(QLineF(x, area.bottom(), x, y));
        painter->setPen(QPen(colors().panel, 1));
        painter->setBrush(color);
        painter->drawEllipse(QPointF(x, y), selected ? 5 : 4, selected ? 5 : 4);
        if (m_marks.size() > kMostNumbered && !selected) continue;
        const QString number = QString::number(k);
        const int width = metrics.horizontalAdvance(number) + 2;
        const QRect place(static_cast<int>(x) - width / 2, static_cast<int>(y) - metrics.height() - 4, width,
                          metrics.height());
        if (place.top() < area.top() || (occupied.isValid() && place.intersects(occupied))) continue;
        painter->fillRect(place, faded(colors().panel, 0.7));
        painter->setPen(faded(colors().text, opacity));
        painter->drawText(place, Qt::AlignCenter, number);
        occupied = place;
    }
}

}  // namespace bitloom::widgets
