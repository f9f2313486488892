// See layers_panel.h.
#include "widgets/controls/layers_panel.h"

#include <QAction>
#include <QClipboard>
#include <QComboBox>
#include <QDataStream>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QIODevice>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QSignalBlocker>
#include <QSortFilterProxyModel>
#include <QTreeView>
#include <algorithm>
#include <cmath>

#include "widgets/commands.h"
#include "widgets/controls/elided_label.h"
#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

constexpr quint32 kStateVersion = 1;

/// Filters layers by name or operation; a block stays while one of its layers does. Rows without data sort
/// last in either direction.
class LayerProxy : public QSortFilterProxyModel {
  public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

    void setNeedle(const QString& needle) {
        m_needle = needle.trimmed();
        invalidateFilter();
    }

  protected:
    [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override {
        if (m_needle.isEmpty()) return true;
        const QModelIndex name = sourceModel()->index(row, LayerModel::Name, parent);
        if (sourceModel()->hasChildren(name)) return false;  // recursive filtering keeps it for its layers
        const QModelIndex op = name.siblingAtColumn(LayerModel::Op);
        return name.data(LayerModel::LayerNameRole).toString().contains(m_needle, Qt::CaseInsensitive) ||
               op.data().toString().contains(m_needle, Qt::CaseInsensitive);
    }

    [[nodiscard]] bool lessThan(const QModelIndex& left, const QModelIndex& right) const override {
        const QVariant a = left.data(LayerModel::SortRole);
        const QVariant b = right.data(LayerModel::SortRole);
        if (!LayerModel::isNumeric(left.column())) return a.toString() < b.toString();
        const bool missingA = std::isnan(a.toDouble());
        const bool missingB = std::isnan(b.toDouble());
        if (missingA || missingB)
            return missingA != missingB && (sortOrder() == Qt::AscendingOrder) == missingB;
        return a.toDouble() < b.toDouble();
    }

  private:
    QString m_needle;
};

}  // namespace

LayersPanel::LayersPanel(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("layersPanel"));
    m_proxy = new LayerProxy(this);
    m_proxy->setSourceModel(&m_model);
    m_proxy->setRecursiveFilteringEnabled(true);
    m_filter = new QLineEdit(this);
    m_filter->setObjectName(QStringLiteral("filter"));
    m_filter->setPlaceholderText(tr("Filter by name or op"));
    m_filter->setToolTip(tr("Show only layers whose name or operation contains this text"));
    m_filter->setClearButtonEnabled(true);
    m_filter->addAction(icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    m_heat = new QComboBox(this);
    m_heat->setObjectName(QStringLiteral("heatColumn"));
    m_heat->setToolTip(
        tr("Colour one column by magnitude, dark blue for the least and yellow for the greatest"));
    m_heat->addItem(tr("No colours"), -1);
    for (int column = 0; column < LayerModel::ColumnCount; ++column) {
        if (!LayerModel::isNumeric(column)) continue;
        m_heat->addItem(m_model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString(), column);
    }
    m_footer = new ElidedLabel(this);
    m_footer->setObjectName(QStringLiteral("layersFooter"));
    m_footer->setToolTip(tr("Layers with data and all layers with weights; select several to add them up"));
    m_footer->setProperty("role", QStringLiteral("muted"));
    makeTree();

    auto* top = new QHBoxLayout;
    top->setContentsMargins(6, 6, 6, 6);
    top->addWidget(m_filter, 1);
    top->addWidget(m_heat);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addLayout(top);
    column->addWidget(m_tree, 1);
    m_footer->setContentsMargins(8, 4, 8, 4);
    column->addWidget(m_footer);

    connect(m_filter, &QLineEdit::textChanged, this, &LayersPanel::setFilter);
    connect(m_heat, &QComboBox::currentIndexChanged, this,
            [this] { m_model.setHeatColumn(m_heat->currentData().toInt()); });
    updateFooter();
}

void LayersPanel::makeTree() {
    m_tree = new QTreeView(this);
    m_tree->setObjectName(QStringLiteral("layersTree"));
    m_tree->setToolTip(tr("Layers by block; click a heading to sort, right-click it to choose columns"));
    m_tree->setModel(m_proxy);
    m_tree->setUniformRowHeights(true);
    m_tree->setAllColumnsShowFocus(true);
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setSortingEnabled(true);
    m_tree->setIndentation(14);
    // Execution order until a heading is clicked, and again by a third click.
    QHeaderView* header = m_tree->header();
    header->setSortIndicatorClearable(true);
    header->setSortIndicator(-1, Qt::AscendingOrder);
    header->setStretchLastSection(false);
    header->setContextMenuPolicy(Qt::CustomContextMenu);
    connect(header, &QWidget::customContextMenuRequested, this, &LayersPanel::showColumnMenu);
    connect(m_tree->selectionModel(), &QItemSelectionModel::currentChanged, this,
            [this](const QModelIndex& index) {
                const QString name = index.data(LayerModel::LayerNameRole).toString();
                if (!name.isEmpty()) Q_EMIT layerSelected(name);
            });
    connect(m_tree->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &LayersPanel::updateFooter);
    QAction* copy = addCommand(*this, QStringLiteral("copyRows"), tr("Copy selected layers"),
                               tr("Copy the selected rows as text, for a spreadsheet"), QKeySequence::Copy);
    connect(copy, &QAction::triggered, this, &LayersPanel::copyRows);
}

void LayersPanel::setNetwork(const report::NetworkInfo& network) {
    const QSignalBlocker quiet(this);
    const QString before = currentLayer();
    m_model.setNetwork(network);
    m_tree->expandAll();
    if (!m_columnsSet && m_model.layerCount() > 0) fitColumns();
    selectLayer(before);
    updateFooter();
}

