// See elided_label.h.
#include "widgets/controls/elided_label.h"

#include <QPainter>
#include <QStyle>

namespace bitloom::widgets {

void ElidedLabel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QRect area = contentsRect();
    const QString shown = fontMetrics().elidedText(text(), Qt::ElideRight, area.width());
    style()->drawItemText(&painter, area, static_cast<int>(alignment()), palette(), isEnabled(), shown,
                          foregroundRole());
}

}  // namespace bitloom::widgets
