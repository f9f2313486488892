// A layer that starts with the mixture of another run: the run is asked for, looked at off this thread, and
// becomes part of the layer's override.
#include <QFileInfo>
#include <utility>

#include "app/main_window.h"
#include "app/method_choices.h"
#include "engine/jobs/mixture_transfer.h"
#include "widgets/controls/error_bar.h"

namespace bitloom::app {

void MainWindow::transferMixture(const QString& layer) {
    if (!m_jobs.draft()) return;
    const QString file =
        m_dialogs.openFile(this, tr("Transfer a mixture to %1").arg(layer), m_settings.get(settings::kFolder),
                           tr("Runs (*.h5 *.hdf5);;All files (*)"));
    if (file.isEmpty() || !m_jobs.draft()) return;
    m_settings.set(settings::kFolder, QFileInfo(file).absolutePath());
    m_errors->clear();
    quant::QuantizerOptions options = m_jobs.draft()->spec.quantizer;
    quant::LayerOptions own = options.layer;
    if (!takesMixture(own.method)) own.method = "dgms";
    own.values.clear();
    own.transfer = QFileInfo(file).absoluteFilePath().toStdString();
    const std::string name = layer.toStdString();
    options.layers[name] = own;
    const std::string arch = m_session.network().arch;
    m_offers.submit(
        0,
        [this, options = std::move(options), own, name, arch]() -> Result<LatestWorker::Completion> {
            BITLOOM_ASSIGN_OR_RETURN(const jobs::TransferOffer offer,
                                     jobs::transferOffer(own.transfer, arch, options, name));
            return LatestWorker::Completion([this, own, name, arch, offer]() mutable {
                // Another network may have been opened meanwhile, or the job started.
                if (m_session.network().arch != arch || m_jobs.host().busy()) return;
                own.components = offer.components;
                m_jobs.setOverride(name, own);
                tell(tr("In the next job %1 starts with the mixture of %2 in %3")
                         .arg(QString::fromStdString(name), QString::fromStdString(offer.source),
                              QString::fromStdString(own.transfer)));
            });
        },
        [this](const Error& error) { showError(QString::fromStdString(error.message)); });
}

void MainWindow::scaleTransfer(const QString& layer, bool scaled) {
    const std::string name = layer.toStdString();
    std::optional<quant::LayerOptions> own = m_jobs.overrideOf(name);
    if (!own) return;
    own->transferScale = scaled;
    m_jobs.setOverride(name, own);
}

}  // namespace bitloom::app
