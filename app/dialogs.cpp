#include "app/dialogs.h"

#include <QCoreApplication>
#include <QDialogButtonBox>
#include <QFileDialog>
#include <QMessageBox>
#include <QPushButton>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "app/new_job_dialog.h"
#include "widgets/plots/render.h"

namespace bitloom::app {
namespace {

CloseAnswer askCloseWhileTraining(QWidget* parent) {
    QMessageBox box(QMessageBox::Question, QObject::tr("Training is going on"),
                    QObject::tr("Stop the training and close the window?"), QMessageBox::NoButton, parent);
    box.setInformativeText(
        QObject::tr("Everything so far is saved; the run can be continued later from its file."));
    QPushButton* stop = box.addButton(QObject::tr("Stop, save and close"), QMessageBox::AcceptRole);
    QPushButton* keep = box.addButton(QObject::tr("Keep training"), QMessageBox::RejectRole);
    box.setDefaultButton(keep);
    box.setEscapeButton(keep);
    box.exec();
    return box.clickedButton() == stop ? CloseAnswer::StopAndSave : CloseAnswer::KeepTraining;
}

void showAbout(QWidget* parent) {
    QMessageBox::about(
        parent, QObject::tr("About Bitloom"),
        QObject::tr(
            "<h3>Bitloom %1</h3>"
            "<p>A workbench for low-bit neural networks: watch quantization happen, layer by layer.</p>"
            "<p>Free software under the GNU General Public License, version 3 or later "
            "(GPL-3.0-or-later), without any warranty. Drawn with Qt and QCustomPlot, trained with "
            "libtorch, recorded with HDF5.</p>")
            .arg(QCoreApplication::applicationVersion()));
}

void showShortcuts(QWidget* parent, const QString& table) {
    QDialog dialog(parent);
    dialog.setWindowTitle(QObject::tr("Keyboard shortcuts"));
    dialog.resize(560, 620);
    auto* text = new QTextBrowser;
    text->setHtml(table);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
    QObject::connect(buttons, &QDialogButtonBox::rejected, &dialog, &QDialog::reject);
    auto* column = new QVBoxLayout(&dialog);
    column->addWidget(text);
    column->addWidget(buttons);
    dialog.exec();
}

}  // namespace

Dialogs standardDialogs() {
    Dialogs dialogs;
    dialogs.openFile = [](QWidget* parent, const QString& caption, const QString& folder,
                          const QString& filter) {
        return QFileDialog::getOpenFileName(parent, caption, folder, filter);
    };
    dialogs.openFiles = [](QWidget* parent, const QString& caption, const QString& folder,
                           const QString& filter) {
        return QFileDialog::getOpenFileNames(parent, caption, folder, filter);
    };
    dialogs.openFolder = [](QWidget* parent, const QString& caption, const QString& folder, const QString&) {
        return QFileDialog::getExistingDirectory(parent, caption, folder);
    };
    dialogs.saveFile = [](QWidget* parent, const QString& caption, const QString& file,
                          const QString& filter) {
        QString chosen;
        const QString path = QFileDialog::getSaveFileName(parent, caption, file, filter, &chosen);
        return path.isEmpty() ? path : widgets::withSuffix(path, filter, chosen);
    };
    dialogs.newJob = [](QWidget* parent, const JobDraft& proposal) -> std::optional<JobDraft> {
        NewJobDialog dialog(proposal, parent);
        if (dialog.exec() != QDialog::Accepted) return std::nullopt;
        return dialog.draft();
    };
    dialogs.closeWhileTraining = askCloseWhileTraining;
    dialogs.about = showAbout;
    dialogs.shortcuts = showShortcuts;
    return dialogs;
}

}  // namespace bitloom::app
