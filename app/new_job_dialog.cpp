#include "app/new_job_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QStyle>
#include <QToolButton>
#include <algorithm>

#include "app/training_fields.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 640;

}  // namespace

NewJobDialog::NewJobDialog(const JobDraft& proposal, QWidget* parent)
    : QDialog(parent),
      m_proposal(proposal),
      m_trainings(jobs::stagesOf(proposal.spec)),
      m_form(new QFormLayout(this)),
      m_weights(new QLineEdit),
      m_data(new QComboBox),
      m_normalize(new QComboBox),
      m_stages(new QComboBox),
      m_teacher(new QLineEdit),
      m_out(new QLineEdit),
      m_note(new QLabel),
      m_start(new QPushButton(tr("Start"))) {
    setObjectName(QStringLiteral("newJobDialog"));
    setWindowTitle(tr("New job"));
    addRows();
    nameControls();
    fill(proposal);
    m_filled = fields();
    for (QLineEdit* edit : {m_weights, m_teacher, m_out})
        connect(edit, &QLineEdit::textChanged, this, &NewJobDialog::check);
    connect(m_data, &QComboBox::editTextChanged, this, &NewJobDialog::check);
    connect(m_training, &TrainingFields::changed, this, &NewJobDialog::check);
    connect(m_stages, &QComboBox::currentIndexChanged, this, &NewJobDialog::showStage);
    check();
    resize(kWidth, sizeHint().height());
}

void NewJobDialog::addRows() {
    m_form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_form->addRow(tr("&Weights"),
                   makeFileRow(m_weights, false, tr("Weights to quantize"), QStringLiteral("weights")));
    m_data->setEditable(true);
    m_data->addItems({QStringLiteral("generated"), QStringLiteral("cifar10:"), QStringLiteral("folder:")});
    m_form->addRow(tr("&Images"), m_data);
    m_normalize->addItems({QStringLiteral("half"), QStringLiteral("cifar10"), QStringLiteral("imagenet"),
                           QStringLiteral("none")});
    m_form->addRow(tr("&Normalization"), m_normalize);
    addStageRow();
    m_training = new TrainingFields(*m_form, this);
    m_teacherRow = makeFileRow(m_teacher, false, tr("Full-precision weights that distillation follows"),
                               QStringLiteral("teacher"));
    m_teacher->setPlaceholderText(tr("the weights that the run starts from"));
    m_form->addRow(tr("Teac&her"), m_teacherRow);
    m_form->addRow(tr("Run &file"), makeFileRow(m_out, true, tr("Run file to write"), QStringLiteral("out")));
    m_note->setWordWrap(true);
    m_form->addRow(m_note);
    addButtons();
}

/// Only for jobs that have stages: each of them has the fields below to itself.
void NewJobDialog::addStageRow() {
    const std::vector<jobs::StageSpec>& stages = m_proposal.spec.stages;
    for (std::size_t i = 0; i < stages.size(); ++i)
        m_stages->addItem(
            tr("%1 of %2: %3").arg(i + 1).arg(stages.size()).arg(QString::fromStdString(stages[i].name)));
    m_form->addRow(tr("&Stage"), m_stages);
    m_form->setRowVisible(m_stages, !stages.empty());
}

