#include "widgets/controls/inspector.h"

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableView>
#include <QTest>
#include <numeric>

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
        std::vector<int> any(255);
        std::iota(any.begin(), any.end(), 2);
        m_inspector.setMethods({{QStringLiteral("none"), QStringLiteral("none"), {}, false},
                                {QStringLiteral("dgms"), QStringLiteral("dgms"), any, false},
                                {QStringLiteral("uniform"), QStringLiteral("uniform"), {2, 4, 8, 16}, false},
                                {QStringLiteral("sgt"), QStringLiteral("sgt"), {2, 4, 6, 8}, true}});
        m_inspector.setJobDefault(MethodSetting{QStringLiteral("dgms"), 16, {}});
        m_inspector.resize(340, 800);
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
    QLineEdit* values() { return m_inspector.findChild<QLineEdit*>(QStringLiteral("values")); }
    void chooseMethod(const char* name) {
        method()->setCurrentIndex(method()->findData(QString::fromUtf8(name)));
    }
    /// What the newest of the signals says of this layer.
    static MethodSetting sent(QSignalSpy& changed, const char* layer) {
        EXPECT_EQ(changed.size(), 1);
        if (changed.isEmpty()) return {};
        const QVariantList arguments = changed.takeLast();
        EXPECT_EQ(arguments.at(0).toString().toStdString(), layer);
        return arguments.at(1).value<MethodSetting>();
    }
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
    EXPECT_EQ(sent(changed, "layer1.0.conv1"), (MethodSetting{QStringLiteral("dgms"), 8, {}}));
    EXPECT_NE(text("overrideNote").find("8 components"), std::string::npos);
    chooseMethod("none");
    EXPECT_FALSE(components()->isEnabled());
    QTest::mouseClick(button("applyOverride"), Qt::LeftButton);
    EXPECT_EQ(sent(changed, "layer1.0.conv1").method, QStringLiteral("none"));
}

TEST_F(InspectorTest, OffersWhatEachMethodTakes) {
    choose(1);
    QSignalSpy changed(&m_inspector, &Inspector::overrideChanged);
    EXPECT_FALSE(values()->isVisible());
    components()->setValue(6);
    chooseMethod("uniform");
    EXPECT_EQ(components()->value(), 4) << "the nearest that it takes";
    components()->stepUp();
    EXPECT_EQ(components()->value(), 8);
    components()->setValue(5);
    EXPECT_FALSE(button("applyOverride")->isEnabled());
    EXPECT_NE(text("overrideNote").find("does not take 5"), std::string::npos) << text("overrideNote");
    chooseMethod("sgt");
    EXPECT_TRUE(values()->isVisible());
    values()->setText(QStringLiteral("-1, 0, 1"));
    EXPECT_EQ(components()->value(), 3);
    EXPECT_FALSE(components()->isEnabled());
    QTest::mouseClick(button("applyOverride"), Qt::LeftButton);
    EXPECT_EQ(sent(changed, "layer1.0.conv1"), (MethodSetting{QStringLiteral("sgt"), 3, {-1, 0, 1}}));
    EXPECT_EQ(text("overrideNote"), "Set for this layer: sgt, values -1, 0, 1.");
    values()->setText(QStringLiteral("-1, one"));
    EXPECT_FALSE(button("applyOverride")->isEnabled());
    chooseMethod("uniform");
    QTest::mouseClick(button("applyOverride"), Qt::LeftButton);
    EXPECT_TRUE(sent(changed, "layer1.0.conv1").values.empty()) << "its levels are its own";
}

TEST_F(InspectorTest, RestoreAndClear) {
    choose(2);
    QSignalSpy changed(&m_inspector, &Inspector::overrideChanged);
    QSignalSpy cleared(&m_inspector, &Inspector::overrideCleared);
    EXPECT_FALSE(button("clearOverride")->isEnabled());
    QTest::mouseClick(button("restoreFullPrecision"), Qt::LeftButton);
    EXPECT_EQ(sent(changed, "layer1.0.conv2").method, QStringLiteral("none"));
    EXPECT_TRUE(button("clearOverride")->isEnabled());
    QTest::mouseClick(button("clearOverride"), Qt::LeftButton);
    EXPECT_EQ(cleared.takeFirst(), QVariantList{QStringLiteral("layer1.0.conv2")});
    EXPECT_FALSE(button("clearOverride")->isEnabled());
}

TEST_F(InspectorTest, AsksForARunToTakeTheMixtureFrom) {
    choose(2);
    QSignalSpy requested(&m_inspector, &Inspector::transferRequested);
    QSignalSpy changed(&m_inspector, &Inspector::overrideChanged);
    QTest::mouseClick(button("transferMixture"), Qt::LeftButton);
    ASSERT_EQ(requested.count(), 1);
    EXPECT_EQ(requested.takeFirst(), QVariantList{QStringLiteral("layer1.0.conv2")});
    EXPECT_FALSE(button("clearOverride")->isEnabled()) << "nothing is set before a run is chosen";
    button("transferMixture")->setFocus();
    QTest::keyClick(button("transferMixture"), Qt::Key_Space);
    EXPECT_EQ(requested.count(), 1);
    m_inspector.activateWindow();
    ASSERT_TRUE(QTest::qWaitForWindowActive(&m_inspector));
    QTest::keyClick(&m_inspector, Qt::Key_M, Qt::AltModifier);
    // A button that a key presses is seen to go down first.
    EXPECT_TRUE(QTest::qWaitFor([&] { return requested.count() == 2; }));
    EXPECT_EQ(changed.count(), 0);
}

