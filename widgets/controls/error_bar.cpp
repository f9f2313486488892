// See error_bar.h.
#include "widgets/controls/error_bar.h"

#include <QClipboard>
#include <QEvent>
#include <QFontDatabase>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QToolButton>

#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr int kDetailLines = 6;

QToolButton* makeButton(QWidget* parent, const QString& name, const QString& text, const QString& toolTip) {
    auto* button = new QToolButton(parent);
    button->setObjectName(name);
    button->setText(text);
    button->setToolTip(toolTip);
    return button;
}

}  // namespace

ErrorBar::ErrorBar(QWidget* parent) : QFrame(parent) {
    setObjectName(QStringLiteral("errorBar"));
    setProperty("role", QStringLiteral("error"));
    m_icon = new QLabel(this);
    m_headline = new QLabel(this);
    m_headline->setObjectName(QStringLiteral("headline"));
    m_headline->setWordWrap(true);
    m_headline->setTextFormat(Qt::PlainText);
    m_headline->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_details = new QPlainTextEdit(this);
    m_details->setObjectName(QStringLiteral("details"));
    m_details->setReadOnly(true);
    m_details->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_details->setFixedHeight(m_details->fontMetrics().lineSpacing() * kDetailLines + 12);
    m_more = makeButton(this, QStringLiteral("more"), tr("Details"), tr("Show the whole message"));
    m_more->setCheckable(true);
    auto* copy = makeButton(this, QStringLiteral("copy"), tr("Copy"), tr("Copy the whole message"));
    copy->setIcon(icon(QStringLiteral("copy")));
    copy->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    auto* close = makeButton(this, QStringLiteral("close"), {}, tr("Dismiss this error"));
    close->setIcon(icon(QStringLiteral("close")));
    close->setAccessibleName(tr("Dismiss"));

    auto* row = new QHBoxLayout;
    row->addWidget(m_icon);
    row->addWidget(m_headline, 1);
    row->addWidget(m_more);
    row->addWidget(copy);
    row->addWidget(close);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(10, 4, 6, 4);
    column->addLayout(row);
    column->addWidget(m_details);
    m_details->hide();
    hide();

    connect(m_more, &QToolButton::toggled, m_details, &QWidget::setVisible);
    connect(copy, &QToolButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_message); });
    connect(close, &QToolButton::clicked, this, &ErrorBar::clear);
}

void ErrorBar::showError(const QString& message) {
    m_message = message.trimmed();
    if (m_message.isEmpty()) return clear();
    const qsizetype end = m_message.indexOf(QLatin1Char('\n'));
    m_headline->setText(end < 0 ? m_message : m_message.left(end));
    m_details->setPlainText(end < 0 ? QString() : m_message.mid(end + 1));
    m_more->setChecked(false);
    m_more->setVisible(end >= 0);
    m_icon->setPixmap(icon(QStringLiteral("error"), &ThemeColors::error).pixmap(16, 16));
    show();
}

void ErrorBar::clear() {
    m_message.clear();
    m_headline->clear();
    m_details->clear();
    hide();
}

void ErrorBar::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && !m_message.isEmpty()) {
        m_icon->setPixmap(icon(QStringLiteral("error"), &ThemeColors::error).pixmap(16, 16));
    }
}

}  // namespace bitloom::widgets
