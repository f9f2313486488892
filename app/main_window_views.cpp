// The views of the window: which one is shown, how it looks, saving it.
#include <QAction>
#include <QDir>
#include <QFileInfo>
#include <algorithm>
#include <utility>

#include "app/main_window.h"
#include "widgets/controls/error_bar.h"
#include "widgets/controls/inspector.h"
#include "widgets/controls/layers_panel.h"
#include "widgets/controls/log_panel.h"
#include "widgets/controls/summary_panel.h"
#include "widgets/controls/timeline.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/mixture_plot.h"
#include "widgets/plots/render.h"

namespace bitloom::app {

void MainWindow::connectViewActions() {
    const std::pair<ViewArea::View, QAction*> shows[] = {
        {ViewArea::Mixture, m_actions.showMixture},    {ViewArea::Curves, m_actions.showCurves},
        {ViewArea::Device, m_actions.showDevice},      {ViewArea::Bitwidths, m_actions.showBitwidths},
        {ViewArea::Pareto, m_actions.showPareto},      {ViewArea::Embedding, m_actions.showEmbedding},
        {ViewArea::Landscape, m_actions.showLandscape}};
    for (const auto& [view, show] : shows) {
        connect(show, &QAction::triggered, this, [this, view = view] { m_views->setCurrentView(view); });
        connect(&m_views->plot(view), &widgets::FigureView::failed, this, &MainWindow::showError);
    }
    connect(m_views, &ViewArea::currentViewChanged, this, &MainWindow::updateActions);
    connect(m_actions.sideBySide, &QAction::toggled, this, &MainWindow::setSideBySide);
    connect(m_actions.sideBySide, &QAction::toggled, this,
            [this](bool on) { m_settings.set(settings::kSideBySide, on); });
    connect(m_actions.logCounts, &QAction::toggled, &m_views->mixture(), &widgets::MixturePlot::setLogCounts);
    // The view has a switch of its own for the same thing.
    auto* ownSwitch = m_views->mixture().findChild<QAction*>(QStringLiteral("log_scale"));
    connect(ownSwitch, &QAction::toggled, m_actions.logCounts, &QAction::setChecked);
    connect(m_actions.logCounts, &QAction::toggled, this,
            [this](bool on) { m_settings.set(settings::kLogCounts, on); });
    const std::pair<QAction*, const char*> themes[] = {
        {m_actions.themeLight, "light"}, {m_actions.themeDark, "dark"}, {m_actions.themeSystem, "system"}};
    for (const auto& [action, name] : themes) {
        connect(action, &QAction::triggered, this, [this, theme = QString::fromLatin1(name)] {
            m_settings.set(settings::kTheme, theme);
            setTheme(theme);
        });
    }
    connect(m_actions.resetLayout, &QAction::triggered, this, [this] {
        m_actions.sideBySide->setChecked(false);
        m_views->setSplit(settings::kSplit.fallback);
        arrangeDocks();
    });

    connect(m_actions.play, &QAction::triggered, this,
            [this] { m_timeline->setPlaying(!m_timeline->playing()); });
    connect(m_actions.firstStep, &QAction::triggered, this,
            [this] { m_session.showStep(m_session.steps().front()); });
    connect(m_actions.previousStep, &QAction::triggered, this, [this] {
        const auto& steps = m_session.steps();
        const auto here = std::ranges::lower_bound(steps, m_session.step());
        m_session.showStep(here == steps.begin() ? steps.front() : *(here - 1));
    });
    connect(m_actions.nextStep, &QAction::triggered, this, [this] {
        const auto& steps = m_session.steps();
        const auto next = std::ranges::upper_bound(steps, m_session.step());
        m_session.showStep(next == steps.end() ? steps.back() : *next);
    });
    connect(m_actions.lastStep, &QAction::triggered, this, [this] {
        if (m_session.growing()) {
            m_session.setFollowing(true);
        } else {
            m_session.showStep(m_session.steps().back());
        }
    });
}

void MainWindow::saveView() {
    const ViewArea::View view = m_views->currentView();
    QString name = QFileInfo(QString::fromStdString(m_session.path().string())).completeBaseName() +
                   QLatin1Char('-') + QLatin1String(ViewArea::nameOf(view));
    if (view == ViewArea::Mixture) name += QLatin1Char('-') + m_session.layer();
    widgets::FigureView& plot = m_views->plot(view);
    const QString folder = m_settings.get(settings::kFolder);
    const QString file =
        m_dialogs.saveFile(this, tr("Save view as"), QDir(folder).filePath(name + QStringLiteral(".svg")),
                           tr("SVG (*.svg);;PDF (*.pdf);;PNG (*.png);;Values (*.csv)"));
    if (file.isEmpty()) return;
    m_errors->clear();
    QString error;
    if (QFileInfo(file).suffix().toLower() == QLatin1String("csv")) {
        widgets::writeToFile(file, plot.csv(), &error);
    } else {
        widgets::renderToFile(plot, file, &error);
    }
    if (error.isEmpty()) {
        tell(tr("Saved %1").arg(file));
    } else {
        showError(error);
    }
}

/// The alarm is about the newest evaluation, whatever step is looked at.
void MainWindow::showGaps() {
    std::vector<std::pair<QString, double>> gaps;
    for (const auto& [name, layer] : m_session.newest())
        gaps.emplace_back(QString::fromStdString(name), layer->softHardGap);
    m_views->curves().setLayerGaps(gaps);
}

bool MainWindow::hasContent(ViewArea::View view) const {
    return view == ViewArea::Mixture || view == ViewArea::Curves || !m_views->plot(view).isEmpty();
}

std::vector<std::pair<QString, QWidget*>> MainWindow::captureTargets() {
    std::vector<std::pair<QString, QWidget*>> targets = {
        {QStringLiteral("window"), this},           {QStringLiteral("layers"), m_layers},
        {QStringLiteral("inspector"), m_inspector}, {QStringLiteral("summary"), m_summary},
        {QStringLiteral("timeline"), m_timeline},   {QStringLiteral("log"), m_log}};
    for (int i = 0; i < ViewArea::ViewCount; ++i) {
        const auto view = static_cast<ViewArea::View>(i);
        if (hasContent(view))
            targets.emplace_back(QLatin1String(ViewArea::nameOf(view)), &m_views->plot(view));
    }
    return targets;
}

}  // namespace bitloom::app
