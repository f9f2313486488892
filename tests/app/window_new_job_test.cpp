// The dialog for a new job changes what the person changes and nothing else; the verdict on an export.
#include <QAbstractSpinBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QToolButton>
#include <fstream>

#include "app/job_controller.h"
#include "app/new_job_dialog.h"
#include "tests/app/window_support.h"

namespace bitloom::app {
namespace {

class NewJobTest : public ::testing::Test {
  protected:
    NewJobTest() {
        std::ofstream(m_folder / "net.safetensors") << "weights";
        m_proposal.spec.model.weights = (m_folder / "net.safetensors").string();
        m_proposal.out = m_folder / "run.h5";
        m_proposal.file = m_folder / "job.toml";
    }
    template <class Control>
    [[nodiscard]] static Control* find(const NewJobDialog& dialog, const char* name) {
        auto* control = dialog.findChild<Control*>(QLatin1String(name));
        EXPECT_NE(control, nullptr) << name;
        return control;
    }

    bitloom::testing::TemporaryFolder m_folder;
    JobDraft m_proposal;
};

TEST_F(NewJobTest, LeavesAJobAloneThatNobodyChanges) {
    jobs::JobSpec& spec = m_proposal.spec;
    for (const char* method : {"dgms", "rdhs", "sgt", "none"}) {
        spec.quantizer.layer.method = method;
        spec.quantizer.layer.components = 5;
        spec.train.epochs = 0.125;
        spec.train.rates.weight = 0.123;
        const NewJobDialog dialog(m_proposal);
        EXPECT_TRUE(dialog.draft().spec == spec);
        EXPECT_EQ(dialog.draft().file, m_proposal.file);
        EXPECT_EQ(dialog.draft().out, m_proposal.out);
        EXPECT_FALSE(dialog.draft().replace);
    }
}

TEST_F(NewJobTest, WritesWhatWasChanged) {
    m_proposal.spec.train.rates.weight = 0.123;
    const NewJobDialog dialog(m_proposal);
    find<QSpinBox>(dialog, "components")->setValue(6);
    find<QComboBox>(dialog, "unit")->setCurrentIndex(1);
    find<QDoubleSpinBox>(dialog, "length")->setValue(40);
    const JobDraft draft = dialog.draft();
    EXPECT_EQ(draft.spec.quantizer.layer.components, 6);
    EXPECT_EQ(draft.spec.train.steps, 40);
    EXPECT_EQ(draft.spec.train.rates.weight, 0.123);
    EXPECT_TRUE(draft.file.empty()) << "no job file says this";
    EXPECT_NE(find<QLabel>(dialog, "bits")->text().indexOf(QLatin1String("2.58")), -1)
        << find<QLabel>(dialog, "bits")->text().toStdString();
}

TEST_F(NewJobTest, GuessedJobsGetTheRecipeOfTheirComponents) {
    m_proposal.guessed = true;
    const NewJobDialog dialog(m_proposal);
    find<QSpinBox>(dialog, "components")->setValue(4);
    EXPECT_EQ(dialog.draft().spec.train.rates.weight, 3e-2);
    find<QSpinBox>(dialog, "components")->setValue(16);
    EXPECT_EQ(dialog.draft().spec.train.rates.weight, 1e-3);
}

TEST_F(NewJobTest, WarnsOfARunThatWouldBeReplacedAndProposesAnother) {
    std::ofstream(m_folder / "run.h5") << "a run";
    m_proposal.file.clear();
    m_proposal.spec.model.arch = "resnet20";
    const NewJobDialog dialog(m_proposal);
    auto* out = find<QLineEdit>(dialog, "out");
    auto* note = find<QLabel>(dialog, "note");
    EXPECT_EQ(out->text().toStdString(), (m_folder / "resnet20-16.h5").string());
    EXPECT_EQ(note->text().toStdString(), "");
    out->setText(QString::fromStdString((m_folder / "run.h5").string()));
    EXPECT_EQ(note->property("role").toString().toStdString(), "warning");
    EXPECT_NE(note->text().indexOf(QLatin1String("run-2.h5")), -1) << note->text().toStdString();
    EXPECT_TRUE(dialog.draft().replace) << "the person was told";
    EXPECT_TRUE(find<QPushButton>(dialog, "startJob")->isEnabled());
}

TEST_F(NewJobTest, NeedsWeightsUnlessTheJobHasNone) {
    {
        const NewJobDialog dialog(m_proposal);
        find<QLineEdit>(dialog, "weights")->clear();
        EXPECT_FALSE(find<QPushButton>(dialog, "startJob")->isEnabled());
    }
    m_proposal.spec.model.weights.clear();
    m_proposal.spec.model.arch = "resnet20";
    const NewJobDialog dialog(m_proposal);
    EXPECT_TRUE(find<QPushButton>(dialog, "startJob")->isEnabled());
    EXPECT_EQ(dialog.draft().spec.model.arch, "resnet20");
}

TEST_F(NewJobTest, EveryControlExplainsItself) {
    const NewJobDialog dialog(m_proposal);
    int checked = 0;
    for (const QWidget* control : dialog.findChildren<QWidget*>()) {
        const bool interactive =
            qobject_cast<const QAbstractButton*>(control) || qobject_cast<const QComboBox*>(control) ||
            qobject_cast<const QAbstractSpinBox*>(control) || qobject_cast<const QLineEdit*>(control);
        // The parts of a combo box or a spin box belong to it.
        const bool isPart = qobject_cast<const QComboBox*>(control->parentWidget()) ||
                            qobject_cast<const QAbstractSpinBox*>(control->parentWidget()) ||
                            control->objectName().startsWith(QLatin1String("qt_"));
        if (!interactive || isPart) continue;
        EXPECT_FALSE(control->objectName().isEmpty()) << control->metaObject()->className();
        EXPECT_FALSE(control->toolTip().isEmpty()) << control->objectName().toStdString();
        ++checked;
    }
    EXPECT_GE(checked, 13);
}

TEST(ExportVerdict, AFileThatDiffersIsAnError) {
    jobs::ExportResult result;
    result.path = "net.h5";
    result.bytes = 1000;
    result.fp32Bytes = 8000;
    result.compression = 8;
    result.identical = true;
    result.top1File = report::kNoValue;
    const auto good = describe(result);
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_NE(good->indexOf(QLatin1String("identical")), -1) << good->toStdString();
    result.identical = false;
    const auto bad = describe(result);
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message.find("net.h5"), std::string::npos) << bad.error().message;
    EXPECT_NE(bad.error().message.find("differs"), std::string::npos) << bad.error().message;
}

}  // namespace
}  // namespace bitloom::app
