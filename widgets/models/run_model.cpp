// See run_model.h.
#include "widgets/models/run_model.h"

#include <QFont>
#include <algorithm>
#include <cmath>

#include "widgets/format.h"

namespace bitloom::widgets {

void RunModel::setRuns(const std::vector<report::RunFigures>& runs) {
    beginResetModel();
    m_runs = runs;
    endResetModel();
}

void RunModel::setCurrentRun(const QString& path) {
    if (std::exchange(m_current, path) == path || m_runs.empty()) return;
    Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1), {Qt::FontRole});
}

QString RunModel::path(int row) const {
    if (row < 0 || row >= rowCount()) return {};
    return QString::fromStdString(m_runs[static_cast<std::size_t>(row)].path);
}

int RunModel::rowOf(const QString& path) const {
    const auto found = std::ranges::find(m_runs, path.toStdString(), &report::RunFigures::path);
    return found == m_runs.end() ? -1 : static_cast<int>(found - m_runs.begin());
}

int RunModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_runs.size());
}

int RunModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QString RunModel::text(const report::RunFigures& run, int column) const {
    switch (column) {
        case Name:
            return QString::fromStdString(run.name);
        case Network:
            return QString::fromStdString(run.group());
        case Method:
            return QString::fromStdString(run.method);
        case Bits:
            return std::isfinite(run.bits) ? formatBits(run.bits) : noValueText();
        case Size:
            return std::isfinite(run.bytes) ? formatBytes(std::llround(run.bytes)) : noValueText();
        case Top1:
            return formatFixed(run.top1, 2);
        case Status:
            return QString::fromLatin1(report::toText(run.status));
        default:
            return {};
    }
}

QVariant RunModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const report::RunFigures& run = m_runs[static_cast<std::size_t>(index.row())];
    const bool number = index.column() >= Bits && index.column() <= Top1;
    switch (role) {
        case Qt::DisplayRole:
            return text(run, index.column());
        case Qt::ToolTipRole:
            return QString::fromStdString(run.path);
        case Qt::TextAlignmentRole:
            return QVariant(static_cast<int>((number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter));
        case Qt::FontRole: {
            QFont font;
            font.setBold(path(index.row()) == m_current);
            return font;
        }
        default:
            return {};
    }
}

QVariant RunModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case Name:
            return tr("Run");
        case Network:
            return tr("Network, images");
        case Method:
            return tr("Method");
        case Bits:
            return tr("Bits");
        case Size:
            return tr("Size");
        case Top1:
            return tr("Top-1, %");
        case Status:
            return tr("Status");
        default:
            return {};
    }
}

}  // namespace bitloom::widgets
