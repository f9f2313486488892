// The job at a glance: start, pause and stop, progress with phase, rate and time left, and the headline
// figures.
#pragma once

#include <QString>
#include <QWidget>
#include <array>

#include "engine/report/run.h"

class QAction;
class QLabel;
class QLayout;
class QProgressBar;
class QToolButton;

namespace bitloom::widgets {

class JobBar : public QWidget {
    Q_OBJECT

  public:
    enum class State { Idle, Running, Paused, Stopping, Stopped, Finished, Failed };

    explicit JobBar(QWidget* parent = nullptr);

    /// The buttons show these actions; the bar does not own them and does not enable or disable them.
    void setActions(QAction* start, QAction* pause, QAction* stop);

    /// Unknown totals show a busy bar.
    void setProgress(const report::Progress& progress);
    void setState(State state);
    [[nodiscard]] State state() const { return m_state; }

    /// Headline figures; NaN and 0 bytes show as a dash.
    void setSummary(const report::RunSummary& summary);

    [[nodiscard]] QSize sizeHint() const override { return {900, 52}; }

  private:
    enum Figure { Top1Fp32, Top1Soft, Top1Hard, Bits, FileSize, FigureCount };

    QLayout* makeProgress();
    QLayout* makeFigure(std::size_t index);
    void showProgress();

    State m_state = State::Idle;
    report::Progress m_progress;
    std::array<QToolButton*, 3> m_buttons{};
    QLabel* m_phase = nullptr;
    QLabel* m_rate = nullptr;
    QProgressBar* m_bar = nullptr;
    std::array<QLabel*, FigureCount> m_figures{};
};

}  // namespace bitloom::widgets
