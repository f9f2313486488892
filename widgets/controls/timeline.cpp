// See timeline.h. Playback counts in recorded steps: each beat adds the time that passed times the speed, so
// that a slow view skips steps and keeps the pace.
#include "widgets/controls/timeline.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QToolButton>
#include <algorithm>
#include <array>
#include <cmath>

#include "widgets/controls/scrub_bar.h"
#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr std::array<double, 7> kSpeeds = {0.25, 0.5, 1, 2, 4, 8, 16};
constexpr int kBeatMs = 33;

/// Epochs are as long as the gap between the first two epoch events, or as the first one's step when there is
/// one.
qint64 stepsPerEpochOf(const std::vector<report::RunEvent>& events) {
    std::vector<std::int64_t> ends;
    for (const report::RunEvent& event : events) {
        if (event.kind == report::EventKind::Epoch) ends.push_back(event.step);
        if (ends.size() == 2) return std::max<qint64>(0, ends[1] - ends[0]);
    }
    return ends.empty() ? 0 : ends.front();
}

}  // namespace

Timeline::Timeline(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("timeline"));
    setFocusPolicy(Qt::StrongFocus);
    m_play = new QToolButton(this);
    m_follow = new QToolButton(this);
    m_speed = new QComboBox(this);
    m_bar = new ScrubBar(this);
    m_label = new QLabel(this);
    assemble();
    m_clock.setInterval(kBeatMs);
    connect(&m_clock, &QTimer::timeout, this, &Timeline::advance);
    connect(m_play, &QToolButton::clicked, this, [this] { setPlaying(!playing()); });
    connect(m_follow, &QToolButton::clicked, this, &Timeline::setFollowing);
    connect(m_bar, &ScrubBar::scrubbed, this, &Timeline::request);
    updateButtons();
    updateLabel();
}

void Timeline::assemble() {
    m_play->setObjectName(QStringLiteral("play"));
    m_play->setAutoRaise(true);
    m_follow->setObjectName(QStringLiteral("follow"));
    m_follow->setCheckable(true);
    m_follow->setText(tr("Live"));
    m_follow->setIcon(icon(QStringLiteral("live")));
    m_follow->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_follow->setToolTip(tr("Follow the newest step"));
    m_speed->setObjectName(QStringLiteral("speed"));
    m_speed->setToolTip(tr("Playback speed; 1× shows %1 recorded steps per second").arg(kStepsPerSecond));
    for (const double speed : kSpeeds)
        m_speed->addItem(QStringLiteral("%1×").arg(speed), speed);
    m_speed->setCurrentIndex(2);
    m_label->setObjectName(QStringLiteral("stepLabel"));
    m_label->setToolTip(tr("The step that is shown, and the last one"));
    m_label->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    // Room for a long run, so that the bar does not change its width while steps count up.
    m_label->setMinimumWidth(
        m_label->fontMetrics().horizontalAdvance(QStringLiteral("step 00 000 / 00 000  ·  epoch 00.00")));
    for (QWidget* child : {static_cast<QWidget*>(m_play), static_cast<QWidget*>(m_follow)}) {
        child->setFocusPolicy(Qt::TabFocus);
    }
    m_speed->setFocusPolicy(Qt::TabFocus);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 4, 8, 4);
    row->addWidget(m_play);
    row->addWidget(m_speed);
    row->addWidget(m_bar, 1);
    row->addWidget(m_label);
    row->addWidget(m_follow);
}

void Timeline::setRange(qint64 first, qint64 last) {
    m_bar->setRange(first, last);
    updateLabel();
}

void Timeline::setSteps(const std::vector<std::int64_t>& steps) {
    m_steps = steps;
    m_bar->setRecordedEnd(steps.empty() ? m_bar->first() - 1 : steps.back());
    if (steps.empty()) m_bar->setValue(m_bar->first());
    if (m_following && !steps.empty()) m_bar->setValue(steps.back());
    updateButtons();
    updateLabel();
}

void Timeline::setStepsPerEpoch(qint64 steps) {
    m_stepsPerEpoch = std::max<qint64>(0, steps);
    updateLabel();
}