void NewJobDialog::addButtons() {
    auto* buttons = new QDialogButtonBox;
    QPushButton* cancel = buttons->addButton(tr("Cancel"), QDialogButtonBox::RejectRole);
    cancel->setObjectName(QStringLiteral("cancelJob"));
    cancel->setToolTip(tr("Close without starting anything (Esc)"));
    buttons->addButton(m_start, QDialogButtonBox::AcceptRole);
    m_start->setDefault(true);
    m_form->addRow(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
}

void NewJobDialog::nameControls() {
    const auto name = [](QWidget* control, const char* objectName, const QString& tip) {
        control->setObjectName(QLatin1String(objectName));
        control->setToolTip(tip);
    };
    name(m_data, "data",
         tr("generated: images the program makes; cifar10:FOLDER: binary batches; folder:FOLDER: one folder "
            "per class"));
    name(m_normalize, "normalize", tr("Mean and deviation of the pixels that the network was trained with"));
    name(m_stages, "stage",
         tr("The job trains in stages, each from where the one before ended; the fields from here to the "
            "rates are those of this one"));
    name(m_note, "note", tr("What stands in the way, or what Start replaces"));
    name(m_start, "startJob", tr("Train with these choices (Enter)"));
}

QWidget* NewJobDialog::makeFileRow(QLineEdit* edit, bool save, const QString& caption, const QString& name) {
    edit->setObjectName(name);
    edit->setToolTip(caption);
    auto* browse = new QToolButton;
    browse->setObjectName(name + QStringLiteral("Browse"));
    browse->setText(tr("Browse..."));
    browse->setToolTip(tr("Choose the file"));
    connect(browse, &QToolButton::clicked, this, [this, edit, save, caption] {
        const QString file =
            save ? QFileDialog::getSaveFileName(this, caption, edit->text(), tr("Runs (*.h5)"))
                 : QFileDialog::getOpenFileName(this, caption, edit->text());
        if (!file.isEmpty()) edit->setText(file);
    });
    return makeRow({edit, browse});
}

void NewJobDialog::fill(const JobDraft& proposal) {
    const jobs::JobSpec& spec = proposal.spec;
    m_weights->setText(QString::fromStdString(spec.model.weights));
    m_teacher->setText(QString::fromStdString(spec.model.teacher));
    m_data->setEditText(QString::fromStdString(spec.data.source));
    const QString normalize = QString::fromStdString(spec.data.normalize);
    if (m_normalize->findText(normalize) < 0) m_normalize->addItem(normalize);
    m_normalize->setCurrentText(normalize);
    m_training->show(m_trainings.front(), proposal.guessed, false);
    const bool isFree = !proposal.out.empty() && !isThere(proposal.out);
    const fs::path folder = proposal.out.empty() ? defaultRunFolder() : proposal.out.parent_path();
    const fs::path out = isFree ? proposal.out : freshRunPath(proposal, folder);
    m_out->setText(QString::fromStdString(out.string()));
}

NewJobDialog::Fields NewJobDialog::fields() const {
    return {m_weights->text(), m_teacher->text(), m_data->currentText(), m_normalize->currentText(),
            m_out->text()};
}

void NewJobDialog::showStage(int stage) {
    m_trainings = trainings();
    m_stage = stage;
    m_training->show(m_trainings[static_cast<std::size_t>(stage)], false, stage > 0);
    check();
}

std::vector<jobs::JobSpec> NewJobDialog::trainings() const {
    std::vector<jobs::JobSpec> now = m_trainings;
    now[static_cast<std::size_t>(m_stage)] = m_training->training();
    return now;
}

QString NewJobDialog::problem(const Fields& now) const {
    const bool startsFromNothing = m_filled.weights.isEmpty() && !m_proposal.spec.model.arch.empty();
    if (now.weights.isEmpty() && !startsFromNothing) return tr("Choose the weights to start from.");
    if (!now.weights.isEmpty() && !QFileInfo(now.weights).isFile())
        return tr("There is no weight file of this name.");
    if (now.data.isEmpty()) return tr("Choose the images to train on.");
    if (now.teacher != m_filled.teacher && !now.teacher.isEmpty() && !QFileInfo(now.teacher).isFile())
        return tr("There is no file of the teacher's name.");
    if (now.out.isEmpty()) return tr("Choose the run file to write.");
    return m_training->problem();
}

void NewJobDialog::check() {
    const Fields now = fields();
    const auto stages = trainings();
    m_form->setRowVisible(m_teacherRow, std::ranges::any_of(stages, [](const jobs::JobSpec& stage) {
                              return stage.train.distillation > 0;
                          }));
    const QString wrong = problem(now);
    m_start->setEnabled(wrong.isEmpty());
    // Another stage could not be judged while this one is shown.
    m_stages->setEnabled(m_training->problem().isEmpty());
    const fs::path out = now.out.toStdString();
    if (!wrong.isEmpty()) {
        say(wrong, "muted");
    } else if (isThere(out)) {
        const fs::path free = firstFree(out, isThere);
        say(tr("This run file exists; Start replaces it and its checkpoints. %1 is free.")
                .arg(QString::fromStdString(free.string())),
            "warning");
    } else if (now.weights.isEmpty()) {
        say(tr("Without weights, training starts from random ones."), "muted");
    } else {
        say({}, "muted");
    }
}

void NewJobDialog::say(const QString& text, const char* role) {
    m_note->setText(text);
    m_note->setProperty("role", role);
    m_note->style()->unpolish(m_note);
    m_note->style()->polish(m_note);
}

JobDraft NewJobDialog::draft() const {
    const Fields now = fields();
    JobDraft draft = m_proposal;
    draft.guessed = false;
    jobs::JobSpec& spec = draft.spec;
    if (now.weights != m_filled.weights) {
        spec.model.arch.clear();
        spec.model.weights = now.weights.toStdString();
    }
    if (now.teacher != m_filled.teacher) spec.model.teacher = now.teacher.toStdString();
    if (now.data != m_filled.data) spec.data.source = now.data.toStdString();
    if (now.normalize != m_filled.normalize) spec.data.normalize = now.normalize.toStdString();
    const std::vector<jobs::JobSpec> stages = trainings();
    if (spec.stages.empty()) {
        spec.quantizer = stages.front().quantizer;
        spec.train = stages.front().train;
    }
    for (std::size_t i = 0; i < spec.stages.size(); ++i) {
        spec.stages[i].quantizer = stages[i].quantizer;
        spec.stages[i].train = stages[i].train;
    }
    if (!(spec == m_proposal.spec)) draft.file.clear();
    draft.out = now.out.toStdString();
    draft.replace = isThere(draft.out);  // the note said so
    return draft;
}

}  // namespace bitloom::app
