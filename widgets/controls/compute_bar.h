// What a view is computed from, the button that computes it, and how far that is. The numbers are the view's
// own: images, perplexity, points of a grid.
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "engine/report/run.h"

class QAction;
class QHBoxLayout;
class QLabel;
class QProgressBar;
class QSpinBox;
class QToolButton;

namespace bitloom::widgets {

class ComputeBar : public QWidget {
    Q_OBJECT

  public:
    /// A bar less wide shows its buttons without texts.
    static constexpr int kLeastWidthWithTexts = 560;

    struct Number {
        QString name;   ///< the spin box's objectName
        QString label;  ///< with & before its key
        QString tip;
        int least = 1;
        int most = 1;
        int step = 1;
        int value = 1;
    };

    /// `name`: the bar's objectName; its parts are "<name>Compute", "<name>Cancel", "<name>Progress" and
    /// "<name>Text".
    ComputeBar(const QString& name, const std::vector<Number>& numbers, QWidget* parent = nullptr);

    /// The buttons show these actions; the bar neither owns nor enables them.
    void setActions(QAction* compute, QAction* cancel);

    /// Of the number of that name, which exists.
    [[nodiscard]] int value(const QString& name) const;

    /// While it computes, numbers cannot be changed and Cancel stands in place of Compute.
    void setRunning(bool running);
    void setProgress(const report::Progress& progress);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void addNumber(const Number& number, QHBoxLayout* row);

    std::vector<QSpinBox*> m_numbers;
    QToolButton* m_compute;
    QToolButton* m_cancel;
    QProgressBar* m_bar;
    QLabel* m_text;
};

}  // namespace bitloom::widgets
