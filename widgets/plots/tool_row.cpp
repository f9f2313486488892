// See tool_row.h.
#include "widgets/plots/tool_row.h"

#include <QAction>
#include <QHBoxLayout>
#include <QResizeEvent>

#include "widgets/commands.h"
#include "widgets/controls/elided_label.h"
#include "widgets/theme.h"

namespace bitloom::widgets {

ToolRow::ToolRow(QWidget* view, const QString& readOutTip)
    : QWidget(view), m_view(*view), m_row(new QHBoxLayout(this)), m_readOut(new ElidedLabel(this)) {
    m_row->setContentsMargins(8, 4, 6, 4);
    m_row->setSpacing(4);
    m_readOut->setObjectName(QStringLiteral("readOut"));
    m_readOut->setProperty("role", QStringLiteral("muted"));
    m_readOut->setToolTip(readOutTip);
    m_row->addWidget(m_readOut, 1);
}

void ToolRow::setReadOut(const QString& text) {
    m_readOut->setText(text);
}

void ToolRow::add(QWidget* widget) {
    m_row->addWidget(widget);
}

void ToolRow::add(QToolButton* button) {
    m_buttons.push_back(button);
    m_row->addWidget(button);
}

QAction* ToolRow::addSwitch(const QString& name, const QString& text, const QString& tip,
                            const QKeySequence& key) {
    QAction* action = addCommand(m_view, name, text, tip, key);
    action->setIcon(icon(name));
    action->setCheckable(true);
    auto* button = new QToolButton(this);
    button->setObjectName(name);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setDefaultAction(action);
    add(button);
    return action;
}

void ToolRow::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const bool texts = event->size().width() >= kLeastWidthWithTexts;
    for (QToolButton* button : m_buttons)
        button->setToolButtonStyle(texts ? Qt::ToolButtonTextBesideIcon : Qt::ToolButtonIconOnly);
}

}  // namespace bitloom::widgets
