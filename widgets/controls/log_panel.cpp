// See log_panel.h.
#include "widgets/controls/log_panel.h"

#include <QClipboard>
#include <QFontDatabase>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QToolButton>

#include "widgets/theme.h"

namespace bitloom::widgets {

LogPanel::LogPanel(QWidget* parent) : QWidget(parent) {
    const QFont fixed = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    m_text = new QPlainTextEdit(this);
    m_text->setObjectName(QStringLiteral("logText"));
    m_text->setToolTip(tr("What the job says, newest last"));
    m_text->setReadOnly(true);
    m_text->setFont(fixed);
    m_text->setMaximumBlockCount(kMaximumLines);
    m_text->setLineWrapMode(QPlainTextEdit::NoWrap);
    m_text->setUndoRedoEnabled(false);
    m_text->setPlaceholderText(tr("Messages of the job appear here."));

    m_commandRow = new QWidget(this);
    auto* label = new QLabel(tr("Repeat with"), m_commandRow);
    label->setProperty("role", QStringLiteral("muted"));
    m_command = new QLineEdit(m_commandRow);
    m_command->setObjectName(QStringLiteral("command"));
    m_command->setToolTip(tr("The command line that repeats this job"));
    m_command->setReadOnly(true);
    m_command->setFont(fixed);
    auto* copy = new QToolButton(m_commandRow);
    copy->setObjectName(QStringLiteral("copyCommand"));
    copy->setText(tr("Copy"));
    copy->setIcon(icon(QStringLiteral("copy")));
    copy->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    copy->setToolTip(tr("Copy the command"));
    auto* row = new QHBoxLayout(m_commandRow);
    row->setContentsMargins(6, 2, 2, 2);
    row->addWidget(label);
    row->addWidget(m_command, 1);
    row->addWidget(copy);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_text, 1);
    column->addWidget(m_commandRow);
    m_commandRow->hide();
    connect(copy, &QToolButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(m_command->text()); });
}

void LogPanel::appendLine(const QString& line) {
    m_text->appendPlainText(line);
}

void LogPanel::setCommand(const QString& command) {
    m_command->setText(command);
    m_command->setCursorPosition(0);
    m_commandRow->setVisible(!command.isEmpty());
}

QString LogPanel::text() const {
    return m_text->toPlainText();
}

}  // namespace bitloom::widgets
