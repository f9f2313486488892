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
#include "engine/jobs/method_fields.h"
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

    /// Whether the row of this control is part of the form.
    [[nodiscard]] static bool isRowShown(const NewJobDialog& dialog, const char* name) {
        const auto* control = find<QWidget>(dialog, name);
        const QWidget* row = control->parentWidget();
        return !control->isHidden() && !row->isHidden();
    }
    static void choose(const NewJobDialog& dialog, const char* method) {
        auto* methods = find<QComboBox>(dialog, "method");
        methods->setCurrentIndex(methods->findData(QLatin1String(method)));
    }

    bitloom::testing::TemporaryFolder m_folder;
    JobDraft m_proposal;
};

TEST_F(NewJobTest, LeavesAJobAloneThatNobodyChangesAndShowsIt) {
    jobs::JobSpec& spec = m_proposal.spec;
    ASSERT_GE(jobs::methodFields().size(), 7u);
    for (const jobs::MethodFields& method : jobs::methodFields()) {
        spec.quantizer.layer.method = method.name;
        spec.quantizer.layer.components = method.sizes.empty() ? 5 : method.sizes.back();
        spec.quantizer.sdq.target = 2.625;
        spec.quantizer.activation.method = quant::ActivationMethod::Lsq;
        spec.quantizer.activation.bits = 3;
        spec.quantizer.firstLastBits = 5;
        spec.train.epochs = 0.125;
        spec.train.rates.weight = 0.123;
        spec.train.distillation = 0.8;
        const NewJobDialog dialog(m_proposal);
        EXPECT_TRUE(dialog.draft().spec == spec) << method.name;
        EXPECT_EQ(dialog.draft().file, m_proposal.file);
        EXPECT_EQ(dialog.draft().out, m_proposal.out);
        EXPECT_FALSE(dialog.draft().replace);
        EXPECT_TRUE(find<QPushButton>(dialog, "startJob")->isEnabled())
            << find<QLabel>(dialog, "note")->text().toStdString();
        const auto isThere = [&](const char* name) { return !find<QWidget>(dialog, name)->isHidden(); };
        EXPECT_EQ(find<QComboBox>(dialog, "method")->currentData().toString().toStdString(), method.name);
        EXPECT_EQ(find<QSpinBox>(dialog, "components")->value(), spec.quantizer.layer.components);
        EXPECT_EQ(isRowShown(dialog, "components"), !method.sizes.empty()) << method.name;
        EXPECT_EQ(isThere("values"), method.values) << method.name;
        EXPECT_EQ(isRowShown(dialog, "target"), method.budget) << method.name;
        EXPECT_EQ(isRowShown(dialog, "strategy"), !method.sizes.empty()) << method.name;
        EXPECT_EQ(find<QDoubleSpinBox>(dialog, "target")->text().toStdString(), "2.625");
        EXPECT_EQ(find<QDoubleSpinBox>(dialog, "length")->text().toStdString(), "0.125");
        EXPECT_EQ(find<QComboBox>(dialog, "activation")->currentIndex(), 2);
        EXPECT_EQ(find<QSpinBox>(dialog, "activationBits")->value(), 3);
        EXPECT_EQ(find<QDoubleSpinBox>(dialog, "distillation")->value(), 0.8);
        EXPECT_EQ(find<QComboBox>(dialog, "ends")->currentData().toInt(), 5);
        EXPECT_EQ(isThere("ends"), !method.sizes.empty()) << method.name;
        EXPECT_TRUE(isRowShown(dialog, "teacher"));
        EXPECT_FALSE(isThere("stage"));
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
    EXPECT_NE(find<QLabel>(dialog, "componentBits")->text().indexOf(QLatin1String("2.58")), -1)
        << find<QLabel>(dialog, "componentBits")->text().toStdString();
}

TEST_F(NewJobTest, EachMethodHasItsFields) {
    const NewJobDialog dialog(m_proposal);
    find<QSpinBox>(dialog, "components")->setValue(6);
    choose(dialog, "sdq");
    EXPECT_EQ(find<QSpinBox>(dialog, "components")->value(), 4) << "levels are powers of two";
    find<QSpinBox>(dialog, "components")->stepBy(2);
    find<QDoubleSpinBox>(dialog, "target")->setValue(68'000);
    find<QComboBox>(dialog, "budget")->setCurrentIndex(1);
    std::ofstream(m_folder / "bits.toml") << "bits";
    const QString strategy = QString::fromStdString((m_folder / "bits.toml").string());
    find<QComboBox>(dialog, "strategy")->setEditText(QStringLiteral("nowhere.toml"));
    EXPECT_FALSE(find<QPushButton>(dialog, "startJob")->isEnabled());
    find<QComboBox>(dialog, "strategy")->setEditText(QStringLiteral("learned"));
    EXPECT_FALSE(find<QPushButton>(dialog, "startJob")->isEnabled()) << "no stage before it";
    find<QComboBox>(dialog, "strategy")->setEditText(strategy);
    EXPECT_TRUE(find<QPushButton>(dialog, "startJob")->isEnabled());
    auto* ends = find<QComboBox>(dialog, "ends");
    ends->setCurrentIndex(ends->findData(8));
    find<QComboBox>(dialog, "activation")->setCurrentIndex(1);
    find<QSpinBox>(dialog, "activationBits")->setValue(4);
    EXPECT_FALSE(isRowShown(dialog, "teacher"));
    find<QDoubleSpinBox>(dialog, "distillation")->setValue(0.5);
    EXPECT_TRUE(isRowShown(dialog, "teacher"));
    find<QLineEdit>(dialog, "teacher")->setText(find<QLineEdit>(dialog, "weights")->text());
    const jobs::JobSpec spec = dialog.draft().spec;
    EXPECT_EQ(spec.quantizer.layer.method, "sdq");
    EXPECT_EQ(spec.quantizer.layer.components, 16);
    EXPECT_EQ(spec.quantizer.sdq.target, 68'000);
    EXPECT_EQ(spec.quantizer.sdq.budget, quant::BitBudgetKind::Bytes);
    EXPECT_EQ(spec.quantizer.strategy, strategy.toStdString());
    EXPECT_EQ(spec.quantizer.activation.method, quant::ActivationMethod::Ptq);
    EXPECT_EQ(spec.quantizer.activation.bits, 4);
    EXPECT_EQ(spec.quantizer.firstLastBits, 8);
    EXPECT_EQ(spec.train.distillation, 0.5);
    EXPECT_EQ(spec.model.teacher, spec.model.weights);
    EXPECT_TRUE(jobs::parseJob(jobs::toToml(spec), "dialog", m_folder.path()).ok());
}

TEST_F(NewJobTest, EndsThatTheJobQuantizesAreNotCalledFullPrecision) {
    const auto shown = [&] { return find<QComboBox>(NewJobDialog(m_proposal), "ends")->currentText(); };
    EXPECT_EQ(shown().toStdString(), "full precision");
    m_proposal.spec.quantizer.exclude.emplace();
    EXPECT_EQ(shown().toStdString(), "as the job's exclude says");
}

TEST_F(NewJobTest, AValueSetCountsTheComponents) {
    m_proposal.spec.quantizer.layer.method = "rdhs";
    m_proposal.spec.quantizer.layer.components = 3;
    m_proposal.spec.quantizer.layer.values = {-1, 0, 1};
    const NewJobDialog dialog(m_proposal);
    auto* values = find<QLineEdit>(dialog, "values");
    EXPECT_EQ(values->text().toStdString(), "-1, 0, 1");
    values->setText(QStringLiteral("-1 -0.5 0.5 1"));
    EXPECT_EQ(find<QSpinBox>(dialog, "components")->value(), 4);
    EXPECT_FALSE(find<QSpinBox>(dialog, "components")->isEnabled());
    EXPECT_EQ(dialog.draft().spec.quantizer.layer.values, (std::vector<double>{-1, -0.5, 0.5, 1}));
    EXPECT_EQ(dialog.draft().spec.quantizer.layer.components, 4);
    for (const char* wrong : {"1", "1, 1", "1, x"}) {
        values->setText(QLatin1String(wrong));
        EXPECT_FALSE(find<QPushButton>(dialog, "startJob")->isEnabled()) << wrong;
        EXPECT_NE(find<QLabel>(dialog, "note")->text().indexOf(QLatin1String("Value set")), -1);
    }
    choose(dialog, "uniform");
    EXPECT_TRUE(dialog.draft().spec.quantizer.layer.values.empty()) << "its levels are equally spaced";
    EXPECT_TRUE(find<QPushButton>(dialog, "startJob")->isEnabled());
}

TEST_F(NewJobTest, AnotherMethodGetsItsRatesUnlessTheyWereChosen) {
    m_proposal.spec.train.rates.weight = 0.123;
    const NewJobDialog dialog(m_proposal);
    choose(dialog, "rdhs");
    find<QSpinBox>(dialog, "components")->setValue(2);
    EXPECT_EQ(dialog.draft().spec.train.rates.alpha, 3);
    find<QSpinBox>(dialog, "components")->setValue(4);
    EXPECT_EQ(dialog.draft().spec.train.rates.alpha, 0.3) << "of more values than two";
    find<QSpinBox>(dialog, "components")->setValue(m_proposal.spec.quantizer.layer.components);
    EXPECT_EQ(find<QComboBox>(dialog, "recipe")->currentIndex(), 0);
    choose(dialog, "dgms");
    EXPECT_TRUE(dialog.draft().spec == m_proposal.spec) << "as it was";
}

TEST_F(NewJobTest, EachStageOfAJobIsShownAndChangedByItself) {
    const auto job = jobs::parseJob(
        "[quantizer]\nmethod = \"sdq\"\nbits = 8\ntarget = 2\n[[stage]]\nname = \"bitwidths\"\n"
        "train.epochs = 3\n[[stage]]\nname = \"levels\"\nquantizer.method = \"uniform\"\n"
        "quantizer.strategy = \"learned\"\ntrain.distillation = 1\ntrain.epochs = 12\n",
        "job", m_folder.path());
    ASSERT_TRUE(job) << job.error().message;
    const jobs::ModelSpec model = m_proposal.spec.model;
    m_proposal.spec = *job;
    m_proposal.spec.model = model;
    const NewJobDialog dialog(m_proposal);
    auto* stages = find<QComboBox>(dialog, "stage");
    EXPECT_FALSE(stages->isHidden());
    ASSERT_EQ(stages->count(), 2);
    EXPECT_EQ(stages->currentText().toStdString(), "1 of 2: bitwidths");
    EXPECT_EQ(find<QComboBox>(dialog, "method")->currentData().toString().toStdString(), "sdq");
    EXPECT_TRUE(isRowShown(dialog, "teacher")) << "the other stage has one";
    find<QDoubleSpinBox>(dialog, "target")->setValue(3);
    stages->setCurrentIndex(1);
    EXPECT_EQ(find<QComboBox>(dialog, "method")->currentData().toString().toStdString(), "uniform");
    EXPECT_EQ(find<QComboBox>(dialog, "strategy")->currentText().toStdString(), "learned");
    EXPECT_EQ(find<QDoubleSpinBox>(dialog, "length")->value(), 12);
    EXPECT_TRUE(find<QPushButton>(dialog, "startJob")->isEnabled());
    find<QDoubleSpinBox>(dialog, "length")->setValue(2);
    stages->setCurrentIndex(0);
    EXPECT_EQ(find<QDoubleSpinBox>(dialog, "target")->value(), 3);
    stages->setCurrentIndex(1);
    const jobs::JobSpec changed = dialog.draft().spec;
    EXPECT_EQ(changed.stages[0].quantizer.sdq.target, 3);
    EXPECT_EQ(changed.stages[0].train.epochs, 3);
    EXPECT_EQ(changed.stages[1].train.epochs, 2);
    const auto again = jobs::parseJob(jobs::toToml(changed), "again", m_folder.path());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE(*again == changed) << "the file that Start writes says all of it";
    find<QDoubleSpinBox>(dialog, "length")->setValue(12);
    stages->setCurrentIndex(0);
    find<QDoubleSpinBox>(dialog, "target")->setValue(2);
    EXPECT_TRUE(dialog.draft().spec == m_proposal.spec);
    EXPECT_EQ(dialog.draft().file, m_proposal.file);
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
    EXPECT_GE(checked, 23);
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
