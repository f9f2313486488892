// See layer_model.h. Internal ids: 0 for the top level, block row + 1 for the children of a block.
#include "widgets/models/layer_model.h"

#include <QBrush>
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

struct ColumnText {
    const char* title;
    const char* toolTip;
};

constexpr std::array<ColumnText, LayerModel::ColumnCount> kColumns = {{
    {"Layer", "Module path, grouped by block"},
    {"Op", "Operation and kernel size"},
    {"Shape", "Shape of the weights: output × input per group × height × width"},
    {"Weights", "Number of weights"},
    {"Bits", "Bits per weight when hard; a block shows the mean over its weights"},
    {"Sparsity %", "Share of exact zeros among the hard weights, per cent"},
    {"MSE", "Mean (w − Ψ)², weight units squared"},
    {"Gap",
     "Root mean square of Φ − Ψ over the standard deviation of w: how far soft and hard weights differ"},
}};

QString valueText(double value, int column) {
    switch (column) {
        case LayerModel::Weights:
            return formatCount(static_cast<std::int64_t>(value));
        case LayerModel::Bits:
            return formatBits(value);
        case LayerModel::Sparsity:
            return formatFixed(value, 1);
        case LayerModel::QuantizationMse:
            return formatScientific(value);
        case LayerModel::SoftHardGap:
            return formatFixed(value, 3);
        default:
            return {};
    }
}

/// Figures stand right, so that their digits line up.
int alignmentOf(int column) {
    return static_cast<int>(Qt::AlignVCenter |
                            (LayerModel::isNumeric(column) ? Qt::AlignRight : Qt::AlignLeft));
}

/// Weights and errors differ by orders of magnitude from layer to layer; their heat goes by the logarithm.
double heatScale(double value, int column) {
    const bool logarithmic = column == LayerModel::Weights || column == LayerModel::QuantizationMse;
    if (!logarithmic) return value;
    return value > 0 ? std::log10(value) : report::kNoValue;
}

}  // namespace

LayerModel::LayerModel(QObject* parent) : QAbstractItemModel(parent) {}

void LayerModel::setNetwork(const report::NetworkInfo& network) {
    beginResetModel();
    m_network = network;
    const std::size_t count = network.layers.size();
    m_rows.clear();
    m_layerByName.clear();
    m_topRowOf.assign(count, 0);
    m_snapshots.assign(count, nullptr);
    m_withData = 0;
    std::map<std::string, int> rowOfBlock;
    for (std::size_t i = 0; i < count; ++i) {
        const report::LayerInfo& layer = network.layers[i];
        const std::string block = report::blockOf(layer.name);
        m_layerByName.emplace(layer.name, static_cast<int>(i));
        const auto known = block.empty() ? rowOfBlock.end() : rowOfBlock.find(block);
        const int row = known == rowOfBlock.end() ? static_cast<int>(m_rows.size()) : known->second;
        if (known == rowOfBlock.end()) {
            m_rows.push_back({QString::fromStdString(block), {}});
            if (!block.empty()) rowOfBlock.emplace(block, row);
        }
        m_rows[static_cast<std::size_t>(row)].layers.push_back(static_cast<int>(i));
        m_topRowOf[i] = row;
    }
    updateHeatRange();
    endResetModel();
}

void LayerModel::setSnapshots(const std::vector<report::LayerSnapshotPtr>& snapshots) {
    std::vector<bool> touched(m_rows.size(), false);
    bool any = false;
    for (const report::LayerSnapshotPtr& snapshot : snapshots) {
        if (!snapshot) continue;
        const auto found = m_layerByName.find(snapshot->layer);
        if (found == m_layerByName.end()) continue;
        const auto layer = static_cast<std::size_t>(found->second);
        if (!m_snapshots[layer]) ++m_withData;
        m_snapshots[layer] = snapshot;
        touched[static_cast<std::size_t>(m_topRowOf[layer])] = true;
        any = true;
    }
    if (!any) return;
    const Range before = m_heatRange;
    updateHeatRange();
    // Another range recolours every row of the heat column, not just those that brought new figures.
    const bool rangeMoved =
        m_heatColumn >= 0 && !(before.low == m_heatRange.low && before.high == m_heatRange.high);
    emitChanged(rangeMoved ? std::vector<bool>(m_rows.size(), true) : touched);
}

void LayerModel::setSnapshot(const report::LayerSnapshotPtr& snapshot) {
    setSnapshots({snapshot});
}

void LayerModel::setHeatColumn(int column) {
    const int wanted = isNumeric(column) ? column : -1;
    if (wanted == m_heatColumn) return;
    m_heatColumn = wanted;
    updateHeatRange();
    emitChanged(std::vector<bool>(m_rows.size(), true));
}

