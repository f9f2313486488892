// The painted slider of the timeline: a track over steps, what is recorded, marks at events, a handle.
// Private.
#pragma once

#include <QWidget>
#include <cstdint>
#include <vector>

#include "engine/report/run.h"

namespace bitloom::widgets {

/// Pixel of `step` on a track from `left` of `width` pixels; and back, rounded and clamped to the range.
[[nodiscard]] int pixelOfStep(qint64 step, qint64 first, qint64 last, int left, int width);
[[nodiscard]] qint64 stepOfPixel(int pixel, qint64 first, qint64 last, int left, int width);

class ScrubBar : public QWidget {
    Q_OBJECT

  public:
    explicit ScrubBar(QWidget* parent = nullptr);

    void setRange(qint64 first, qint64 last);
    [[nodiscard]] qint64 first() const { return m_first; }
    [[nodiscard]] qint64 last() const { return m_last; }

    /// Where the recorded part ends; nothing is recorded when it lies before `first`.
    void setRecordedEnd(qint64 step);
    void setEvents(std::vector<report::RunEvent> events);
    void setValue(qint64 step);
    [[nodiscard]] qint64 value() const { return m_value; }

    [[nodiscard]] QSize sizeHint() const override { return {300, 34}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {80, 34}; }

    /// What the tool tip says at a pixel: the step, and the events within a few pixels.
    [[nodiscard]] QString textAt(int pixel) const;

  Q_SIGNALS:
    /// The mouse asks for this step.
    void scrubbed(qint64 step);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    bool event(QEvent* event) override;

  private:
    void paintEvents(QPainter& painter, int middle) const;
    [[nodiscard]] int left() const;
    [[nodiscard]] int trackWidth() const;
    [[nodiscard]] int pixelOf(qint64 step) const;

    qint64 m_first = 0;
    qint64 m_last = 0;
    qint64 m_recordedEnd = -1;
    qint64 m_value = 0;
    std::vector<report::RunEvent> m_events;
};

}  // namespace bitloom::widgets
