// The centre of the window: Mixture and Curves, as tabs or side by side. The views never move between
// parents, so their state and size survive the switch. GUI thread.
#pragma once

#include <QWidget>

class QLabel;
class QSplitter;
class QTabBar;

namespace bitloom::widgets {
class CurvesPlot;
class MixturePlot;
}  // namespace bitloom::widgets

namespace bitloom::app {

class ViewArea : public QWidget {
    Q_OBJECT

  public:
    enum View { Mixture, Curves, ViewCount };

    explicit ViewArea(QWidget* parent = nullptr);

    [[nodiscard]] widgets::MixturePlot& mixture() { return *m_mixture; }
    [[nodiscard]] widgets::CurvesPlot& curves() { return *m_curves; }

    /// The view that is shown, or that the person used last when both are.
    [[nodiscard]] View currentView() const;
    void setCurrentView(View view);
    [[nodiscard]] QWidget& currentWidget();

    [[nodiscard]] bool sideBySide() const { return m_sideBySide; }
    void setSideBySide(bool sideBySide);

    /// Share of the left view when side by side, per cent.
    [[nodiscard]] int split() const { return m_split; }
    void setSplit(int percent);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    QWidget* makePane(QWidget* view, const QString& title);
    void arrange();
    /// Marks the tab of the curves; an empty `alarm` takes the mark away.
    void showAlarm(const QString& alarm);

    bool m_sideBySide = false;
    int m_split = 50;
    widgets::MixturePlot* m_mixture;
    widgets::CurvesPlot* m_curves;
    QTabBar* m_tabs;
    QSplitter* m_splitter;
    QWidget* m_panes[ViewCount] = {};
    QLabel* m_titles[ViewCount] = {};
};

}  // namespace bitloom::app
