// See codebook_model.h.
#include "widgets/models/codebook_model.h"

#include <QBrush>
#include <algorithm>
#include <array>

#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

struct CodebookColumn {
    const char* title;
    const char* toolTip;
};

constexpr std::array<CodebookColumn, CodebookModel::ColumnCount> kCodebookColumns = {{
    {"k", "Index of the component; the swatch is its colour in the plot"},
    {"μ", "Centroid or value, weight units; component 0 of a mixture is the fixed zero"},
    {"π", "Mixing weight, or share of weights; the column sums to 1"},
    {"σ", "Standard deviation, weight units; a fixed set has none"},
    {"Count", "Weights that the hard assignment gives to this component"},
}};

bool same(const report::MixtureComponent& a, const report::MixtureComponent& b) {
    return a.pi == b.pi && a.mu == b.mu && a.sigma == b.sigma && a.count == b.count;
}

}  // namespace

CodebookModel::CodebookModel(QObject* parent) : QAbstractTableModel(parent) {}

void CodebookModel::setMixture(const report::Mixture& mixture) {
    const auto& before = m_mixture.components;
    const auto& after = mixture.components;
    m_colors = ComponentColors(mixture);
    if (before.size() != after.size()) {
        beginResetModel();
        m_mixture = mixture;
        endResetModel();
        return;
    }
    const bool changed = !std::equal(before.begin(), before.end(), after.begin(), same);
    m_mixture = mixture;
    if (changed) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
}

int CodebookModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_mixture.components.size());
}

int CodebookModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int{ColumnCount};
}

QVariant CodebookModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const report::MixtureComponent& component = m_mixture.components[static_cast<std::size_t>(index.row())];
    // A component to which no weight falls costs a code and gives nothing: it is greyed.
    if (role == Qt::ForegroundRole && component.count == 0) return QBrush(colors().disabledText);
    if (role == Qt::TextAlignmentRole) return int{Qt::AlignRight | Qt::AlignVCenter};
    if (role == Qt::DecorationRole && index.column() == Index) {
        return m_colors.of(static_cast<std::size_t>(index.row()));
    }
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case Index:
            return QString::number(index.row());
        case Mu:
            return formatFixed(component.mu, 4);
        case Pi:
            return formatFixed(component.pi, 4);
        case Sigma:
            return component.sigma > 0 ? formatFixed(component.sigma, 4) : noValueText();
        case Count:
            return formatCount(component.count);
        default:
            return {};
    }
}

QVariant CodebookModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    const CodebookColumn& column = kCodebookColumns[static_cast<std::size_t>(section)];
    switch (role) {
        case Qt::DisplayRole:
            return QString::fromUtf8(column.title);
        case Qt::ToolTipRole:
            return QString::fromUtf8(column.toolTip);
        case Qt::TextAlignmentRole:
            return int{Qt::AlignRight | Qt::AlignVCenter};
        default:
            return {};
    }
}

}  // namespace bitloom::widgets
