// The open runs as a table, the current one bold. Grey dashes where there is no data. GUI thread only.
#pragma once

#include <QAbstractTableModel>
#include <QString>
#include <vector>

#include "engine/report/run_figures.h"

namespace bitloom::widgets {

class RunModel : public QAbstractTableModel {
    Q_OBJECT

  public:
    enum Column { Name, Network, Method, Bits, Size, Top1, Status, ColumnCount };

    explicit RunModel(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void setRuns(const std::vector<report::RunFigures>& runs);
    void setCurrentRun(const QString& path);
    [[nodiscard]] const QString& currentRun() const { return m_current; }

    /// Empty for a row that is not there.
    [[nodiscard]] QString path(int row) const;
    /// -1: not there.
    [[nodiscard]] int rowOf(const QString& path) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    [[nodiscard]] QString text(const report::RunFigures& run, int column) const;

    std::vector<report::RunFigures> m_runs;
    QString m_current;
};

}  // namespace bitloom::widgets
