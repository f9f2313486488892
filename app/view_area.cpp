#include "app/view_area.h"

#include <QApplication>
#include <QLabel>
#include <QSplitter>
#include <QTabBar>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/plots/curves_plot.h"
#include "widgets/plots/mixture_plot.h"
#include "widgets/theme.h"

namespace bitloom::app {

ViewArea::ViewArea(QWidget* parent)
    : QWidget(parent),
      m_mixture(new widgets::MixturePlot),
      m_curves(new widgets::CurvesPlot),
      m_tabs(new QTabBar),
      m_splitter(new QSplitter(Qt::Horizontal)) {
    setObjectName(QStringLiteral("viewArea"));
    m_tabs->setObjectName(QStringLiteral("viewTabs"));
    m_tabs->setDrawBase(false);
    m_tabs->setExpanding(false);
    m_tabs->addTab(widgets::icon(QStringLiteral("mixture")), tr("Mixture"));
    m_tabs->addTab(tr("Curves"));
    m_tabs->setTabToolTip(
        Mixture, tr("Weights, Gaussian components and quantized values of the selected layer (Ctrl+1)"));
    showAlarm({});

    m_panes[Mixture] = makePane(m_mixture, tr("Mixture"));
    m_panes[Curves] = makePane(m_curves, tr("Curves"));
    m_splitter->setObjectName(QStringLiteral("viewSplitter"));
    m_splitter->setChildrenCollapsible(false);
    for (QWidget* pane : m_panes)
        m_splitter->addWidget(pane);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_tabs);
    column->addWidget(m_splitter, 1);

    connect(m_tabs, &QTabBar::currentChanged, this, &ViewArea::arrange);
    connect(m_curves, &widgets::CurvesPlot::alarmChanged, this,
            [this](bool, const QString& text) { showAlarm(text); });
    connect(m_splitter, &QSplitter::splitterMoved, this, [this] {
        const QList<int> sizes = m_splitter->sizes();
        m_split = sizes[Mixture] * 100 / std::max(1, sizes[Mixture] + sizes[Curves]);
    });
    connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) {
        for (int view = 0; view < ViewCount; ++view) {
            if (m_sideBySide && m_panes[view]->isAncestorOf(now)) setCurrentView(static_cast<View>(view));
        }
    });
    arrange();
}

QWidget* ViewArea::makePane(QWidget* view, const QString& title) {
    auto* pane = new QWidget;
    auto* column = new QVBoxLayout(pane);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* label = new QLabel(title);
    label->setProperty("role", "section");
    label->setMargin(6);
    column->addWidget(label);
    column->addWidget(view, 1);
    m_titles[view == m_mixture ? Mixture : Curves] = label;
    // The splitter gives a pane behind a tab no room at all; a plot cannot draw on nothing.
    pane->setMinimumSize(view->minimumSizeHint());
    return pane;
}

ViewArea::View ViewArea::currentView() const {
    return static_cast<View>(m_tabs->currentIndex());
}

QWidget& ViewArea::currentWidget() {
    if (currentView() == Mixture) return *m_mixture;
    return *m_curves;
}

void ViewArea::setCurrentView(View view) {
    m_tabs->setCurrentIndex(view);
}

void ViewArea::setSideBySide(bool sideBySide) {
    if (sideBySide == m_sideBySide) return;
    m_sideBySide = sideBySide;
    arrange();
}

void ViewArea::showAlarm(const QString& alarm) {
    const QString purpose = tr("Loss, learning rate, accuracy and quantization error over the run (Ctrl+2)");
    m_tabs->setTabIcon(
        Curves, alarm.isEmpty() ? widgets::icon(QStringLiteral("curves"))
                                : widgets::icon(QStringLiteral("warning"), &widgets::ThemeColors::warning));
    m_tabs->setTabToolTip(Curves, alarm.isEmpty() ? purpose : purpose + QLatin1Char('\n') + alarm);
}

void ViewArea::setSplit(int percent) {
    m_split = percent;
    arrange();
}

void ViewArea::arrange() {
    m_tabs->setVisible(!m_sideBySide);
    for (int view = 0; view < ViewCount; ++view) {
        m_panes[view]->setVisible(m_sideBySide || view == currentView());
        m_titles[view]->setVisible(m_sideBySide);
    }
    if (m_sideBySide) m_splitter->setSizes({width() * m_split / 100, width() * (100 - m_split) / 100});
}

void ViewArea::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (m_sideBySide) m_splitter->setSizes({width() * m_split / 100, width() * (100 - m_split) / 100});
}

}  // namespace bitloom::app
