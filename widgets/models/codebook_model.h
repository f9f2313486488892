// The components of one mixture as a table: index, centroid, weight, width, number of weights. GUI thread
// only.
#pragma once

#include <QAbstractTableModel>

#include "engine/report/mixture.h"
#include "widgets/component_colors.h"

namespace bitloom::widgets {

class CodebookModel : public QAbstractTableModel {
    Q_OBJECT

  public:
    enum Column { Index, Mu, Pi, Sigma, Count, ColumnCount };

    explicit CodebookModel(QObject* parent = nullptr);

    /// Empty components clear the table. With an unchanged number of components one dataChanged is emitted,
    /// and none when nothing changed.
    void setMixture(const report::Mixture& mixture);
    [[nodiscard]] const report::Mixture& mixture() const { return m_mixture; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    report::Mixture m_mixture;
    ComponentColors m_colors;
};

}  // namespace bitloom::widgets