/// Figures come later and must fit without widening: room for the longest kind there is.
void LayersPanel::fitColumns() {
    m_columnsSet = true;
    const int figure = m_tree->fontMetrics().horizontalAdvance(formatScientific(1.23e-10)) + 16;
    for (int column = 0; column < LayerModel::ColumnCount; ++column) {
        m_tree->resizeColumnToContents(column);
        if (column == LayerModel::QuantizationMse) {
            m_tree->setColumnWidth(column, std::max(figure, m_tree->columnWidth(column)));
        }
    }
}

void LayersPanel::setSnapshots(const std::vector<report::LayerSnapshotPtr>& snapshots) {
    m_model.setSnapshots(snapshots);
    updateFooter();
}

QString LayersPanel::currentLayer() const {
    return m_tree->currentIndex().data(LayerModel::LayerNameRole).toString();
}

void LayersPanel::selectLayer(const QString& name) {
    const QModelIndex source = m_model.indexOf(name);
    if (!source.isValid() || name == currentLayer()) return;
    if (!m_proxy->mapFromSource(source).isValid()) m_filter->clear();
    const QModelIndex index = m_proxy->mapFromSource(source);
    m_tree->setCurrentIndex(index);
    m_tree->scrollTo(index);
}

void LayersPanel::setFilter(const QString& text) {
    static_cast<LayerProxy*>(m_proxy)->setNeedle(text);
    m_tree->expandAll();
}

QModelIndexList LayersPanel::selectedRows() const {
    QModelIndexList rows;
    const auto add = [this, &rows](const QModelIndex& row) {
        if (m_tree->selectionModel()->isSelected(row)) rows += row;
    };
    for (int top = 0; top < m_proxy->rowCount(); ++top) {
        const QModelIndex block = m_proxy->index(top, 0);
        add(block);
        for (int child = 0; child < m_proxy->rowCount(block); ++child)
            add(m_proxy->index(child, 0, block));
    }
    return rows;
}

QModelIndexList LayersPanel::selectedLayers() const {
    QModelIndexList layers;
    for (const QModelIndex& row : selectedRows()) {
        if (!m_proxy->hasChildren(row) && !layers.contains(row)) layers += row;
        for (int child = 0; child < m_proxy->rowCount(row); ++child)
            layers += m_proxy->index(child, 0, row);
    }
    return layers;
}

/// Tabs between the columns on show, figures in full, so that a spreadsheet takes them as numbers.
void LayersPanel::copyRows() const {
    QStringList lines;
    const auto addLine = [this, &lines](auto&& cell) {
        QStringList cells;
        for (int column = 0; column < LayerModel::ColumnCount; ++column) {
            if (!m_tree->isColumnHidden(column)) cells += cell(column);
        }
        lines += cells.join(QLatin1Char('\t'));
    };
    addLine([this](int column) {
        return m_model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    });
    for (const QModelIndex& row : selectedRows()) {
        addLine([&row](int column) {
            const QModelIndex cell = row.siblingAtColumn(column);
            if (LayerModel::isNumeric(column))
                return QString::fromLatin1(csvNumber(cell.data(LayerModel::SortRole).toDouble()));
            const QString name = row.data(LayerModel::LayerNameRole).toString();
            return column == LayerModel::Name && !name.isEmpty() ? name : cell.data().toString();
        });
    }
    if (lines.size() > 1) QGuiApplication::clipboard()->setText(lines.join(QLatin1Char('\n')));
}

void LayersPanel::updateFooter() {
    const int all = m_model.layerCount();
    const QModelIndexList selected = selectedLayers();
    if (selected.size() < 2) {
        m_footer->setText(all == 0 ? tr("No network loaded")
                                   : tr("%1 of %2 layers with data")
                                         .arg(formatCount(m_model.countWithData()), formatCount(all)));
        return;
    }
    double weights = 0;
    double bits = 0;
    for (const QModelIndex& layer : selected) {
        const double own = layer.siblingAtColumn(LayerModel::Weights).data(LayerModel::SortRole).toDouble();
        weights += own;
        bits += own * layer.siblingAtColumn(LayerModel::Bits).data(LayerModel::SortRole).toDouble();
    }
    m_footer->setText(tr("%1 layers selected: %2 weights, %3 bits per weight")
                          .arg(formatCount(selected.size()), formatCount(std::llround(weights)),
                               formatBits(bits / std::max(1.0, weights))));
}

void LayersPanel::showColumnMenu(const QPoint& position) {
    QMenu menu(this);
    for (int column = LayerModel::Op; column < LayerModel::ColumnCount; ++column) {
        QAction* action =
            menu.addAction(m_model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString());
        action->setCheckable(true);
        action->setChecked(!m_tree->isColumnHidden(column));
        connect(action, &QAction::toggled, m_tree,
                [this, column](bool shown) { m_tree->setColumnHidden(column, !shown); });
    }
    menu.exec(m_tree->header()->mapToGlobal(position));
}

QByteArray LayersPanel::viewState() const {
    QByteArray state;
    QDataStream stream(&state, QIODevice::WriteOnly);
    stream << kStateVersion << m_tree->header()->saveState() << qint32(m_heat->currentData().toInt());
    return state;
}

bool LayersPanel::restoreViewState(const QByteArray& state) {
    QDataStream stream(state);
    quint32 version = 0;
    QByteArray header;
    qint32 heat = -1;
    stream >> version >> header >> heat;
    if (stream.status() != QDataStream::Ok || version != kStateVersion) return false;
    m_heat->setCurrentIndex(std::max(0, m_heat->findData(heat)));
    m_columnsSet = m_tree->header()->restoreState(header);
    return m_columnsSet;
}

}  // namespace bitloom::widgets
