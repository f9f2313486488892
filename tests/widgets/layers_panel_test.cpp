#include "widgets/controls/layers_panel.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTest>
#include <QTreeView>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::makeNetwork;
using testing::makeSnapshot;
using testing::plain;
using testing::settle;

class LayersPanelTest : public ::testing::Test {
  protected:
    LayersPanelTest() {
        m_panel.setNetwork(makeNetwork());
        m_panel.resize(700, 500);
        m_panel.show();
        settle();
    }

    QTreeView* tree() { return m_panel.findChild<QTreeView*>(QStringLiteral("layersTree")); }
    QLineEdit* filter() { return m_panel.findChild<QLineEdit*>(QStringLiteral("filter")); }
    std::string footer() { return plain(m_panel.findChild<QLabel*>(QStringLiteral("layersFooter"))->text()); }

    /// Names of the layers on show, from top to bottom.
    QStringList shown() {
        QStringList names;
        for (QModelIndex at = tree()->indexAt({5, 2}); at.isValid(); at = tree()->indexBelow(at)) {
            const QString name = at.siblingAtColumn(0).data(LayerModel::LayerNameRole).toString();
            if (!name.isEmpty()) names += name;
        }
        return names;
    }

    LayersPanel m_panel;
};

TEST_F(LayersPanelTest, ShowsEveryLayerExpanded) {
    EXPECT_EQ(shown().join(QLatin1Char(' ')).toStdString(),
              "conv1 layer1.0.conv1 layer1.0.conv2 layer1.1.conv1 linear");
    EXPECT_EQ(footer(), "0 of 5 layers with data");
    m_panel.setSnapshots({makeSnapshot("conv1", 0, 0), makeSnapshot("layer1.1.conv1", 4)});
    EXPECT_EQ(footer(), "2 of 5 layers with data");
    m_panel.setNetwork({});
    EXPECT_EQ(footer(), "No network loaded");
}

TEST_F(LayersPanelTest, FiltersByNameAndOp) {
    QTest::keyClicks(filter(), QStringLiteral("LAYER1.0"));
    EXPECT_EQ(shown(), (QStringList{QStringLiteral("layer1.0.conv1"), QStringLiteral("layer1.0.conv2")}));
    filter()->setText(QStringLiteral("linear"));
    EXPECT_EQ(shown(), QStringList{QStringLiteral("linear")});
    filter()->setText(QStringLiteral("no such layer"));
    EXPECT_TRUE(shown().isEmpty());
    filter()->clear();
    EXPECT_EQ(shown().size(), 5);
}

TEST_F(LayersPanelTest, ClicksAndKeysSelect) {
    QSignalSpy selected(&m_panel, &LayersPanel::layerSelected);
    const QModelIndex second = tree()->indexBelow(tree()->indexAt({5, 2}));  // the block layer1.0
    QTest::mouseClick(tree()->viewport(), Qt::LeftButton, {}, tree()->visualRect(second).center());
    EXPECT_EQ(selected.count(), 0) << "a block is no layer";
    EXPECT_TRUE(m_panel.currentLayer().isEmpty());
    QTest::keyClick(tree(), Qt::Key_Down);
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toString(), QStringLiteral("layer1.0.conv1"));
    EXPECT_EQ(m_panel.currentLayer(), QStringLiteral("layer1.0.conv1"));
}

TEST_F(LayersPanelTest, SelectingByNameClearsAFilterInTheWay) {
    QSignalSpy selected(&m_panel, &LayersPanel::layerSelected);
    filter()->setText(QStringLiteral("linear"));
    m_panel.selectLayer(QStringLiteral("layer1.0.conv2"));
    EXPECT_EQ(m_panel.currentLayer(), QStringLiteral("layer1.0.conv2"));
    EXPECT_TRUE(filter()->text().isEmpty());
    EXPECT_EQ(selected.count(), 1);
    m_panel.selectLayer(QStringLiteral("layer1.0.conv2"));
    m_panel.selectLayer(QStringLiteral("no such layer"));
    EXPECT_EQ(selected.count(), 1);
    EXPECT_EQ(m_panel.currentLayer(), QStringLiteral("layer1.0.conv2"));
}

TEST_F(LayersPanelTest, ANewNetworkKeepsTheSelectionWhereItCan) {
    m_panel.selectLayer(QStringLiteral("layer1.1.conv1"));
    QSignalSpy selected(&m_panel, &LayersPanel::layerSelected);
    m_panel.setNetwork(makeNetwork());
    EXPECT_EQ(m_panel.currentLayer(), QStringLiteral("layer1.1.conv1"));
    EXPECT_EQ(selected.count(), 0) << "nobody chose a layer";
    report::NetworkInfo other = makeNetwork();
    other.layers.resize(1);
    m_panel.setNetwork(other);
    EXPECT_NE(m_panel.currentLayer(), QStringLiteral("layer1.1.conv1"));
}

