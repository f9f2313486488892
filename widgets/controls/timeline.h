// Playback of a run: play, speed, a scrub bar with marks at epochs, evaluations and other events, and a
// switch that follows the newest step. Steps are training steps. Scrubbing snaps to recorded steps. GUI
// thread only.
#pragma once

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>
#include <cstdint>
#include <vector>

#include "engine/report/run.h"

class QComboBox;
class QLabel;
class QToolButton;

namespace bitloom::widgets {

class ScrubBar;

class Timeline : public QWidget {
    Q_OBJECT

  public:
    /// Recorded steps shown a second at speed 1x.
    static constexpr double kStepsPerSecond = 10;

    explicit Timeline(QWidget* parent = nullptr);

    /// The steps the bar spans; recorded steps may end earlier while training goes on.
    void setRange(qint64 first, qint64 last);

    /// Steps that have data, ascending. While following, the cursor moves to the newest of them without
    /// stepRequested. Without steps there is no cursor and no label.
    void setSteps(const std::vector<std::int64_t>& steps);

    /// For the epoch beside the step; 0 derives it from the epoch events.
    void setStepsPerEpoch(qint64 steps);
    void setEvents(const std::vector<report::RunEvent>& events);

    /// Moves the cursor; emits nothing.
    void setCurrentStep(qint64 step);
    [[nodiscard]] qint64 currentStep() const;

    /// Following keeps to the newest step, which comes without stepRequested; playing or scrubbing ends it.
    void setFollowing(bool following);
    [[nodiscard]] bool following() const { return m_following; }

    void setPlaying(bool playing);
    [[nodiscard]] bool playing() const { return m_clock.isActive(); }

    /// Playback speed, one of 0.25, 0.5, 1, 2, 4, 8, 16; the nearest is taken.
    void setSpeed(double speed);
    [[nodiscard]] double speed() const;

    [[nodiscard]] QSize sizeHint() const override { return {900, 46}; }

  Q_SIGNALS:
    /// The person (or playback) asks to see this step.
    void stepRequested(qint64 step);
    void followingChanged(bool following);

  protected:
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void assemble();
    void request(qint64 step);  ///< by hand: ends following
    void move(int recordedSteps);
    void advance();  ///< one beat of playback
    void updateLabel();
    void updateButtons();

    std::vector<std::int64_t> m_steps;
    qint64 m_stepsPerEpoch = 0;
    qint64 m_epochFromEvents = 0;  ///< used while m_stepsPerEpoch is 0
    bool m_following = false;
    QTimer m_clock;
    QElapsedTimer m_sinceBeat;
    double m_owedSteps = 0;  ///< recorded steps that playback has earned and not yet shown
    QToolButton* m_play;
    QToolButton* m_follow;
    QComboBox* m_speed;
    ScrubBar* m_bar;
    QLabel* m_label;
};

}  // namespace bitloom::widgets
