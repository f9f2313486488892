// The open runs: which there are and which one the window shows. Double-click or Enter loads a run, Delete
// takes it off the list (the file stays).
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

#include "widgets/models/run_model.h"

class QTreeView;

namespace bitloom::widgets {

class RunsPanel : public QWidget {
    Q_OBJECT

  public:
    explicit RunsPanel(QWidget* parent = nullptr);

    /// The selected run stays selected as long as it is there. Emits nothing.
    void setRuns(const std::vector<report::RunFigures>& runs);
    void setCurrentRun(const QString& path);
    /// Selects without emitting; a path that is not there selects none.
    void chooseRun(const QString& path);
    /// Empty: none.
    [[nodiscard]] QString chosenRun() const;
    [[nodiscard]] const RunModel& model() const { return m_model; }

    [[nodiscard]] QSize sizeHint() const override { return {360, 180}; }

  Q_SIGNALS:
    /// The person selected this run.
    void runChosen(const QString& path);
    /// The person wants it loaded.
    void runActivated(const QString& path);
    /// The person wants it off the list.
    void runRemoved(const QString& path);

  private:
    RunModel m_model;
    QTreeView* m_view;
};

}  // namespace bitloom::widgets
