// The log: what a job says, newest last, and the command that repeats the job.
#pragma once

#include <QString>
#include <QWidget>

class QLineEdit;
class QPlainTextEdit;
class QToolButton;

namespace bitloom::widgets {

class LogPanel : public QWidget {
    Q_OBJECT

  public:
    /// Older lines are forgotten.
    static constexpr int kMaximumLines = 10'000;

    explicit LogPanel(QWidget* parent = nullptr);

    /// Stays at the end unless the person has scrolled up.
    void appendLine(const QString& line);

    /// Empty hides the line.
    void setCommand(const QString& command);

    [[nodiscard]] QString text() const;
    [[nodiscard]] QSize sizeHint() const override { return {640, 160}; }

  private:
    QPlainTextEdit* m_text;
    QWidget* m_commandRow;
    QLineEdit* m_command;
};

}  // namespace bitloom::widgets
