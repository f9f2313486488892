#include "app/view_area.h"

#include <QApplication>
#include <QLabel>
#include <QProxyStyle>
#include <QSplitter>
#include <QTabBar>
#include <QVBoxLayout>
#include <algorithm>

#include "engine/jobs/embedding_job.h"
#include "engine/jobs/landscape_job.h"
#include "widgets/controls/compute_bar.h"
#include "widgets/controls/device_bar.h"
#include "widgets/plots/bitwidths_plot.h"
#include "widgets/plots/curves_plot.h"
#include "widgets/plots/device_plot.h"
#include "widgets/plots/embedding_plot.h"
#include "widgets/plots/landscape_plot.h"
#include "widgets/plots/mixture_plot.h"
#include "widgets/plots/pareto_plot.h"
#include "widgets/theme.h"

namespace bitloom::app {
namespace {

constexpr int kMostImages = 1'000'000;
constexpr int kMostSeed = 1'000'000;

widgets::ComputeBar::Number imagesNumber(const char* name, std::int64_t value) {
    return {QLatin1String(name),
            ViewArea::tr("&Images"),
            ViewArea::tr("So many of the run's test images, the first ones"),
            1,
            kMostImages,
            500,
            static_cast<int>(value)};
}

widgets::ComputeBar* makeEmbeddingBar() {
    const jobs::EmbeddingRequest standard;
    return new widgets::ComputeBar(
        QStringLiteral("embeddingBar"),
        {imagesNumber(ViewArea::kEmbeddingImages, standard.images),
         {QLatin1String(ViewArea::kPerplexity), ViewArea::tr("&Perplexity"),
          ViewArea::tr("How many neighbours of an image count; at most a third of the images"), 2, 500, 5,
          static_cast<int>(standard.perplexity)},
         {QLatin1String(ViewArea::kEmbeddingSeed), ViewArea::tr("&Seed"),
          ViewArea::tr("Another seed, another layout of the same neighbours"), 0, kMostSeed, 1, 0}});
}

widgets::ComputeBar* makeLandscapeBar() {
    const jobs::LandscapeRequest standard;
    return new widgets::ComputeBar(
        QStringLiteral("landscapeBar"),
        {imagesNumber(ViewArea::kLandscapeImages, standard.images),
         {QLatin1String(ViewArea::kGrid), ViewArea::tr("&Points a side"),
          ViewArea::tr("Points of the grid along each direction, an odd number; each is scored twice"), 3,
          jobs::LandscapeRequest::kMostSize, 2, standard.size},
         {QLatin1String(ViewArea::kLandscapeSeed), ViewArea::tr("&Seed"),
          ViewArea::tr("Another seed, other random directions"), 0, kMostSeed, 1, 0}});
}

/// Tabs with less margin than usual, so that every view has its own in a window of the first size.
class TabStyle final : public QProxyStyle {
  public:
    [[nodiscard]] int pixelMetric(PixelMetric metric, const QStyleOption* option,
                                  const QWidget* widget) const override {
        constexpr int kMargins = 12;
        return metric == PM_TabBarTabHSpace ? kMargins : QProxyStyle::pixelMetric(metric, option, widget);
    }
};

}  // namespace

ViewArea::ViewArea(QWidget* parent)
    : QWidget(parent),
      m_mixture(new widgets::MixturePlot),
      m_curves(new widgets::CurvesPlot),
      m_device(new widgets::DevicePlot),
      m_deviceBar(new widgets::DeviceBar),
      m_bitwidths(new widgets::BitwidthsPlot),
      m_pareto(new widgets::ParetoPlot),
      m_embedding(new widgets::EmbeddingPlot),
      m_embeddingBar(makeEmbeddingBar()),
      m_landscape(new widgets::LandscapePlot),
      m_landscapeBar(makeLandscapeBar()),
      m_tabs(new QTabBar),
      m_splitter(new QSplitter(Qt::Horizontal)) {
    setObjectName(QStringLiteral("viewArea"));
    m_tabs->setObjectName(QStringLiteral("viewTabs"));
    auto* style = new TabStyle;
    style->setParent(m_tabs);
    m_tabs->setStyle(style);
    m_tabs->setDrawBase(false);
    m_tabs->setExpanding(false);
    m_splitter->setObjectName(QStringLiteral("viewSplitter"));
    m_splitter->setChildrenCollapsible(false);
    addView(Mixture, tr("Mixture"),
            tr("Weights, Gaussian components and quantized values of the selected layer (Ctrl+1)"),
            m_mixture);
    addView(Curves, tr("Curves"),
            tr("Loss, learning rate, accuracy and quantization error over the run (Ctrl+2)"), m_curves);
    addView(Device, tr("Device"),
            tr("Times of this run on this computer or a phone, beside float kernels (Ctrl+3)"), m_device,
            m_deviceBar);
    addView(Bitwidths, tr("Bitwidths"),
            tr("How many bits each layer took over the run, and what they add up to (Ctrl+4)"), m_bitwidths);
    addView(Pareto, tr("Pareto"),
            tr("Accuracy of the open runs against bits, size and bit operations (Ctrl+5)"), m_pareto);
    addView(Embedding, tr("Embedding"),
            tr("Test images by what the network knows of them, full precision beside quantized (Ctrl+6)"),
            m_embedding, m_embeddingBar);
    addView(Landscape, tr("Landscape"),
            tr("The loss around the weights, full precision beside quantized (Ctrl+7)"), m_landscape,
            m_landscapeBar);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_tabs);
    column->addWidget(m_splitter, 1);