TEST_F(LayersPanelTest, SeveralLayersAreAddedUpAndCopied) {
    const auto row = [this](int top, int child = -1) {
        const QModelIndex block = tree()->model()->index(top, 0);
        return child < 0 ? block : tree()->model()->index(child, 0, block);
    };
    const auto toggle = [this](const QModelIndex& index) {
        tree()->selectionModel()->select(index, QItemSelectionModel::Toggle | QItemSelectionModel::Rows);
    };
    toggle(row(3));
    EXPECT_EQ(footer(), "0 of 5 layers with data") << "one layer needs no sum";
    toggle(row(2, 0));
    EXPECT_EQ(footer(), "2 layers selected: 2 944 weights, 10.09 bits per weight");
    toggle(row(1));
    toggle(row(1, 1));
    EXPECT_EQ(footer(), "4 layers selected: 9 856 weights, 5.82 bits per weight")
        << "a block stands for its layers, each counted once";

    tree()->setColumnHidden(LayerModel::Shape, true);
    m_panel.setSnapshots({makeSnapshot("layer1.1.conv1", 4)});
    auto* copy = m_panel.findChild<QAction*>(QStringLiteral("copyRows"));
    EXPECT_EQ(copy->shortcut(), QKeySequence(QKeySequence::Copy));
    copy->trigger();
    EXPECT_EQ(QApplication::clipboard()->text().toStdString(),
              "Layer\tOp\tWeights\tBits\tSparsity %\tMSE\tGap\n"
              "layer1.0\t\t6912\t4\t\t\t\n"
              "layer1.0.conv2\tconv 3x3\t4608\t4\t\t\t\n"
              "layer1.1.conv1\tconv 3x3\t2304\t2\t25\t1.5e-05\t0.125\n"
              "linear\tlinear\t640\t32\t\t\t");
}

TEST_F(LayersPanelTest, SnapshotsKeepSelectionAndExpansion) {
    m_panel.selectLayer(QStringLiteral("layer1.0.conv2"));
    std::vector<report::LayerSnapshotPtr> all;
    for (const auto& layer : makeNetwork().layers)
        all.push_back(makeSnapshot(layer.name, 16));
    m_panel.setSnapshots(all);
    settle();
    EXPECT_EQ(m_panel.currentLayer(), QStringLiteral("layer1.0.conv2"));
    EXPECT_EQ(shown().size(), 5);
}

TEST_F(LayersPanelTest, SortsWithMissingFiguresLast) {
    auto small = std::make_shared<report::LayerSnapshot>(*makeSnapshot("layer1.0.conv1", 4));
    auto large = std::make_shared<report::LayerSnapshot>(*makeSnapshot("layer1.1.conv1", 4));
    small->mse = 1e-6;
    large->mse = 1e-3;
    m_panel.setSnapshots({small, large});
    for (const auto order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
        tree()->sortByColumn(LayerModel::QuantizationMse, order);
        settle();
        const QStringList names = shown();
        const qsizetype first = names.indexOf(QStringLiteral("layer1.0.conv1"));
        const qsizetype second = names.indexOf(QStringLiteral("layer1.1.conv1"));
        EXPECT_EQ(first < second, order == Qt::AscendingOrder);
        EXPECT_GT(names.indexOf(QStringLiteral("linear")), std::max(first, second))
            << "no data, in either order";
        EXPECT_GT(names.indexOf(QStringLiteral("conv1")), std::max(first, second))
            << "no data, in either order";
    }
    tree()->sortByColumn(-1, Qt::AscendingOrder);
    settle();
    EXPECT_EQ(shown().first(), QStringLiteral("conv1")) << "execution order again";
}

TEST_F(LayersPanelTest, ViewStateRoundTrips) {
    auto* heat = m_panel.findChild<QComboBox*>(QStringLiteral("heatColumn"));
    heat->setCurrentIndex(heat->findData(int{LayerModel::Sparsity}));
    EXPECT_EQ(m_panel.model().heatColumn(), int{LayerModel::Sparsity});
    tree()->setColumnHidden(LayerModel::Shape, true);
    tree()->setColumnWidth(LayerModel::Name, 222);
    const QByteArray state = m_panel.viewState();
    LayersPanel other;
    ASSERT_TRUE(other.restoreViewState(state));
    other.setNetwork(makeNetwork());
    const auto* otherTree = other.findChild<QTreeView*>(QStringLiteral("layersTree"));
    EXPECT_TRUE(otherTree->isColumnHidden(LayerModel::Shape));
    EXPECT_EQ(otherTree->columnWidth(LayerModel::Name), 222);
    EXPECT_EQ(other.model().heatColumn(), int{LayerModel::Sparsity});
    EXPECT_FALSE(other.restoreViewState({}));
    EXPECT_FALSE(other.restoreViewState("nonsense"));
}

}  // namespace
}  // namespace bitloom::widgets
