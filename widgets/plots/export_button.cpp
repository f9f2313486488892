// See export_button.h.
#include "widgets/plots/export_button.h"

#include <QAction>
#include <QClipboard>
#include <QFileDialog>
#include <QGuiApplication>
#include <QMenu>

#include "widgets/commands.h"
#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

QString pickWithDialog(QWidget* parent, const QString& title, const QString& filter) {
    QString chosen;
    const QString path = QFileDialog::getSaveFileName(parent, title, {}, filter, &chosen);
    return path.isEmpty() ? path : withSuffix(path, filter, chosen);
}

}  // namespace

ExportButton::ExportButton(QWidget* view, Csv csv)
    : QToolButton(view), m_view(view), m_csv(std::move(csv)), m_pickFile(pickWithDialog) {
    setObjectName(QStringLiteral("export"));
    setText(tr("Export"));
    setIcon(widgets::icon(QStringLiteral("export")));
    setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    setToolTip(tr("Save this figure as a picture, or its values as a table"));
    setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(this);
    menu->setToolTipsVisible(true);
    const auto add = [view, menu](const char* name, const QString& text, const QString& tip,
                                  const QKeySequence& key) {
        QAction* action = addCommand(*view, QString::fromUtf8(name), text, tip, key);
        menu->addAction(action);
        return action;
    };
    connect(add("savePicture", tr("Save picture…"), tr("Save this figure as PNG, SVG or PDF"), Qt::Key_P),
            &QAction::triggered, this, &ExportButton::savePicture);
    connect(add("saveValues", tr("Save values…"), tr("Save the values of this figure as CSV"), Qt::Key_V),
            &QAction::triggered, this, &ExportButton::saveValues);
    connect(
        add("copyValues", tr("Copy values"), tr("Copy the values of this figure as CSV"), QKeySequence::Copy),
        &QAction::triggered, this,
        [this] { QGuiApplication::clipboard()->setText(QString::fromUtf8(m_csv())); });
    setMenu(menu);
}

void ExportButton::savePicture() {
    const QString path = m_pickFile(m_view, tr("Save picture"), tr("PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"));
    if (path.isEmpty()) return;
    QString error;
    if (!renderToFile(*m_view, path, &error)) Q_EMIT failed(error);
}

void ExportButton::saveValues() {
    const QString path = m_pickFile(m_view, tr("Save values"), tr("Comma-separated values (*.csv)"));
    if (path.isEmpty()) return;
    QString error;
    if (!writeToFile(path, m_csv(), &error)) Q_EMIT failed(error);
}

}  // namespace bitloom::widgets