void Timeline::setEvents(const std::vector<report::RunEvent>& events) {
    m_epochFromEvents = stepsPerEpochOf(events);
    m_bar->setEvents(events);
    updateLabel();
}

void Timeline::setCurrentStep(qint64 step) {
    m_bar->setValue(step);
    updateLabel();
}

qint64 Timeline::currentStep() const {
    return m_bar->value();
}

void Timeline::setFollowing(bool following) {
    if (following == m_following) return;
    m_following = following;
    if (following) setPlaying(false);
    if (following && !m_steps.empty()) m_bar->setValue(m_steps.back());
    m_follow->setChecked(following);
    updateLabel();
    Q_EMIT followingChanged(following);
}

void Timeline::setPlaying(bool on) {
    if (on == playing() || (on && m_steps.size() < 2)) return;
    if (on) {
        setFollowing(false);
        // Playing from the end starts over.
        if (currentStep() >= m_steps.back()) request(m_steps.front());
        m_owedSteps = 0;
        m_sinceBeat.start();
        m_clock.start();
    } else {
        m_clock.stop();
    }
    updateButtons();
}

void Timeline::setSpeed(double speed) {
    const auto nearer = [speed](double a, double b) { return std::abs(a - speed) < std::abs(b - speed); };
    const auto at = std::min_element(kSpeeds.begin(), kSpeeds.end(), nearer);
    m_speed->setCurrentIndex(static_cast<int>(at - kSpeeds.begin()));
}

double Timeline::speed() const {
    return m_speed->currentData().toDouble();
}

void Timeline::request(qint64 step) {
    if (m_steps.empty()) return;
    const auto after = std::lower_bound(m_steps.begin(), m_steps.end(), step);
    auto nearest = after == m_steps.end() ? after - 1 : after;
    if (nearest != m_steps.begin() && step - *(nearest - 1) < std::abs(*nearest - step)) --nearest;
    setFollowing(false);
    if (*nearest == currentStep()) return;
    m_bar->setValue(*nearest);
    updateLabel();
    Q_EMIT stepRequested(*nearest);
}

void Timeline::move(int recordedSteps) {
    if (m_steps.empty()) return;
    const auto at = std::lower_bound(m_steps.begin(), m_steps.end(), currentStep()) - m_steps.begin();
    const auto last = static_cast<std::ptrdiff_t>(m_steps.size()) - 1;
    request(m_steps[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(at + recordedSteps, 0, last))]);
}

void Timeline::advance() {
    m_owedSteps += static_cast<double>(m_sinceBeat.restart()) / 1000 * kStepsPerSecond * speed();
    const int whole = static_cast<int>(m_owedSteps);
    if (whole == 0) return;
    m_owedSteps -= whole;
    move(whole);
    if (currentStep() >= m_steps.back()) setPlaying(false);
}

void Timeline::updateLabel() {
    if (m_steps.empty()) {
        m_label->clear();
        return;
    }
    QString text = tr("step %1 / %2").arg(formatCount(m_bar->value()), formatCount(m_bar->last()));
    const qint64 epoch = m_stepsPerEpoch > 0 ? m_stepsPerEpoch : m_epochFromEvents;
    if (epoch > 0) {
        text += tr("  ·  epoch %1")
                    .arg(formatFixed(static_cast<double>(m_bar->value()) / static_cast<double>(epoch), 2));
    }
    m_label->setText(text);
}

void Timeline::updateButtons() {
    m_play->setIcon(icon(playing() ? QStringLiteral("pause") : QStringLiteral("play")));
    m_play->setToolTip(playing() ? tr("Pause (Space)") : tr("Play the recorded steps (Space)"));
    m_play->setEnabled(m_steps.size() > 1);
    m_bar->setEnabled(!m_steps.empty());
}

void Timeline::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
        case Qt::Key_Space:
            setPlaying(!playing());
            break;
        case Qt::Key_Left:
            move(-1);
            break;
        case Qt::Key_Right:
            move(1);
            break;
        case Qt::Key_Home:
            move(-static_cast<int>(m_steps.size()));
            break;
        case Qt::Key_End:
            move(static_cast<int>(m_steps.size()));
            break;
        default:
            QWidget::keyPressEvent(event);
            return;
    }
    event->accept();
}

}  // namespace bitloom::widgets
