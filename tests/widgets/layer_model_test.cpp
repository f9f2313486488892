#include "widgets/models/layer_model.h"

#include <QAbstractItemModelTester>
#include <QBrush>
#include <QSignalSpy>
#include <cmath>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::makeNetwork;
using testing::makeSnapshot;
using testing::print;

class LayerModelTest : public ::testing::Test {
  protected:
    LayerModelTest() { m_model.setNetwork(makeNetwork()); }

    LayerModel m_model;
    QAbstractItemModelTester m_tester{&m_model, QAbstractItemModelTester::FailureReportingMode::Warning};
};

TEST_F(LayerModelTest, GroupsByBlockInExecutionOrder) {
    EXPECT_EQ(print(m_model),
              "conv1 | conv 3x3 | 16×3×3×3 | 432 | 32 | – | – | –\n"
              "layer1.0 |  |  | 6 912 | 4 | – | – | –\n"
              "  conv1 | conv 3x3 | 16×16×3×3 | 2 304 | 4 | – | – | –\n"
              "  conv2 | conv 3x3 | 32×16×3×3 | 4 608 | 4 | – | – | –\n"
              "layer1.1 |  |  | 2 304 | 4 | – | – | –\n"
              "  conv1 | conv 3x3 | 16×16×3×3 | 2 304 | 4 | – | – | –\n"
              "linear | linear | 10×64 | 640 | 32 | – | – | –\n");
    EXPECT_EQ(m_model.layerCount(), 5);
    EXPECT_EQ(m_model.countWithData(), 0);
}

TEST_F(LayerModelTest, ShowsSnapshotsAndWeightedMeans) {
    auto two = std::make_shared<report::LayerSnapshot>(*makeSnapshot("layer1.0.conv2", 4));
    two->sparsity = 0.5;
    m_model.setSnapshots({makeSnapshot("layer1.0.conv1", 16), two, makeSnapshot("conv1", 0, 0), nullptr,
                          makeSnapshot("not in the network", 4)});
    EXPECT_EQ(print(m_model),
              "conv1 | conv 3x3 | 16×3×3×3 | 432 | 32 | – | – | –\n"
              "layer1.0 |  |  | 6 912 | 2.67 | 41.7 | 1.50×10⁻⁵ | 0.125\n"
              "  conv1 | conv 3x3 | 16×16×3×3 | 2 304 | 4 | 25.0 | 1.50×10⁻⁵ | 0.125\n"
              "  conv2 | conv 3x3 | 32×16×3×3 | 4 608 | 2 | 50.0 | 1.50×10⁻⁵ | 0.125\n"
              "layer1.1 |  |  | 2 304 | 4 | – | – | –\n"
              "  conv1 | conv 3x3 | 16×16×3×3 | 2 304 | 4 | – | – | –\n"
              "linear | linear | 10×64 | 640 | 32 | – | – | –\n");
    EXPECT_EQ(m_model.countWithData(), 3);
}

TEST_F(LayerModelTest, ABatchCostsOneSignalALevel) {
    QSignalSpy changed(&m_model, &QAbstractItemModel::dataChanged);
    QSignalSpy reset(&m_model, &QAbstractItemModel::modelReset);
    std::vector<report::LayerSnapshotPtr> batch;
    for (int repeat = 0; repeat < 50; ++repeat) {
        for (const auto& layer : m_model.network().layers)
            batch.push_back(makeSnapshot(layer.name, 16));
    }
    m_model.setSnapshots(batch);
    EXPECT_EQ(changed.count(), 3);  // the top level and two blocks, for 250 snapshots
    EXPECT_EQ(reset.count(), 0);
    changed.clear();
    m_model.setSnapshot(makeSnapshot("layer1.1.conv1", 16));
    EXPECT_EQ(changed.count(), 2);
    changed.clear();
    m_model.setSnapshots({});
    m_model.setSnapshot(makeSnapshot("unknown", 16));
    EXPECT_EQ(changed.count(), 0);
}

