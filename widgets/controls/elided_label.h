// A line of text that gives way: cut with an ellipsis where there is no room, so that it never widens its
// window. Draws one line of plain text.
#pragma once

#include <QLabel>

namespace bitloom::widgets {

class ElidedLabel : public QLabel {
    Q_OBJECT

  public:
    using QLabel::QLabel;

    [[nodiscard]] QSize minimumSizeHint() const override { return {0, QLabel::minimumSizeHint().height()}; }

  protected:
    void paintEvent(QPaintEvent* event) override;
};

}  // namespace bitloom::widgets