TEST_F(InspectorTest, ShowsTheRunThatTheMixtureComesFromUntilItIsCleared) {
    choose(1);
    m_inspector.setOverride(LayerOverride{{QStringLiteral("dgms"), 4, {}}, QStringLiteral("/runs/small.h5")});
    EXPECT_EQ(text("overrideNote"), "Set for this layer: dgms, 4 components, mixture from small.h5.");
    EXPECT_EQ(components()->value(), 4);
    auto* note = m_inspector.findChild<QLabel*>(QStringLiteral("overrideNote"));
    EXPECT_EQ(note->toolTip(), QStringLiteral("/runs/small.h5"));
    QSignalSpy cleared(&m_inspector, &Inspector::overrideCleared);
    QTest::mouseClick(button("clearOverride"), Qt::LeftButton);
    EXPECT_EQ(cleared.count(), 1);
    EXPECT_EQ(text("overrideNote"), "This layer follows the job's default.");
    m_inspector.setOverride(LayerOverride{{QStringLiteral("dgms"), 4, {}}, QStringLiteral("/runs/small.h5")});
    QTest::mouseClick(button("applyOverride"), Qt::LeftButton);
    EXPECT_EQ(text("overrideNote"), "Set for this layer: dgms, 4 components.") << "applied: k-means again";
}

TEST_F(InspectorTest, AMixtureOfAnotherRunIsScaledByAClick) {
    choose(1);
    auto* scale = m_inspector.findChild<QCheckBox*>(QStringLiteral("scaleMixture"));
    EXPECT_TRUE(scale->isHidden()) << "nothing to scale";
    QSignalSpy scaled(&m_inspector, &Inspector::transferScaleChanged);
    m_inspector.setOverride(
        LayerOverride{{QStringLiteral("dgms"), 4, {}}, QStringLiteral("/runs/small.h5"), true});
    EXPECT_FALSE(scale->isHidden());
    EXPECT_TRUE(scale->isChecked());
    EXPECT_EQ(scaled.count(), 0) << "shown, not changed";
    scale->click();
    ASSERT_EQ(scaled.count(), 1);
    EXPECT_EQ(scaled.at(0).at(1).toBool(), false);
    m_inspector.setEditable(false);
    EXPECT_FALSE(scale->isEnabled());
    m_inspector.setOverride(LayerOverride{{QStringLiteral("dgms"), 4, {}}, {}});
    EXPECT_TRUE(scale->isHidden());
}

TEST_F(InspectorTest, OverridesBelongToTheirLayer) {
    choose(1);
    m_inspector.setOverride(LayerOverride{{QStringLiteral("dgms"), 4, {}}, {}});
    EXPECT_EQ(components()->value(), 4);
    EXPECT_TRUE(button("clearOverride")->isEnabled());
    choose(2);
    EXPECT_FALSE(button("clearOverride")->isEnabled());
}

TEST_F(InspectorTest, WithoutAnOverrideTheJobsDefaultIsShown) {
    report::LayerInfo twoBits = makeNetwork().layers[1];
    twoBits.bits = 2;
    m_inspector.setLayer(twoBits);
    EXPECT_EQ(method()->currentData().toString(), QStringLiteral("dgms"));
    EXPECT_EQ(components()->value(), 4);
    EXPECT_EQ(text("componentBits"), "= 2 bits");
    m_inspector.setOverride(LayerOverride{{QStringLiteral("none"), 16, {}}, {}});
    choose(2);
    EXPECT_EQ(method()->currentData().toString(), QStringLiteral("dgms")) << "another layer has its own";
    EXPECT_EQ(components()->value(), 16);
    m_inspector.setJobDefault(MethodSetting{QStringLiteral("uniform"), 16, {}});
    EXPECT_EQ(method()->currentData().toString(), QStringLiteral("uniform"));
    EXPECT_EQ(components()->value(), 16);
    m_inspector.setJobDefault(MethodSetting{QStringLiteral("sgt"), 3, {-1, 0, 1}});
    EXPECT_EQ(method()->currentData().toString(), QStringLiteral("sgt"));
    EXPECT_EQ(values()->text(), QStringLiteral("-1, 0, 1"));
    EXPECT_EQ(components()->value(), 3);
    m_inspector.setJobDefault(std::nullopt);
    EXPECT_EQ(method()->currentIndex(), -1) << "without a job nothing is known";
    m_inspector.setJobDefault(MethodSetting{QStringLiteral("dgms"), 16, {}});
    choose(0);  // full precision: nothing says what the next job does with it
    EXPECT_EQ(method()->currentIndex(), -1);
    EXPECT_FALSE(components()->isVisible());
    EXPECT_FALSE(button("applyOverride")->isEnabled());
    EXPECT_TRUE(button("restoreFullPrecision")->isEnabled());
    chooseMethod("dgms");
    EXPECT_TRUE(components()->isVisible());
    EXPECT_TRUE(button("applyOverride")->isEnabled());
}

TEST_F(InspectorTest, NothingIsEditableWhileAJobRuns) {
    choose(1);
    m_inspector.setOverride(LayerOverride{{QStringLiteral("dgms"), 4, {}}, {}});
    m_inspector.setEditable(false);
    for (QWidget* control : std::initializer_list<QWidget*>{
             method(), components(), button("applyOverride"), button("clearOverride"),
             button("restoreFullPrecision"), button("transferMixture")}) {
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
