#include "widgets/controls/vertical_scroll_area.h"

#include <QEvent>
#include <QStyle>

namespace bitloom::widgets {

VerticalScrollArea::VerticalScrollArea(QWidget* content, QWidget* parent) : QScrollArea(parent) {
    setFrameShape(QFrame::NoFrame);
    setWidgetResizable(true);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setWidget(content);  // whose events the base class then filters
    followContent();
}

bool VerticalScrollArea::eventFilter(QObject* watched, QEvent* event) {
    const bool handled = QScrollArea::eventFilter(watched, event);
    if (watched == widget() && event->type() == QEvent::LayoutRequest) followContent();
    return handled;
}

void VerticalScrollArea::followContent() {
    setMinimumWidth(widget()->minimumSizeHint().width() + style()->pixelMetric(QStyle::PM_ScrollBarExtent));
}

}  // namespace bitloom::widgets
