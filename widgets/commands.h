// The commands of a widget: QActions with a shortcut and an explanation, found by QWidget::actions(). GUI
// thread only.
#pragma once

#include <QKeySequence>
#include <QString>

class QAction;
class QWidget;

namespace bitloom::widgets {

/// Gives `widget` a command that its shortcut triggers while the focus is in the widget. The status tip is
/// `tip` alone, the tool tip names the shortcut, too.
QAction* addCommand(QWidget& widget, const QString& name, const QString& text, const QString& tip,
                    const QKeySequence& key);

}  // namespace bitloom::widgets
