// See export_button.h.
#include "widgets/plots/export_button.h"

#include <QClipboard>
#include <QFileDialog>
#include <QGuiApplication>
#include <QMenu>
#include <QSaveFile>

#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

QString pickWithDialog(QWidget* parent, const QString& title, const QString& filter) {
    return QFileDialog::getSaveFileName(parent, title, {}, filter);
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
    QAction* picture = menu->addAction(tr("Save picture…"), this, &ExportButton::savePicture);
    picture->setObjectName(QStringLiteral("savePicture"));
    QAction* values = menu->addAction(tr("Save values as CSV…"), this, &ExportButton::saveValues);
    values->setObjectName(QStringLiteral("saveValues"));
    QAction* copy = menu->addAction(tr("Copy values"), this, [this] {
        QGuiApplication::clipboard()->setText(QString::fromUtf8(m_csv()));
    });
    copy->setObjectName(QStringLiteral("copyValues"));
    setMenu(menu);
}

void ExportButton::savePicture() {
    const QString path = m_pickFile(m_view, tr("Save picture"), tr("Pictures (*.png *.svg *.pdf)"));
    if (path.isEmpty()) return;
    QString error;
    if (!renderToFile(*m_view, path, &error)) Q_EMIT failed(error);
}

void ExportButton::saveValues() {
    const QString path = m_pickFile(m_view, tr("Save values"), tr("Comma-separated values (*.csv)"));
    if (path.isEmpty()) return;
    QSaveFile file(path);
    const QByteArray values = m_csv();
    const bool written =
        file.open(QIODevice::WriteOnly) && file.write(values) == values.size() && file.commit();
    if (!written)
        Q_EMIT failed(tr("Cannot write %1: %2. Choose another folder.").arg(path, file.errorString()));
}

}  // namespace bitloom::widgets
