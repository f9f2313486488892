// What the next job shall do with single layers: from the inspector into the job, and out of it again.
#include <QComboBox>
#include <QPushButton>
#include <fstream>

#include "tests/app/window_support.h"
#include "widgets/controls/inspector.h"

namespace bitloom::app {
namespace {

class OverridesTest : public testing::WindowTest {
  protected:
    /// Opens a recorded run and, for the next one, a job.
    void openRunAndJob(const std::string& job) {
        std::ofstream(m_folder / "job.toml") << job;
        testing::writeRun(m_folder / "run.h5", 3);
        showWindow();
        openAndWait(m_folder / "run.h5");
        m_window->openJob(m_folder / "job.toml");
        ASSERT_EQ(errorText().toStdString(), "");
    }
};

TEST_F(OverridesTest, OverridesOfTheInspectorReachTheNextJobAndCanBeCleared) {
    testing::writeRun(m_folder / "run.h5", 3);
    showWindow();
    openAndWait(m_folder / "run.h5");
    ASSERT_TRUE(m_window->jobs().draft().has_value());
    auto* inspector = m_window->findChild<widgets::Inspector*>();
    const QString layer = m_window->session().layer();
    Q_EMIT inspector->overrideChanged(layer, {QStringLiteral("dgms"), 8, {}});
    auto& draft = m_window->jobs().draft();
    ASSERT_EQ(draft->spec.quantizer.layers.count(layer.toStdString()), 1u);
    EXPECT_EQ(draft->spec.quantizer.layers.at(layer.toStdString()).components, 8);
    Q_EMIT inspector->overrideCleared(layer);
    EXPECT_TRUE(draft->spec.quantizer.layers.empty());
}

TEST_F(OverridesTest, WhatIsSetForALayerIsTakenByTheJobAndClearedInAllItsStages) {
    openRunAndJob(
        "[model]\narch = \"resnet20\"\n[quantizer]\nmethod = \"sgt\"\nvalues = [-1, 0, 1]\n"
        "[quantizer.layers.\"layer1.conv1\"]\nmethod = \"uniform\"\nbits = 3\n"
        "[[stage]]\nname = \"first\"\n[[stage]]\nname = \"second\"\nquantizer.method = \"rdhs\"\n"
        "[stage.quantizer.layers.\"layer1.conv2\"]\nbits = 2\n");
    auto* inspector = m_window->findChild<widgets::Inspector*>();
    auto* method = inspector->findChild<QComboBox*>(QStringLiteral("method"));
    EXPECT_EQ(method->count(), 7) << "all methods there are";
    const auto& draft = m_window->jobs().draft();
    const auto again = [&] {
        const auto job = jobs::parseJob(jobs::toToml(draft->spec), "again", m_folder.path());
        EXPECT_TRUE(job) << job.error().message;
        return *job;
    };
    for (const char* layer : {"layer1.conv1", "layer1.conv2"}) {
        m_window->session().selectLayer(QLatin1String(layer));
        auto* clear = inspector->findChild<QPushButton*>(QStringLiteral("clearOverride"));
        ASSERT_TRUE(clear->isEnabled()) << layer;
        clear->click();
        EXPECT_FALSE(clear->isEnabled());
    }
    EXPECT_TRUE(draft->file.empty()) << "the job file says otherwise";
    for (const jobs::JobSpec& stage : jobs::stagesOf(again()))
        EXPECT_TRUE(stage.quantizer.layers.empty());
    // The job's values must not stay with a method that refuses them.
    method->setCurrentIndex(method->findData(QStringLiteral("dgms")));
    inspector->findChild<QPushButton*>(QStringLiteral("applyOverride"))->click();
    for (const jobs::JobSpec& stage : jobs::stagesOf(again())) {
        ASSERT_EQ(stage.quantizer.layers.count("layer1.conv2"), 1u);
        const quant::LayerOptions& own = stage.quantizer.layers.at("layer1.conv2");
        EXPECT_EQ(own.method, "dgms");
        EXPECT_TRUE(own.values.empty());
    }
}

TEST_F(OverridesTest, WhereALayerBeginsIsNotSaidOfAStageOfLearnedBits) {
    openRunAndJob(
        "[model]\narch = \"resnet20\"\n[quantizer]\nmethod = \"sdq\"\nbits = 8\n[[stage]]\nname = "
        "\"bits\"\n"
        "[[stage]]\nname = \"levels\"\nquantizer.method = \"uniform\"\nquantizer.strategy = \"learned\"\n");
    auto* inspector = m_window->findChild<widgets::Inspector*>();
    const auto& draft = m_window->jobs().draft();
    const QString layer = QStringLiteral("layer1.conv2");
    Q_EMIT inspector->overrideChanged(layer, {QStringLiteral("sdq"), 16, {}});
    std::vector<jobs::JobSpec> stages = jobs::stagesOf(draft->spec);
    EXPECT_EQ(stages[0].quantizer.layers.count("layer1.conv2"), 1u);
    EXPECT_EQ(stages[1].quantizer.layers.count("layer1.conv2"), 0u);
    Q_EMIT inspector->overrideChanged(layer, {QStringLiteral("dgms"), 16, {}});
    stages = jobs::stagesOf(draft->spec);
    EXPECT_EQ(stages[1].quantizer.layers.count("layer1.conv2"), 1u) << "a method that keeps its bits";
    Q_EMIT inspector->overrideChanged(layer, {QStringLiteral("sdq"), 16, {}});
    EXPECT_EQ(jobs::stagesOf(draft->spec)[1].quantizer.layers.count("layer1.conv2"), 0u);
}

}  // namespace
}  // namespace bitloom::app
