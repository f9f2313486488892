// The row above a figure: a read-out that gives way, then switches and buttons, which lose their texts where
// the row is narrow. Private to widgets/plots.
#pragma once

#include <QToolButton>
#include <QWidget>
#include <vector>

class QAction;
class QHBoxLayout;
class QKeySequence;
class QLabel;

namespace bitloom::widgets {

class ToolRow : public QWidget {
    Q_OBJECT

  public:
    /// A row less wide shows icons alone, so that the read-out keeps room for its figures.
    static constexpr int kLeastWidthWithTexts = 640;

    ToolRow(QWidget* view, const QString& readOutTip);

    void setReadOut(const QString& text);

    void add(QWidget* widget);
    void add(QToolButton* button);

    /// A checkable command of the view (see addCommand) with a button for it. `name` is the icon's name, too.
    QAction* addSwitch(const QString& name, const QString& text, const QString& tip, const QKeySequence& key);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    QWidget& m_view;
    QHBoxLayout* m_row;
    QLabel* m_readOut;
    std::vector<QToolButton*> m_buttons;
};

}  // namespace bitloom::widgets
