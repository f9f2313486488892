// See family_row.h.
#include "widgets/plots/family_row.h"

#include <QAction>
#include <QHBoxLayout>
#include <QResizeEvent>
#include <QSignalBlocker>
#include <algorithm>

#include "widgets/commands.h"
#include "widgets/plots/device_families.h"
#include "widgets/plots/device_series.h"

namespace bitloom::widgets {

FamilyRow::FamilyRow(QWidget* view)
    : QWidget(view), m_view(*view), m_switches(new QHBoxLayout), m_row(new QHBoxLayout(this)) {
    setObjectName(QStringLiteral("familyRow"));
    m_row->setContentsMargins(8, 4, 6, 0);
    m_row->setSpacing(4);
    m_switches->setSpacing(4);
    m_row->addLayout(m_switches);
    m_row->addStretch(1);
}

void FamilyRow::add(QToolButton* button) {
    m_others.push_back(button);
    m_row->addWidget(button);
}

void FamilyRow::setFamilies(const std::vector<std::string>& families) {
    if (families == m_families) return;
    for (QToolButton* button : m_buttons) {
        delete button->defaultAction();
        delete button;
    }
    m_buttons.clear();
    m_families = families;
    for (const std::string& family : families)
        m_buttons.push_back(makeSwitch(family, static_cast<int>(m_buttons.size()) + 1));
    restyle();
    fitTexts();
}

QToolButton* FamilyRow::makeSwitch(const std::string& family, int number) {
    const QString name = QString::fromStdString(family);
    const bool fixed = family == kFloatBaseline;
    QString tip = purposeOf(family);
    if (tip.isEmpty()) tip = tr("Show the times of %1").arg(name);
    if (fixed) tip += tr(". Always shown: a speed without its baseline says little");
    // There are nine digits; a tenth family goes without.
    const QKeySequence key = number <= 9 ? QKeySequence(Qt::Key_0 + number) : QKeySequence();
    QAction* action = addCommand(m_view, QStringLiteral("family_") + name, name, tip, key);
    action->setCheckable(true);
    action->setChecked(true);
    action->setEnabled(!fixed);
    connect(action, &QAction::toggled, this, [this, name](bool on) { Q_EMIT toggled(name, on); });
    auto* button = new QToolButton(this);
    button->setObjectName(action->objectName());
    button->setDefaultAction(action);
    m_switches->addWidget(button);
    return button;
}

void FamilyRow::showHidden(const std::set<std::string>& hidden) {
    for (std::size_t i = 0; i < m_families.size(); ++i) {
        QAction* action = m_buttons[i]->defaultAction();
        const QSignalBlocker quiet(this);
        action->setChecked(!hidden.contains(m_families[i]));
    }
}

void FamilyRow::restyle() {
    for (std::size_t i = 0; i < m_families.size(); ++i)
        m_buttons[i]->defaultAction()->setIcon(swatchOf(m_families[i]));
}

void FamilyRow::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitTexts();
}

/// Families keep their names longest: they are what the switches are about.
void FamilyRow::fitTexts() {
    const auto setStyle = [](const std::vector<QToolButton*>& buttons, Qt::ToolButtonStyle style) {
        for (QToolButton* button : buttons)
            button->setToolButtonStyle(style);
    };
    const auto fits = [this] {
        const QMargins margins = m_row->contentsMargins();
        int needed = margins.left() + margins.right();
        for (const auto* buttons : {&m_buttons, &m_others}) {
            for (const QToolButton* button : *buttons)
                needed += button->sizeHint().width() + m_row->spacing();
        }
        return needed <= width();
    };
    setStyle(m_buttons, Qt::ToolButtonTextBesideIcon);
    setStyle(m_others, Qt::ToolButtonTextBesideIcon);
    if (fits()) return;
    setStyle(m_others, Qt::ToolButtonIconOnly);
    if (fits()) return;
    setStyle(m_buttons, Qt::ToolButtonIconOnly);
}

}  // namespace bitloom::widgets
