// The left dock: a filter line, the tree of layers, a chooser for the heat overlay, and a line that says how
// many layers have data or, of several selected ones, what they sum to.
#pragma once

#include <QByteArray>
#include <QModelIndex>
#include <QString>
#include <QWidget>
#include <vector>

#include "widgets/models/layer_model.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QSortFilterProxyModel;
class QTreeView;

namespace bitloom::widgets {

class LayersPanel : public QWidget {
    Q_OBJECT

  public:
    explicit LayersPanel(QWidget* parent = nullptr);

    [[nodiscard]] LayerModel& model() { return m_model; }
    [[nodiscard]] const LayerModel& model() const { return m_model; }

    /// Shows another network; keeps the current layer when it has one of the same name. Emits nothing.
    void setNetwork(const report::NetworkInfo& network);
    void setSnapshots(const std::vector<report::LayerSnapshotPtr>& snapshots);

    /// Empty when no layer (or only a block) is selected.
    [[nodiscard]] QString currentLayer() const;

    /// Selects and scrolls to a layer, clearing a filter that hides it. Emits layerSelected when the
    /// selection changes. Unknown names are ignored.
    void selectLayer(const QString& name);

    /// Columns, their widths and order, sorting and the heat column, for the settings.
    [[nodiscard]] QByteArray viewState() const;
    bool restoreViewState(const QByteArray& state);

    [[nodiscard]] QSize sizeHint() const override { return {420, 560}; }

  Q_SIGNALS:
    void layerSelected(const QString& name);

  private:
    void makeTree();
    void fitColumns();
    void setFilter(const QString& text);
    [[nodiscard]] QModelIndexList selectedRows() const;    ///< from top to bottom
    [[nodiscard]] QModelIndexList selectedLayers() const;  ///< those of selected blocks included
    void copyRows() const;
    void updateFooter();
    void showColumnMenu(const QPoint& position);

    LayerModel m_model;
    QSortFilterProxyModel* m_proxy;
    QLineEdit* m_filter;
    QTreeView* m_tree = nullptr;
    QComboBox* m_heat;
    QLabel* m_footer;
    bool m_columnsSet = false;  ///< widths were fitted or restored and are the person's from then on
};

}  // namespace bitloom::widgets
