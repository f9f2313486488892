#include "widgets/controls/inspector.h"

#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableView>
#include <QTest>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::makeMixture;
using testing::makeNetwork;
using testing::makeSnapshot;
using testing::plain;
using testing::settle;

class InspectorTest : public ::testing::Test {
  protected:
    InspectorTest() {
        m_inspector.resize(340, 760);
        m_inspector.show();
        settle();
    }

    void choose(int layer) { m_inspector.setLayer(makeNetwork().layers[static_cast<std::size_t>(layer)]); }
    std::string text(const char* name) {
        return plain(m_inspector.findChild<QLabel*>(QString::fromUtf8(name))->text());
    }
    QPushButton* button(const char* name) {
        return m_inspector.findChild<QPushButton*>(QString::fromUtf8(name));
    }
    QTableView* table() { return m_inspector.findChild<QTableView*>(QStringLiteral("codebook")); }
    QComboBox* method() { return m_inspector.findChild<QComboBox*>(QStringLiteral("method")); }
    QSpinBox* components() { return m_inspector.findChild<QSpinBox*>(QStringLiteral("components")); }

    Inspector m_inspector;
};

TEST_F(InspectorTest, EmptyStateSaysWhatToDo) {
    EXPECT_EQ(text("layerName"), "No layer selected");
    EXPECT_FALSE(table()->isVisible());
    choose(1);
    EXPECT_TRUE(table()->isVisible());
    m_inspector.setLayer({});
    EXPECT_FALSE(table()->isVisible());
}

TEST_F(InspectorTest, ShowsFigures) {
    choose(1);
    EXPECT_EQ(text("layerName"), "layer1.0.conv1");
    EXPECT_EQ(text("shape"), "16×16×3×3");
    EXPECT_EQ(text("weights"), "2 304");
    EXPECT_EQ(text("macs"), "230 400");
    EXPECT_EQ(text("mse"), "–");
    EXPECT_EQ(text("codebookTitle"), "No codebook recorded yet");
    m_inspector.setSnapshot(makeSnapshot("layer1.0.conv1", 16));
    EXPECT_EQ(text("bits"), "4");
    EXPECT_EQ(text("packedSize"), "1 216 bytes");
    EXPECT_EQ(text("sparsity"), "25.0 %");
    EXPECT_EQ(text("mse"), "1.50×10⁻⁵");
    EXPECT_EQ(text("gap"), "0.125");
    EXPECT_EQ(text("gradientWeight"), "0.0123");
    EXPECT_EQ(text("gradientTau"), "–");
    EXPECT_EQ(table()->model()->rowCount(), 16);
}

TEST_F(InspectorTest, TheSameLayerKeepsItsFiguresAndTheMarkedComponent) {
    choose(1);
    m_inspector.setSnapshot(makeSnapshot("layer1.0.conv1", 16));
    m_inspector.selectComponent(3);
    choose(1);
    EXPECT_EQ(text("mse"), "1.50×10⁻⁵");
    EXPECT_EQ(table()->currentIndex().row(), 3);
    choose(2);
    EXPECT_EQ(text("mse"), "–");
    EXPECT_FALSE(table()->currentIndex().isValid());
}

TEST_F(InspectorTest, IgnoresSnapshotsOfOtherLayers) {
    choose(1);
    m_inspector.setSnapshot(makeSnapshot("linear", 16));
    EXPECT_EQ(text("mse"), "–");
    m_inspector.setSnapshot(makeSnapshot("layer1.0.conv1", 0, 0));
    EXPECT_EQ(text("bits"), "32");
    EXPECT_EQ(text("sparsity"), "–");
    EXPECT_EQ(text("codebookTitle"), "No codebook: full precision");
    m_inspector.setSnapshot(nullptr);
    EXPECT_EQ(text("packedSize"), "–");
}

TEST_F(InspectorTest, FilterWiseLayersNameTheChannel) {
    choose(1);
    m_inspector.setSnapshot(makeSnapshot("layer1.0.conv1", 4, 16));
    m_inspector.setChannel(3);
    EXPECT_NE(text("codebookTitle").find("channel 3 of 16"), std::string::npos);
    m_inspector.setChannel(99);
    EXPECT_NE(text("codebookTitle").find("channel 15 of 16"), std::string::npos);
    m_inspector.setChannel(3);
    choose(2);
    m_inspector.setSnapshot(makeSnapshot("layer1.0.conv2", 4, 32));
    EXPECT_NE(text("codebookTitle").find("channel 3 of 32"), std::string::npos) << "the plot keeps it, too";
}

