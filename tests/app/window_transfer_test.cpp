// The inspector's mixture of another run: asked for, looked at, part of the next job, cleared, refused.
#include <QCheckBox>
#include <QLabel>
#include <QPushButton>
#include <QTest>
#include <stdexcept>
#include <vector>

#include "engine/jobs/run_playback.h"
#include "tests/app/window_support.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;
using testing::waitFor;

class WindowTransfer : public testing::WindowTest {
  protected:
    /// A run of ResNet-20 with 4 components a layer, shown, and a layer of it chosen.
    void SetUp() override {
        trainTinyRun();
        m_run = m_window->jobs().runFile();
        m_window->session().selectLayer(QString::fromLatin1(kLayer));
    }
    void press() { QTest::mouseClick(button("transferMixture"), Qt::LeftButton); }
    [[nodiscard]] QPushButton* button(const char* name) const {
        return m_window->findChild<QPushButton*>(QLatin1String(name));
    }
    [[nodiscard]] std::optional<quant::LayerOptions> chosen() const {
        return m_window->jobs().overrideOf(kLayer);
    }
    [[nodiscard]] QString note() const {
        return m_window->findChild<QLabel*>(QStringLiteral("overrideNote"))->text();
    }
    static constexpr const char* kLayer = "layer2.0.conv1";
    fs::path m_run;
};

TEST_F(WindowTransfer, ARunIsPickedShownAndCleared) {
    press();
    EXPECT_EQ(m_questions, 1);
    EXPECT_FALSE(chosen().has_value()) << "cancelled";

    m_fileAnswer = QString::fromStdString(m_run.string());
    press();
    ASSERT_TRUE(waitFor([&] { return chosen().has_value() || !errorText().isEmpty(); }));
    ASSERT_EQ(errorText().toStdString(), "");
    EXPECT_EQ(chosen()->transfer, m_run.string());
    EXPECT_EQ(chosen()->method, "dgms");
    EXPECT_EQ(chosen()->components, 4) << "as many as the mixture has";
    EXPECT_EQ(note().toStdString(),
              "Set for this layer: dgms, 4 components, mixture from " + m_run.filename().string() + ".");
    m_window->session().selectLayer(QStringLiteral("layer2.0.conv2"));
    EXPECT_EQ(note().toStdString(), "This layer follows the job's default.");
    m_window->session().selectLayer(QString::fromLatin1(kLayer));
    EXPECT_TRUE(note().contains(QLatin1String("mixture from")));

    auto* scale = m_window->findChild<QCheckBox*>(QStringLiteral("scaleMixture"));
    EXPECT_FALSE(chosen()->transferScale);
    scale->click();
    EXPECT_TRUE(chosen()->transferScale);
    EXPECT_EQ(chosen()->transfer, m_run.string());
    m_window->session().selectLayer(QStringLiteral("layer2.0.conv2"));
    EXPECT_TRUE(scale->isHidden());
    m_window->session().selectLayer(QString::fromLatin1(kLayer));
    EXPECT_TRUE(scale->isChecked());

    QTest::mouseClick(button("clearOverride"), Qt::LeftButton);
    EXPECT_FALSE(chosen().has_value());
    EXPECT_EQ(note().toStdString(), "This layer follows the job's default.");
}

TEST_F(WindowTransfer, TheNextJobStartsWithIt) {
    JobDraft draft = *m_window->jobs().draft();
    draft.spec.train.seed = 7;  // other weights, which k-means would give another codebook
    m_window->jobs().setDraft(draft);
    m_fileAnswer = QString::fromStdString(m_run.string());
    press();
    ASSERT_TRUE(waitFor([&] { return chosen().has_value(); }));
    m_window->actions().start->trigger();
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().host().busy(); }, 100'000));
    ASSERT_EQ(errorText().toStdString(), "");
    ASSERT_NE(m_window->jobs().runFile(), m_run);
    const auto meansOf = [](const fs::path& file, const char* layer, std::int64_t step) {
        const auto playback = jobs::RunPlayback::open(file);
        EXPECT_TRUE(playback.ok()) << file;
        const auto snapshot = (*playback)->layer(layer, step);
        EXPECT_TRUE(snapshot.ok()) << layer;
        std::vector<double> means;
        for (const auto& component : (*snapshot)->mixtures.at(0).components)
            means.push_back(component.mu);
        return means;
    };
    const fs::path& next = m_window->jobs().runFile();
    EXPECT_EQ(meansOf(next, kLayer, 0), meansOf(m_run, kLayer, 1));
    EXPECT_NE(meansOf(next, "layer2.0.conv2", 0), meansOf(m_run, "layer2.0.conv2", 1)) << "by k-means";
}

TEST_F(WindowTransfer, ALayerThatLearnsItsBitsGoesOnLearning) {
    JobDraft draft = *m_window->jobs().draft();
    draft.spec.quantizer.layer.method = "dgms-mixed";
    m_window->jobs().setDraft(draft);
    m_fileAnswer = QString::fromStdString(m_run.string());
    press();
    ASSERT_TRUE(waitFor([&] { return chosen().has_value() || !errorText().isEmpty(); }));
    ASSERT_EQ(errorText().toStdString(), "");
    EXPECT_EQ(chosen()->method, "dgms-mixed");
    EXPECT_EQ(chosen()->transfer, m_run.string());
}

TEST_F(WindowTransfer, WhatIsNoRunIsRefusedAtOnce) {
    m_fileAnswer = QString::fromStdString((m_folder / "tiny.toml").string());
    press();
    ASSERT_TRUE(waitFor([&] { return !errorText().isEmpty(); }));
    EXPECT_TRUE(errorText().contains(QLatin1String("tiny.toml"))) << errorText().toStdString();
    EXPECT_TRUE(errorText().contains(QLatin1String(kLayer))) << errorText().toStdString();
    EXPECT_FALSE(chosen().has_value());
}

}  // namespace
}  // namespace bitloom::app
