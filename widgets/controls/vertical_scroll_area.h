// A scroll area that scrolls up and down only: it is always as wide as its content needs, also when the
// content changes.
#pragma once

#include <QScrollArea>

namespace bitloom::widgets {

class VerticalScrollArea : public QScrollArea {
    Q_OBJECT

  public:
    /// Takes `content` as its widget.
    explicit VerticalScrollArea(QWidget* content, QWidget* parent = nullptr);

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void followContent();
};

}  // namespace bitloom::widgets
