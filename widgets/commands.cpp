// See commands.h.
#include "widgets/commands.h"

#include <QAction>
#include <QWidget>

namespace bitloom::widgets {

QAction* addCommand(QWidget& widget, const QString& name, const QString& text, const QString& tip,
                    const QKeySequence& key) {
    auto* action = new QAction(text, &widget);
    action->setObjectName(name);
    action->setShortcut(key);
    action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
    action->setStatusTip(tip);
    action->setToolTip(QStringLiteral("%1 (%2)").arg(tip, key.toString(QKeySequence::NativeText)));
    widget.addAction(action);
    return action;
}

}  // namespace bitloom::widgets
