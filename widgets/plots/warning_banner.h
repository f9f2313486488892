// What a view warns of, above its figure: one sentence or more, which can be selected and copied. Hidden
// while there is nothing to warn of. Private to widgets/plots.
#pragma once

#include <QFrame>

class QLabel;

namespace bitloom::widgets {

class WarningBanner : public QFrame {
    Q_OBJECT

  public:
    /// `tip`: what helps.
    WarningBanner(QWidget* view, const QString& tip);

    /// Empty hides it.
    void setText(const QString& text);
    /// The icon in the colours of the current theme.
    void restyle();

  private:
    QLabel* m_icon;
    QLabel* m_text;
};

}  // namespace bitloom::widgets
