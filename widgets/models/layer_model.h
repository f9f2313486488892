// The layers of a network as a tree grouped by block, with the figures of each layer's newest snapshot. A
// block's row shows sums and weighted means of its layers. Grey where there is no data. GUI thread only.
#pragma once

#include <QAbstractItemModel>
#include <QColor>
#include <QString>
#include <unordered_map>
#include <vector>

#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::widgets {

class LayerModel : public QAbstractItemModel {
    Q_OBJECT

  public:
    enum Column { Name, Op, Shape, Weights, Bits, Sparsity, QuantizationMse, SoftHardGap, ColumnCount };
    enum Role {
        SortRole = Qt::UserRole + 1,  ///< a number or lower-case text to sort by; NaN where there is no data
        LayerNameRole,                ///< full layer name; empty for a block
    };

    explicit LayerModel(QObject* parent = nullptr);

    /// Replaces every row and forgets all snapshots.
    void setNetwork(const report::NetworkInfo& network);
    [[nodiscard]] const report::NetworkInfo& network() const { return m_network; }

    /// Takes over newer figures: one dataChanged for the top level and one for each block touched, whatever
    /// the number of snapshots. Null pointers and layers that the network does not have are ignored.
    void setSnapshots(const std::vector<report::LayerSnapshotPtr>& snapshots);
    void setSnapshot(const report::LayerSnapshotPtr& snapshot);

    /// Colours the cells of one numeric column by magnitude; -1 for none.
    void setHeatColumn(int column);
    [[nodiscard]] int heatColumn() const { return m_heatColumn; }
    [[nodiscard]] static bool isNumeric(int column) { return column >= Weights && column < ColumnCount; }

    [[nodiscard]] int layerCount() const { return static_cast<int>(m_network.layers.size()); }
    [[nodiscard]] int countWithData() const { return m_withData; }

    /// Null when the layer is unknown.
    [[nodiscard]] const report::LayerInfo* layer(const QString& name) const;
    [[nodiscard]] report::LayerSnapshotPtr snapshot(const QString& name) const;
    [[nodiscard]] QModelIndex indexOf(const QString& name) const;

    [[nodiscard]] QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
    [[nodiscard]] QModelIndex parent(const QModelIndex& child) const override;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    /// A row of the top level: a block with children, or one layer that stands alone.
    struct TopRow {
        QString block;            ///< empty for a lone layer
        std::vector<int> layers;  ///< indices into m_network.layers; one for a lone layer
    };
    struct Range {
        double low = 0;
        double high = 0;
    };

    [[nodiscard]] int layerAt(const QModelIndex& index) const;  ///< -1 for a block
    [[nodiscard]] double value(const QModelIndex& index, int column) const;
    [[nodiscard]] double layerValue(int layer, int column) const;
    [[nodiscard]] double blockValue(const TopRow& row, int column) const;
    [[nodiscard]] QVariant display(const QModelIndex& index) const;
    [[nodiscard]] QString toolTip(const QModelIndex& index) const;
    [[nodiscard]] QColor heat(const QModelIndex& index) const;  ///< invalid where there is none
    void updateHeatRange();
    void emitChanged(const std::vector<bool>& topRows);

    report::NetworkInfo m_network;
    std::vector<TopRow> m_rows;
    std::vector<int> m_topRowOf;                        ///< by layer
    std::vector<report::LayerSnapshotPtr> m_snapshots;  ///< by layer; null when none came
    std::unordered_map<std::string, int> m_layerByName;
    int m_withData = 0;
    int m_heatColumn = -1;
    Range m_heatRange;
};

}  // namespace bitloom::widgets