TEST_F(LayerModelTest, FindsLayersByName) {
    for (const auto& layer : m_model.network().layers) {
        const QString name = QString::fromStdString(layer.name);
        const QModelIndex index = m_model.indexOf(name);
        ASSERT_TRUE(index.isValid());
        EXPECT_EQ(index.data(LayerModel::LayerNameRole).toString(), name);
        EXPECT_EQ(m_model.layer(name)->name, layer.name);
    }
    EXPECT_FALSE(m_model.indexOf(QStringLiteral("layer1.0")).isValid());
    EXPECT_EQ(m_model.layer(QStringLiteral("?")), nullptr);
}

TEST_F(LayerModelTest, HeatColoursOneColumnFromLeastToGreatest) {
    auto good = std::make_shared<report::LayerSnapshot>(*makeSnapshot("layer1.0.conv1", 16));
    auto bad = std::make_shared<report::LayerSnapshot>(*makeSnapshot("layer1.1.conv1", 16));
    good->mse = 1e-6;
    bad->mse = 1e-2;
    m_model.setSnapshots({good, bad});
    QSignalSpy changed(&m_model, &QAbstractItemModel::dataChanged);
    m_model.setHeatColumn(LayerModel::QuantizationMse);
    EXPECT_EQ(changed.count(), 3);
    const auto heat = [this](const char* layer, int column) {
        const QModelIndex index = m_model.indexOf(QString::fromUtf8(layer)).siblingAtColumn(column);
        return index.data(Qt::BackgroundRole).value<QBrush>().color();
    };
    EXPECT_EQ(heat("layer1.0.conv1", LayerModel::QuantizationMse), magnitudeColor(0));
    EXPECT_EQ(heat("layer1.1.conv1", LayerModel::QuantizationMse), magnitudeColor(1));
    const QModelIndex missing =
        m_model.indexOf(QStringLiteral("linear")).siblingAtColumn(LayerModel::QuantizationMse);
    EXPECT_FALSE(missing.data(Qt::BackgroundRole).isValid());
    EXPECT_EQ(missing.data(Qt::ForegroundRole).value<QBrush>().color(), colors().disabledText);
    EXPECT_FALSE(m_model.indexOf(QStringLiteral("layer1.0.conv1")).data(Qt::BackgroundRole).isValid());
    m_model.setHeatColumn(LayerModel::Name);
    EXPECT_EQ(m_model.heatColumn(), -1);
}

TEST_F(LayerModelTest, SortsByNumbers) {
    const QModelIndex weights =
        m_model.indexOf(QStringLiteral("linear")).siblingAtColumn(LayerModel::Weights);
    EXPECT_EQ(weights.data(LayerModel::SortRole).toDouble(), 640);
    EXPECT_TRUE(
        std::isnan(weights.siblingAtColumn(LayerModel::Sparsity).data(LayerModel::SortRole).toDouble()));
}

TEST(LayerModel, AShortcutStandsInItsResidualBlock) {
    report::NetworkInfo network;
    for (const char* name : {"layer2.0.conv1", "layer2.0.conv2", "layer2.0.downsample.0", "layer2.1.conv1"}) {
        report::LayerInfo layer;
        layer.name = name;
        network.layers.push_back(layer);
    }
    LayerModel model;
    model.setNetwork(network);
    ASSERT_EQ(model.rowCount(), 2);
    const QModelIndex block = model.index(0, LayerModel::Name);
    EXPECT_EQ(block.data().toString(), QStringLiteral("layer2.0"));
    ASSERT_EQ(model.rowCount(block), 3);
    EXPECT_EQ(model.index(2, LayerModel::Name, block).data().toString(), QStringLiteral("downsample.0"));
}

TEST(LayerModel, EmptyAndReplacedNetworks) {
    LayerModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Warning);
    EXPECT_EQ(print(model), "");
    model.setSnapshot(makeSnapshot("conv1", 4));
    model.setNetwork(makeNetwork());
    model.setSnapshot(makeSnapshot("conv1", 4));
    model.setNetwork({});
    EXPECT_EQ(print(model), "");
    EXPECT_EQ(model.countWithData(), 0);
}

TEST(LayerModel, EveryColumnHasATitleAndAnExplanation) {
    const LayerModel model;
    for (int column = 0; column < LayerModel::ColumnCount; ++column) {
        EXPECT_FALSE(model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().isEmpty());
        EXPECT_FALSE(model.headerData(column, Qt::Horizontal, Qt::ToolTipRole).toString().isEmpty());
    }
}

}  // namespace
}  // namespace bitloom::widgets