TEST_F(InspectorTest, ApplySendsTheOverride) {
    choose(1);
    QSignalSpy changed(&m_inspector, &Inspector::overrideChanged);
    components()->setValue(8);
    EXPECT_EQ(text("componentBits"), "= 3 bits");
    EXPECT_EQ(changed.count(), 0) << "nothing happens before Apply";
    QTest::mouseClick(button("applyOverride"), Qt::LeftButton);
    ASSERT_EQ(changed.count(), 1);
    EXPECT_EQ(changed.takeFirst(),
              (QVariantList{QStringLiteral("layer1.0.conv1"), QStringLiteral("dgms"), 8}));
    EXPECT_NE(text("overrideNote").find("8 components"), std::string::npos);
    method()->setCurrentIndex(method()->findData(QStringLiteral("none")));
    EXPECT_FALSE(components()->isEnabled());
    QTest::mouseClick(button("applyOverride"), Qt::LeftButton);
    EXPECT_EQ(changed.takeFirst(),
              (QVariantList{QStringLiteral("layer1.0.conv1"), QStringLiteral("none"), 0}));
}

TEST_F(InspectorTest, RestoreAndClear) {
    choose(2);
    QSignalSpy changed(&m_inspector, &Inspector::overrideChanged);
    QSignalSpy cleared(&m_inspector, &Inspector::overrideCleared);
    EXPECT_FALSE(button("clearOverride")->isEnabled());
    QTest::mouseClick(button("restoreFullPrecision"), Qt::LeftButton);
    EXPECT_EQ(changed.takeFirst(),
              (QVariantList{QStringLiteral("layer1.0.conv2"), QStringLiteral("none"), 0}));
    EXPECT_TRUE(button("clearOverride")->isEnabled());
    QTest::mouseClick(button("clearOverride"), Qt::LeftButton);
    EXPECT_EQ(cleared.takeFirst(), QVariantList{QStringLiteral("layer1.0.conv2")});
    EXPECT_FALSE(button("clearOverride")->isEnabled());
}

TEST_F(InspectorTest, OverridesBelongToTheirLayer) {
    choose(1);
    m_inspector.setOverride(std::pair(QStringLiteral("dgms"), 4));
    EXPECT_EQ(components()->value(), 4);
    EXPECT_TRUE(button("clearOverride")->isEnabled());
    choose(2);
    EXPECT_FALSE(button("clearOverride")->isEnabled());
}

TEST_F(InspectorTest, WithoutAnOverrideTheLayersOwnStateIsShown) {
    report::LayerInfo twoBits = makeNetwork().layers[1];
    twoBits.bits = 2;
    m_inspector.setLayer(twoBits);
    EXPECT_EQ(method()->currentData().toString(), QStringLiteral("dgms"));
    EXPECT_EQ(components()->value(), 4);
    EXPECT_EQ(text("componentBits"), "= 2 bits");
    m_inspector.setOverride(std::pair(QStringLiteral("none"), 0));
    choose(2);
    EXPECT_EQ(method()->currentData().toString(), QStringLiteral("dgms")) << "another layer has its own";
    EXPECT_EQ(components()->value(), 16);
    choose(0);  // full precision: nothing says what the next job does with it
    EXPECT_EQ(method()->currentIndex(), -1);
    EXPECT_FALSE(components()->isVisible());
    EXPECT_FALSE(button("applyOverride")->isEnabled());
    EXPECT_TRUE(button("restoreFullPrecision")->isEnabled());
    method()->setCurrentIndex(0);
    EXPECT_TRUE(components()->isVisible());
    EXPECT_TRUE(button("applyOverride")->isEnabled());
}

TEST_F(InspectorTest, NothingIsEditableWhileAJobRuns) {
    choose(1);
    m_inspector.setOverride(std::pair(QStringLiteral("dgms"), 4));
    m_inspector.setEditable(false);
    for (QWidget* control :
         std::initializer_list<QWidget*>{method(), components(), button("applyOverride"),
                                         button("clearOverride"), button("restoreFullPrecision")}) {
        EXPECT_FALSE(control->isEnabled()) << control->objectName().toStdString();
    }
    m_inspector.setEditable(true);
    EXPECT_TRUE(button("applyOverride")->isEnabled());
}

TEST_F(InspectorTest, ComponentsAreChosenInTheTable) {
    choose(1);
    m_inspector.setSnapshot(makeSnapshot("layer1.0.conv1", 16));
    settle();
    QSignalSpy selected(&m_inspector, &Inspector::componentSelected);
    m_inspector.selectComponent(3);
    EXPECT_EQ(selected.count(), 0);
    EXPECT_EQ(table()->currentIndex().row(), 3);
    QTest::keyClick(table(), Qt::Key_Down);
    ASSERT_EQ(selected.count(), 1);
    EXPECT_EQ(selected.takeFirst().at(0).toInt(), 4);
    m_inspector.selectComponent(-1);
    EXPECT_FALSE(table()->currentIndex().isValid());
}

TEST_F(InspectorTest, EveryControlExplainsItself) {
    for (const QWidget* control : m_inspector.findChildren<QWidget*>()) {
        const bool interactive = qobject_cast<const QPushButton*>(control) ||
                                 qobject_cast<const QComboBox*>(control) || control == components() ||
                                 control == table();
        if (!interactive || control->parentWidget() == method()) continue;
        EXPECT_FALSE(control->toolTip().isEmpty()) << control->objectName().toStdString();
        EXPECT_FALSE(control->objectName().isEmpty());
    }
}

}  // namespace
}  // namespace bitloom::widgets