/// One signal for the top level and one for the children of each touched block: a range of rows has one
/// parent.
void LayerModel::emitChanged(const std::vector<bool>& topRows) {
    const auto first = std::find(topRows.begin(), topRows.end(), true);
    if (first == topRows.end()) return;
    const auto last = std::find(topRows.rbegin(), topRows.rend(), true).base() - 1;
    const int firstRow = static_cast<int>(first - topRows.begin());
    const int lastRow = static_cast<int>(last - topRows.begin());
    Q_EMIT dataChanged(index(firstRow, 0), index(lastRow, ColumnCount - 1));
    for (int row = firstRow; row <= lastRow; ++row) {
        const QModelIndex block = index(row, 0);
        const int children = rowCount(block);
        if (!topRows[static_cast<std::size_t>(row)] || children == 0) continue;
        Q_EMIT dataChanged(index(0, 0, block), index(children - 1, ColumnCount - 1, block));
    }
}

const report::LayerInfo* LayerModel::layer(const QString& name) const {
    const auto found = m_layerByName.find(name.toStdString());
    return found == m_layerByName.end() ? nullptr
                                        : &m_network.layers[static_cast<std::size_t>(found->second)];
}

report::LayerSnapshotPtr LayerModel::snapshot(const QString& name) const {
    const auto found = m_layerByName.find(name.toStdString());
    return found == m_layerByName.end() ? nullptr : m_snapshots[static_cast<std::size_t>(found->second)];
}

QModelIndex LayerModel::indexOf(const QString& name) const {
    const auto found = m_layerByName.find(name.toStdString());
    if (found == m_layerByName.end()) return {};
    const int row = m_topRowOf[static_cast<std::size_t>(found->second)];
    const TopRow& top = m_rows[static_cast<std::size_t>(row)];
    if (top.block.isEmpty()) return index(row, 0);
    const auto at = std::find(top.layers.begin(), top.layers.end(), found->second);
    return index(static_cast<int>(at - top.layers.begin()), 0, index(row, 0));
}

QModelIndex LayerModel::index(int row, int column, const QModelIndex& parent) const {
    if (!hasIndex(row, column, parent)) return {};
    return createIndex(row, column, static_cast<quintptr>(parent.isValid() ? parent.row() + 1 : 0));
}

QModelIndex LayerModel::parent(const QModelIndex& child) const {
    if (!child.isValid() || child.internalId() == 0) return {};
    return createIndex(static_cast<int>(child.internalId()) - 1, 0, static_cast<quintptr>(0));
}

int LayerModel::rowCount(const QModelIndex& parent) const {
    if (!parent.isValid()) return static_cast<int>(m_rows.size());
    if (parent.column() != 0 || parent.internalId() != 0) return 0;
    const TopRow& top = m_rows[static_cast<std::size_t>(parent.row())];
    return top.block.isEmpty() ? 0 : static_cast<int>(top.layers.size());
}

int LayerModel::columnCount(const QModelIndex& parent) const {
    // A lone layer has no children, so it has no child columns either.
    return parent.isValid() && rowCount(parent.siblingAtColumn(0)) == 0 ? 0 : int{ColumnCount};
}

int LayerModel::layerAt(const QModelIndex& index) const {
    const bool top = index.internalId() == 0;
    const TopRow& row = m_rows[top ? static_cast<std::size_t>(index.row()) : index.internalId() - 1];
    if (top) return row.block.isEmpty() ? row.layers.front() : -1;
    return row.layers[static_cast<std::size_t>(index.row())];
}

double LayerModel::layerValue(int layer, int column) const {
    const auto at = static_cast<std::size_t>(layer);
    const report::LayerInfo& info = m_network.layers[at];
    const report::LayerSnapshot* snapshot = m_snapshots[at].get();
    if (column == Weights) return static_cast<double>(info.weights);
    if (column == Bits) return snapshot ? snapshot->bits : info.bits;
    // Sparsity, error and gap are measured against hard weights, which a full-precision layer does not have.
    if (!snapshot || snapshot->mixtures.empty()) return report::kNoValue;
    if (column == Sparsity) return 100 * snapshot->sparsity;
    return column == QuantizationMse ? snapshot->mse : snapshot->softHardGap;
}

double LayerModel::blockValue(const TopRow& row, int column) const {
    double sum = 0;
    double weights = 0;
    for (const int layer : row.layers) {
        const double value = layerValue(layer, column);
        if (!std::isfinite(value)) continue;
        const auto share = static_cast<double>(m_network.layers[static_cast<std::size_t>(layer)].weights);
        sum += column == Weights ? value : value * share;
        weights += share;
    }
    if (column == Weights) return sum;
    return weights > 0 ? sum / weights : report::kNoValue;
}

