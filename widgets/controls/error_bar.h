// One error at a time, above the views: the first line of the message, the rest on demand, copyable.
#pragma once

#include <QFrame>
#include <QString>

class QLabel;
class QPlainTextEdit;
class QToolButton;

namespace bitloom::widgets {

class ErrorBar : public QFrame {
    Q_OBJECT

  public:
    explicit ErrorBar(QWidget* parent = nullptr);

    /// Shows the bar. The first line is the headline, further lines are details. An empty message clears.
    void showError(const QString& message);

    /// Hides the bar.
    void clear();

    [[nodiscard]] QString message() const { return m_message; }

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QString m_message;
    QLabel* m_icon;
    QLabel* m_headline;
    QPlainTextEdit* m_details;
    QToolButton* m_more;
};

}  // namespace bitloom::widgets
