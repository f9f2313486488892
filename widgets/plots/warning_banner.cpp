// See warning_banner.h.
#include "widgets/plots/warning_banner.h"

#include <QHBoxLayout>
#include <QLabel>

#include "widgets/theme.h"

namespace bitloom::widgets {

WarningBanner::WarningBanner(QWidget* view, const QString& tip)
    : QFrame(view), m_icon(new QLabel(this)), m_text(new QLabel(this)) {
    setObjectName(QStringLiteral("alarm"));
    setProperty("role", QStringLiteral("warning"));
    setToolTip(tip);
    m_text->setObjectName(QStringLiteral("alarmText"));
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 6, 8, 6);
    row->addWidget(m_icon, 0, Qt::AlignTop);
    row->addWidget(m_text, 1);
    restyle();
    hide();
}

void WarningBanner::setText(const QString& text) {
    m_text->setText(text);
    setVisible(!text.isEmpty());
}

void WarningBanner::restyle() {
    m_icon->setPixmap(icon(QStringLiteral("warning"), &ThemeColors::warning).pixmap(16, 16));
}

}  // namespace bitloom::widgets
