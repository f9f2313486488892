// See job_bar.h.
#include "widgets/controls/job_bar.h"

#include <QAction>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QToolButton>
#include <algorithm>
#include <cmath>

#include "widgets/controls/elided_label.h"
#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

struct FigureText {
    const char* name;
    const char* title;
    const char* toolTip;
};

/// In the order of JobBar::Figure.
constexpr std::array<FigureText, 5> kFigures = {{
    {"top1Fp32", "FP32 top-1", "Accuracy on the test set before quantization"},
    {"top1Soft", "soft top-1", "Accuracy with the soft weights Φ(w) that training uses"},
    {"top1Hard", "hard top-1", "Accuracy with the hard weights Ψ(w) that are deployed"},
    {"bits", "bits", "Mean bits per weight over the quantized layers"},
    {"fileSize", "file", "Bytes on disk of the packed export"},
}};

QFrame* makeRule(QWidget* parent) {
    auto* rule = new QFrame(parent);
    rule->setProperty("role", QStringLiteral("vrule"));
    return rule;
}

QString stateText(JobBar::State state) {
    switch (state) {
        case JobBar::State::Idle:
            return JobBar::tr("No job");
        case JobBar::State::Running:
            return JobBar::tr("Running");
        case JobBar::State::Paused:
            return JobBar::tr("Paused");
        case JobBar::State::Stopping:
            return JobBar::tr("Stopping");
        case JobBar::State::Stopped:
            return JobBar::tr("Stopped");
        case JobBar::State::Finished:
            return JobBar::tr("Finished");
        case JobBar::State::Failed:
            return JobBar::tr("Failed");
    }
    return {};
}

QString percent(double value) {
    return std::isfinite(value) ? formatFixed(value, 2) + QStringLiteral(" %") : noValueText();
}

}  // namespace

JobBar::JobBar(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("jobBar"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 4, 8, 4);
    row->setSpacing(6);
    for (QToolButton*& button : m_buttons) {
        button = new QToolButton(this);
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        button->hide();
        row->addWidget(button);
    }
    row->addLayout(makeProgress(), 1);
    for (std::size_t i = 0; i < m_figures.size(); ++i) {
        row->addWidget(makeRule(this));
        row->addLayout(makeFigure(i));
    }
    setSummary({});
    showProgress();
}

QLayout* JobBar::makeProgress() {
    m_phase = new QLabel(this);
    m_phase->setObjectName(QStringLiteral("phase"));
    m_phase->setToolTip(tr("What the job is doing"));
    m_rate = new ElidedLabel(this);
    m_rate->setObjectName(QStringLiteral("rate"));
    m_rate->setToolTip(tr("Steps done, rate, and time left at this rate"));
    m_rate->setProperty("role", QStringLiteral("muted"));
    m_rate->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_bar = new QProgressBar(this);
    m_bar->setObjectName(QStringLiteral("progress"));
    m_bar->setToolTip(tr("Steps done of this phase"));
    m_bar->setTextVisible(false);
    m_bar->setFixedHeight(8);
    m_bar->setMinimumWidth(160);
    auto* labels = new QHBoxLayout;
    labels->addWidget(m_phase);
    labels->addWidget(m_rate, 1);
    auto* column = new QVBoxLayout;
    column->setContentsMargins(6, 0, 6, 0);
    column->setSpacing(3);
    column->addLayout(labels);
    column->addWidget(m_bar);
    return column;
}

QLayout* JobBar::makeFigure(std::size_t index) {
    const FigureText& text = kFigures[index];
    auto* value = new QLabel(this);
    value->setObjectName(QString::fromUtf8(text.name));
    value->setToolTip(QString::fromUtf8(text.toolTip));
    value->setProperty("role", QStringLiteral("figure"));
    value->setAlignment(Qt::AlignRight);
    value->setTextInteractionFlags(Qt::TextSelectableByMouse);
    // Room for the longest figure, so that nothing moves while figures arrive.
    value->setMinimumWidth(value->fontMetrics().horizontalAdvance(QStringLiteral("100.00 %")) + 10);
    auto* title = new QLabel(QString::fromUtf8(text.title), this);
    title->setProperty("role", QStringLiteral("caption"));
    title->setAlignment(Qt::AlignRight);
    auto* column = new QVBoxLayout;
    column->setSpacing(0);
    column->addWidget(title);
    column->addWidget(value);
    m_figures[index] = value;
    return column;
}

void JobBar::setActions(QAction* start, QAction* pause, QAction* stop) {
    QAction* actions[] = {start, pause, stop};
    for (std::size_t i = 0; i < m_buttons.size(); ++i) {
        m_buttons[i]->setVisible(actions[i] != nullptr);
        if (!actions[i]) continue;
        m_buttons[i]->setDefaultAction(actions[i]);
        m_buttons[i]->setObjectName(actions[i]->objectName());
    }
}

void JobBar::setProgress(const report::Progress& progress) {
    m_progress = progress;
    showProgress();
}

void JobBar::setState(State state) {
    m_state = state;
    showProgress();
}

void JobBar::showProgress() {
    const bool active = m_state == State::Running || m_state == State::Paused || m_state == State::Stopping;
    QString phase = stateText(m_state);
    if (m_state == State::Running && !m_progress.phase.empty()) {
        phase = QString::fromStdString(m_progress.phase);
        phase[0] = phase[0].toUpper();
    }
    m_phase->setText(phase);
    const std::int64_t total = m_progress.totalSteps;
    const std::int64_t step = m_progress.step;
    const bool busy = m_state == State::Running && total <= 0;
    // The bar counts per mille: steps may exceed an int.
    const std::int64_t share = total > 0 ? 1000 * std::min(step, total) / total : 0;
    m_bar->setRange(0, busy ? 0 : 1000);
    m_bar->setValue(static_cast<int>(m_state == State::Finished ? 1000 : m_state == State::Idle ? 0 : share));
    QStringList rate;
    if (total > 0 && m_state != State::Idle) rate += tr("%1 / %2").arg(formatCount(step), formatCount(total));
    if (active && m_progress.stepsPerSecond > 0) {
        rate += tr("%1 steps/s").arg(formatNumber(m_progress.stepsPerSecond, 3));
    }
    if (active && std::isfinite(m_progress.secondsLeft)) {
        rate += tr("%1 left").arg(formatDuration(m_progress.secondsLeft));
    }
    m_rate->setText(rate.join(QStringLiteral("  ·  ")));
}

void JobBar::setSummary(const report::RunSummary& summary) {
    m_figures[Top1Fp32]->setText(percent(summary.top1Fp32));
    m_figures[Top1Soft]->setText(percent(summary.top1Soft));
    m_figures[Top1Hard]->setText(percent(summary.top1Hard));
    m_figures[Bits]->setText(formatBits(summary.bits));
    m_figures[FileSize]->setText(summary.fileBytes > 0 ? formatBytes(summary.fileBytes) : noValueText());
    const QString hint = QString::fromUtf8(kFigures[FileSize].toolTip);
    m_figures[FileSize]->setToolTip(summary.fileBytes > 0 ? tr("%1: %2 bytes, %3 times smaller than FP32")
                                                                .arg(hint, formatCount(summary.fileBytes),
                                                                     formatFixed(summary.fileCompression, 2))
                                                          : hint);
}

}  // namespace bitloom::widgets
