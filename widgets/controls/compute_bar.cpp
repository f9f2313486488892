// See compute_bar.h.
#include "widgets/controls/compute_bar.h"

#include <QAction>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QSpinBox>
#include <QToolButton>
#include <cmath>

#include "widgets/controls/elided_label.h"
#include "widgets/format.h"

namespace bitloom::widgets {

ComputeBar::ComputeBar(const QString& name, const std::vector<Number>& numbers, QWidget* parent)
    : QWidget(parent),
      m_compute(new QToolButton(this)),
      m_cancel(new QToolButton(this)),
      m_bar(new QProgressBar(this)),
      m_text(new ElidedLabel(this)) {
    setObjectName(name);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 6, 6, 2);
    row->setSpacing(6);
    for (const Number& number : numbers)
        addNumber(number, row);
    for (QToolButton* button : {m_compute, m_cancel}) {
        button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        row->addWidget(button);
    }
    m_compute->setObjectName(name + QStringLiteral("Compute"));
    m_cancel->setObjectName(name + QStringLiteral("Cancel"));
    m_bar->setObjectName(name + QStringLiteral("Progress"));
    m_bar->setTextVisible(false);
    m_bar->setFixedSize(90, 8);
    m_bar->setToolTip(tr("How far this part of the work is"));
    m_text->setObjectName(name + QStringLiteral("Text"));
    m_text->setProperty("role", QStringLiteral("muted"));
    row->addWidget(m_bar);
    row->addWidget(m_text, 1);
    setBackgroundRole(QPalette::Base);
    setAutoFillBackground(true);
    setRunning(false);
}

void ComputeBar::addNumber(const Number& number, QHBoxLayout* row) {
    auto* box = new QSpinBox(this);
    box->setObjectName(number.name);
    box->setRange(number.least, number.most);
    box->setSingleStep(number.step);
    box->setValue(number.value);
    box->setToolTip(number.tip);
    auto* label = new QLabel(number.label, this);
    label->setBuddy(box);
    row->addWidget(label);
    row->addWidget(box);
    m_numbers.push_back(box);
}

void ComputeBar::setActions(QAction* compute, QAction* cancel) {
    m_compute->setDefaultAction(compute);
    m_cancel->setDefaultAction(cancel);
}

int ComputeBar::value(const QString& name) const {
    return findChild<QSpinBox*>(name)->value();
}

void ComputeBar::setRunning(bool running) {
    for (QSpinBox* box : m_numbers)
        box->setEnabled(!running);
    m_compute->setVisible(!running);
    m_cancel->setVisible(running);
    m_bar->setVisible(running);
    m_bar->setRange(0, 0);
    m_text->clear();
    m_text->setToolTip({});
}

void ComputeBar::setProgress(const report::Progress& progress) {
    QString text = QString::fromStdString(progress.phase);
    if (!text.isEmpty()) text[0] = text[0].toUpper();
    if (progress.totalSteps > 0)
        text += tr("  %1 / %2").arg(formatCount(progress.step), formatCount(progress.totalSteps));
    if (std::isfinite(progress.secondsLeft))
        text += tr(",  %1 left").arg(formatDuration(progress.secondsLeft));
    m_bar->setRange(0, static_cast<int>(progress.totalSteps));
    m_bar->setValue(static_cast<int>(progress.step));
    m_text->setText(text);
    m_text->setToolTip(text);
}

void ComputeBar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    const bool texts = width() >= kLeastWidthWithTexts;
    for (QToolButton* button : {m_compute, m_cancel})
        button->setToolButtonStyle(texts ? Qt::ToolButtonTextBesideIcon : Qt::ToolButtonIconOnly);
}

}  // namespace bitloom::widgets
