// See runs_panel.h.
#include "widgets/controls/runs_panel.h"

#include <QAction>
#include <QHeaderView>
#include <QSignalBlocker>
#include <QTreeView>
#include <QVBoxLayout>

#include "widgets/commands.h"

namespace bitloom::widgets {

RunsPanel::RunsPanel(QWidget* parent) : QWidget(parent), m_view(new QTreeView(this)) {
    setObjectName(QStringLiteral("runsPanel"));
    m_view->setObjectName(QStringLiteral("runs"));
    m_view->setToolTip(tr("Open runs, the shown one bold; double-click or Enter loads a run"));
    m_view->setRootIsDecorated(false);
    m_view->setUniformRowHeights(true);
    m_view->setAllColumnsShowFocus(true);
    m_view->setModel(&m_model);
    m_view->header()->setSectionResizeMode(QHeaderView::ResizeToContents);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(m_view);
    connect(m_view->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this](const QModelIndex& now) {
                if (now.isValid()) Q_EMIT runChosen(m_model.path(now.row()));
            });
    connect(m_view, &QTreeView::doubleClicked, this,
            [this](const QModelIndex& index) { Q_EMIT runActivated(m_model.path(index.row())); });
    QAction* load =
        addCommand(*this, QStringLiteral("loadRun"), tr("Load run"), tr("Show this run"), Qt::Key_Return);
    QAction* remove = addCommand(*this, QStringLiteral("removeRun"), tr("Take off the list"),
                                 tr("Compare this run no longer; its file stays"), QKeySequence::Delete);
    connect(load, &QAction::triggered, this, [this] {
        if (!chosenRun().isEmpty()) Q_EMIT runActivated(chosenRun());
    });
    connect(remove, &QAction::triggered, this, [this] {
        if (!chosenRun().isEmpty()) Q_EMIT runRemoved(chosenRun());
    });
    m_view->addActions({load, remove});
    m_view->setContextMenuPolicy(Qt::ActionsContextMenu);
}

void RunsPanel::setRuns(const std::vector<report::RunFigures>& runs) {
    const QString chosen = chosenRun();
    m_model.setRuns(runs);
    chooseRun(chosen);
}

void RunsPanel::setCurrentRun(const QString& path) {
    m_model.setCurrentRun(path);
}

void RunsPanel::chooseRun(const QString& path) {
    const QSignalBlocker quiet(m_view->selectionModel());
    m_view->setCurrentIndex(m_model.index(m_model.rowOf(path), 0));
    m_view->viewport()->update();
}

QString RunsPanel::chosenRun() const {
    return m_model.path(m_view->currentIndex().row());
}

}  // namespace bitloom::widgets