double LayerModel::value(const QModelIndex& index, int column) const {
    const int layer = layerAt(index);
    return layer >= 0 ? layerValue(layer, column)
                      : blockValue(m_rows[static_cast<std::size_t>(index.row())], column);
}

void LayerModel::updateHeatRange() {
    m_heatRange = {report::kNoValue, report::kNoValue};
    if (m_heatColumn < 0) return;
    for (int layer = 0; layer < layerCount(); ++layer) {
        const double value = heatScale(layerValue(layer, m_heatColumn), m_heatColumn);
        if (!std::isfinite(value)) continue;
        m_heatRange.low = std::fmin(m_heatRange.low, value);
        m_heatRange.high = std::fmax(m_heatRange.high, value);
    }
}

QColor LayerModel::heat(const QModelIndex& index) const {
    if (index.column() != m_heatColumn) return {};
    // Sums of blocks lie outside the scale of single layers.
    if (m_heatColumn == Weights && layerAt(index) < 0) return {};
    const double span = m_heatRange.high - m_heatRange.low;
    const double at = heatScale(value(index, m_heatColumn), m_heatColumn) - m_heatRange.low;
    return magnitudeColor(span > 0 ? at / span : at);
}

QVariant LayerModel::display(const QModelIndex& index) const {
    const int layer = layerAt(index);
    const int column = index.column();
    if (isNumeric(column)) {
        const double number = value(index, column);
        return std::isfinite(number) ? valueText(number, column) : noValueText();
    }
    if (layer < 0) return column == Name ? m_rows[static_cast<std::size_t>(index.row())].block : QString();
    const report::LayerInfo& info = m_network.layers[static_cast<std::size_t>(layer)];
    if (column == Op) return QString::fromStdString(info.op);
    if (column == Shape) return formatShape(info.weightShape);
    // Inside a block, what follows the block's name says enough.
    const QString name = QString::fromStdString(info.name);
    return index.internalId() == 0 ? name : name.mid(m_rows[index.internalId() - 1].block.size() + 1);
}

QVariant LayerModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const int column = index.column();
    const int layer = layerAt(index);
    switch (role) {
        case Qt::DisplayRole:
            return display(index);
        case Qt::TextAlignmentRole:
            return alignmentOf(column);
        case Qt::ForegroundRole: {
            if (const QColor color = heat(index); color.isValid()) return QBrush(readableOn(color));
            const bool missing = isNumeric(column) && !std::isfinite(value(index, column));
            if (missing) return QBrush(colors().disabledText);
            return column == Op || column == Shape ? QVariant(QBrush(colors().mutedText)) : QVariant();
        }
        case Qt::BackgroundRole: {
            const QColor color = heat(index);
            return color.isValid() ? QVariant(QBrush(color)) : QVariant();
        }
        case Qt::ToolTipRole:
            return toolTip(index);
        case SortRole:
            return isNumeric(column) ? QVariant(value(index, column)) : display(index).toString().toLower();
        case LayerNameRole:
            return layer < 0 ? QString()
                             : QString::fromStdString(m_network.layers[static_cast<std::size_t>(layer)].name);
        default:
            return {};
    }
}

QString LayerModel::toolTip(const QModelIndex& index) const {
    const int layer = layerAt(index);
    if (layer < 0) {
        const TopRow& row = m_rows[static_cast<std::size_t>(index.row())];
        return tr("%1: %2 layers; sums and means over their weights").arg(row.block).arg(row.layers.size());
    }
    const report::LayerInfo& info = m_network.layers[static_cast<std::size_t>(layer)];
    const QString text = tr("%1: %2, %3 weights, %4 multiply-accumulates per image")
                             .arg(QString::fromStdString(info.name), QString::fromStdString(info.op),
                                  formatCount(info.weights), formatCount(info.macs));
    if (!m_snapshots[static_cast<std::size_t>(layer)]) return text + QLatin1Char('\n') + tr("No data yet");
    return info.quantized ? text : text + QLatin1Char('\n') + tr("Full precision");
}

QVariant LayerModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    const ColumnText& column = kColumns[static_cast<std::size_t>(section)];
    switch (role) {
        case Qt::DisplayRole:
            return QString::fromUtf8(column.title);
        case Qt::ToolTipRole:
            return QString::fromUtf8(column.toolTip);
        case Qt::TextAlignmentRole:
            return alignmentOf(section);
        default:
            return {};
    }
}

}  // namespace bitloom::widgets
