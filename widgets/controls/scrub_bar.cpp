// See scrub_bar.h. Marks above the track are people's concerns (checkpoints, warnings, pauses), ticks below
// it are the rhythm of training (epochs long, evaluations short).
#include "widgets/controls/scrub_bar.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr int kMargin = 9;  // half the handle and a little
constexpr int kTrackHeight = 4;
constexpr int kHandle = 6;        // radius
constexpr int kNear = 5;          // pixels within which a tool tip names an event
constexpr int kLeastTickGap = 4;  // denser epoch ticks are thinned
constexpr int kMostNamed = 6;     // events in one tool tip

bool isTick(report::EventKind kind) {
    return kind == report::EventKind::Epoch || kind == report::EventKind::Evaluation;
}

QColor markColor(report::EventKind kind) {
    const ThemeColors& c = colors();
    switch (kind) {
        case report::EventKind::Warning:
            return c.warning;
        case report::EventKind::Checkpoint:
            return c.category(2);
        case report::EventKind::Finished:
            return c.success;
        default:
            return c.mutedText;
    }
}

}  // namespace

int pixelOfStep(qint64 step, qint64 first, qint64 last, int left, int width) {
    if (last <= first) return left;
    const double share = static_cast<double>(step - first) / static_cast<double>(last - first);
    return left + static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * width));
}

qint64 stepOfPixel(int pixel, qint64 first, qint64 last, int left, int width) {
    if (last <= first || width <= 0) return first;
    const double share = std::clamp(static_cast<double>(pixel - left) / width, 0.0, 1.0);
    return first + std::llround(share * static_cast<double>(last - first));
}

ScrubBar::ScrubBar(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("scrubBar"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Step"));
    setToolTip(tr("Drag to a step"));
}

void ScrubBar::setRange(qint64 first, qint64 last) {
    m_first = first;
    m_last = std::max(first, last);
    update();
}

void ScrubBar::setRecordedEnd(qint64 step) {
    if (step == m_recordedEnd) return;
    m_recordedEnd = step;
    update();
}

void ScrubBar::setEvents(std::vector<report::RunEvent> events) {
    m_events = std::move(events);
    update();
}

void ScrubBar::setValue(qint64 step) {
    if (step == m_value) return;
    m_value = step;
    update();
}

int ScrubBar::left() const {
    return kMargin;
}

int ScrubBar::trackWidth() const {
    return std::max(1, width() - 2 * kMargin);
}

int ScrubBar::pixelOf(qint64 step) const {
    return pixelOfStep(step, m_first, m_last, left(), trackWidth());
}

void ScrubBar::paintEvents(QPainter& painter, int middle) const {
    const ThemeColors& c = colors();
    int lastTick = -kLeastTickGap;
    for (const report::RunEvent& event : m_events) {
        if (event.step < m_first || event.step > m_last) continue;
        const int x = pixelOf(event.step);
        if (isTick(event.kind)) {
            const bool epoch = event.kind == report::EventKind::Epoch;
            if (epoch && x - lastTick < kLeastTickGap) continue;
            if (epoch) lastTick = x;
            const int top = middle + kTrackHeight / 2 + 3;
            painter.setPen(QPen(epoch ? c.axis : c.soft, 1));
            painter.drawLine(x, top, x, top + (epoch ? 6 : 3));
            continue;
        }
        const QColor color = markColor(event.kind);
        const int bottom = middle - kTrackHeight / 2 - 3;
        QPainterPath mark;
        mark.moveTo(x, bottom);
        mark.lineTo(x - 4, bottom - 7);
        mark.lineTo(x + 4, bottom - 7);
        mark.closeSubpath();
        painter.setRenderHint(QPainter::Antialiasing, true);
        painter.fillPath(mark, color);
        painter.setRenderHint(QPainter::Antialiasing, false);
    }
}

void ScrubBar::paintEvent(QPaintEvent*) {
    const ThemeColors& c = colors();
    QPainter painter(this);
    const int middle = height() / 2;
    const QRectF track(left(), middle - kTrackHeight / 2.0, trackWidth(), kTrackHeight);
    painter.setRenderHint(QPainter::Antialiasing, true);
    painter.setPen(Qt::NoPen);
    painter.setBrush(c.border);
    painter.drawRoundedRect(track, 2, 2);
    if (m_recordedEnd >= m_first && isEnabled()) {
        QRectF recorded = track;
        recorded.setRight(pixelOf(m_recordedEnd));
        painter.setBrush(faded(c.accent, 0.45));
        painter.drawRoundedRect(recorded, 2, 2);
    }
    painter.setRenderHint(QPainter::Antialiasing, false);
    paintEvents(painter, middle);
    if (m_recordedEnd < m_first) return;  // no step to stand on
    painter.setRenderHint(QPainter::Antialiasing, true);
    painter.setPen(QPen(c.window, 2));
    painter.setBrush(isEnabled() ? c.accent : c.disabledText);
    painter.drawEllipse(QPointF(pixelOf(m_value), middle), kHandle, kHandle);
}

QString ScrubBar::textAt(int pixel) const {
    const qint64 step = stepOfPixel(pixel, m_first, m_last, left(), trackWidth());
    QStringList lines = {tr("step %1").arg(formatCount(step))};
    for (const report::RunEvent& event : m_events) {
        if (std::abs(pixelOf(event.step) - pixel) > kNear) continue;
        if (lines.size() > kMostNamed) return (lines << tr("…")).join(QLatin1Char('\n'));
        lines += tr("%1: %2 – %3")
                     .arg(formatCount(event.step), QString::fromUtf8(report::toText(event.kind)),
                          QString::fromStdString(event.text));
    }
    return lines.join(QLatin1Char('\n'));
}

void ScrubBar::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || m_last <= m_first) return;
    Q_EMIT scrubbed(stepOfPixel(event->pos().x(), m_first, m_last, left(), trackWidth()));
}

void ScrubBar::mouseMoveEvent(QMouseEvent* event) {
    if (!(event->buttons() & Qt::LeftButton) || m_last <= m_first) return;
    Q_EMIT scrubbed(stepOfPixel(event->pos().x(), m_first, m_last, left(), trackWidth()));
}

bool ScrubBar::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip || m_last <= m_first) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    QToolTip::showText(help->globalPos(), textAt(help->pos().x()), this);
    return true;
}

}  // namespace bitloom::widgets