    connect(m_tabs, &QTabBar::currentChanged, this, &ViewArea::viewChosen);
    connect(m_curves, &widgets::CurvesPlot::alarmChanged, this,
            [this](bool, const QString& text) { showAlarm(Curves, text); });
    connect(m_bitwidths, &widgets::BitwidthsPlot::alarmChanged, this,
            [this](const QString& text) { showAlarm(Bitwidths, text); });
    connect(m_splitter, &QSplitter::splitterMoved, this, [this] {
        const QList<int> sizes = m_splitter->sizes();
        const int left = sizes[std::min(m_current, m_beside)];
        m_split = left * 100 / std::max(1, left + sizes[std::max(m_current, m_beside)]);
    });
    connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) {
        if (!m_sideBySide) return;
        for (int view = 0; view < ViewCount; ++view) {
            if (m_panes[static_cast<std::size_t>(view)].whole->isAncestorOf(now))
                setCurrentView(static_cast<View>(view));
        }
    });
    arrange();
}

const char* ViewArea::nameOf(View view) {
    constexpr std::array<const char*, ViewCount> kNames = {"mixture", "curves",    "device",   "bitwidths",
                                                           "pareto",  "embedding", "landscape"};
    return kNames[view];
}

void ViewArea::addView(View view, const QString& title, const QString& purpose, widgets::FigureView* plot,
                       QWidget* bar) {
    auto* whole = new QWidget;
    auto* column = new QVBoxLayout(whole);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* label = new QLabel(title);
    label->setProperty("role", "section");
    label->setMargin(6);
    column->addWidget(label);
    if (bar) column->addWidget(bar);
    column->addWidget(plot, 1);
    // The splitter gives a pane behind a tab no room at all; a plot cannot draw on nothing.
    whole->setMinimumSize(plot->minimumSizeHint());
    m_tabs->insertTab(view, title);
    m_splitter->insertWidget(view, whole);
    m_panes[view] = {plot, whole, label, QLatin1String(nameOf(view)), purpose};
    showAlarm(view, {});
}

ViewArea::View ViewArea::currentView() const {
    return static_cast<View>(m_current);
}

void ViewArea::setCurrentView(View view) {
    m_tabs->setCurrentIndex(view);
}

void ViewArea::viewChosen(int view) {
    if (view == m_current) return;
    m_beside = m_current;
    m_current = view;
    arrange();
    Q_EMIT currentViewChanged();
}

void ViewArea::setSideBySide(bool sideBySide) {
    if (sideBySide == m_sideBySide) return;
    m_sideBySide = sideBySide;
    arrange();
}

void ViewArea::showAlarm(View view, const QString& alarm) {
    const Pane& pane = m_panes[view];
    m_tabs->setTabIcon(view, alarm.isEmpty()
                                 ? widgets::icon(pane.icon)
                                 : widgets::icon(QStringLiteral("warning"), &widgets::ThemeColors::warning));
    m_tabs->setTabToolTip(view, alarm.isEmpty() ? pane.purpose : pane.purpose + QLatin1Char('\n') + alarm);
}

void ViewArea::setSplit(int percent) {
    m_split = percent;
    arrange();
}

bool ViewArea::isShown(int view) const {
    return view == m_current || (m_sideBySide && view == m_beside);
}

void ViewArea::arrange() {
    // Two views that share the room need no tab to be told apart, but the others are reached by theirs alone.
    for (int view = 0; view < ViewCount; ++view) {
        const Pane& pane = m_panes[static_cast<std::size_t>(view)];
        pane.whole->setVisible(isShown(view));
        pane.title->setVisible(m_sideBySide);
    }
    applySplit();
}

void ViewArea::applySplit() {
    if (!m_sideBySide) return;
    QList<int> sizes(ViewCount, 0);
    sizes[std::min(m_current, m_beside)] = width() * m_split / 100;
    sizes[std::max(m_current, m_beside)] = width() * (100 - m_split) / 100;
    m_splitter->setSizes(sizes);
}

void ViewArea::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    applySplit();
}

}  // namespace bitloom::app
