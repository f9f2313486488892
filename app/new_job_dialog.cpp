#include "app/new_job_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStyle>
#include <QToolButton>
#include <cmath>

#include "widgets/format.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;

enum Unit { Epochs, Steps };
enum RecipeRow { ShortRunRow, PaperRow, UnchangedRow };

/// Widgets beside each other, from the left; the first has the keyboard.
QWidget* makeRow(std::initializer_list<QWidget*> widgets) {
    auto* row = new QWidget;
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    for (QWidget* widget : widgets)
        layout->addWidget(widget);
    row->setFocusProxy(*widgets.begin());
    return row;
}

}  // namespace

NewJobDialog::NewJobDialog(const JobDraft& proposal, QWidget* parent)
    : QDialog(parent),
      m_proposal(proposal),
      m_weights(new QLineEdit),
      m_data(new QComboBox),
      m_normalize(new QComboBox),
      m_method(new QComboBox),
      m_components(new QSpinBox),
      m_bits(new QLabel),
      m_length(new QDoubleSpinBox),
      m_unit(new QComboBox),
      m_recipe(new QComboBox),
      m_out(new QLineEdit),
      m_note(new QLabel),
      m_start(new QPushButton(tr("Start"))) {
    setObjectName(QStringLiteral("newJobDialog"));
    setWindowTitle(tr("New job"));
    addRows();
    nameControls();
    fill(proposal);
    m_filled = fields();
    connect(m_weights, &QLineEdit::textChanged, this, &NewJobDialog::check);
    connect(m_out, &QLineEdit::textChanged, this, &NewJobDialog::check);
    connect(m_data, &QComboBox::editTextChanged, this, &NewJobDialog::check);
    connect(m_method, &QComboBox::currentTextChanged, this, &NewJobDialog::check);
    connect(m_components, &QSpinBox::valueChanged, this, &NewJobDialog::check);
    check();
    resize(620, sizeHint().height());
}

void NewJobDialog::addRows() {
    auto* form = new QFormLayout(this);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(tr("&Weights"),
                 makeFileRow(m_weights, false, tr("Weights to quantize"), QStringLiteral("weights")));
    m_data->setEditable(true);
    m_data->addItems({QStringLiteral("generated"), QStringLiteral("cifar10:"), QStringLiteral("folder:")});
    form->addRow(tr("&Images"), m_data);
    m_normalize->addItems({QStringLiteral("half"), QStringLiteral("cifar10"), QStringLiteral("imagenet"),
                           QStringLiteral("none")});
    form->addRow(tr("&Normalization"), m_normalize);
    m_method->addItems(
        {QStringLiteral("dgms"), QStringLiteral("rdhs"), QStringLiteral("sgt"), QStringLiteral("none")});
    form->addRow(tr("&Method"), m_method);
    m_components->setRange(2, 256);
    form->addRow(tr("&Components"), makeRow({m_components, m_bits}));
    m_unit->addItems({tr("epochs"), tr("steps")});
    m_length->setRange(0.01, 1e7);
    connect(m_unit, &QComboBox::currentIndexChanged, this, [this](int unit) {
        m_length->setDecimals(unit == Steps ? 0 : 2);
        m_length->setMinimum(unit == Steps ? 1 : 0.01);
    });
    form->addRow(tr("&Length"), makeRow({m_length, m_unit}));
    m_recipe->addItem(tr("Short run: settled in minutes"));
    m_recipe->addItem(tr("Paper: exact gradients, long runs"));
    m_recipe->addItem(tr("As in the job"));
    form->addRow(tr("&Rates"), m_recipe);
    form->addRow(tr("Run &file"), makeFileRow(m_out, true, tr("Run file to write"), QStringLiteral("out")));
    m_note->setWordWrap(true);
    form->addRow(m_note);
    auto* buttons = new QDialogButtonBox;
    QPushButton* cancel = buttons->addButton(tr("Cancel"), QDialogButtonBox::RejectRole);
    cancel->setObjectName(QStringLiteral("cancelJob"));
    cancel->setToolTip(tr("Close without starting anything (Esc)"));
    buttons->addButton(m_start, QDialogButtonBox::AcceptRole);
    m_start->setDefault(true);
    form->addRow(buttons);
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
    name(m_method, "method",
         tr("dgms: a Gaussian mixture for each layer; rdhs, sgt: a search among +-1, +-1/2, ...; none: full "
            "precision"));
    name(m_components, "components",
         tr("Values that a weight may take, of dgms zero among them: 4 are 2 bits, 16 are 4 bits"));
    name(m_bits, "bits", tr("Bits per weight: the base-2 logarithm of the components"));
    name(m_length, "length", tr("How long to train"));
    name(m_unit, "unit", tr("Passes over the training images, or training batches"));
    name(m_recipe, "recipe",
         tr("Learning rate of each parameter group, gradient of the weights, initial widths"));
    name(m_note, "note", tr("What stands in the way, or what Start replaces"));
    name(m_start, "startJob", tr("Train with these choices (Enter)"));
    m_bits->setProperty("role", "muted");
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
    m_data->setEditText(QString::fromStdString(spec.data.source));
    m_normalize->setCurrentText(QString::fromStdString(spec.data.normalize));
    m_method->setCurrentText(QString::fromStdString(spec.quantizer.layer.method));
    m_components->setValue(spec.quantizer.layer.components);
    const bool steps = spec.train.steps > 0;
    m_unit->setCurrentIndex(steps ? Steps : Epochs);
    m_length->setValue(steps ? static_cast<double>(spec.train.steps) : spec.train.epochs);
    // A recipe replaces rates, so only rates that nobody chose may get one unasked.
    m_recipe->setCurrentIndex(proposal.guessed ? ShortRunRow : UnchangedRow);
    const bool isFree = !proposal.out.empty() && !isThere(proposal.out);
    const fs::path folder = proposal.out.empty() ? defaultRunFolder() : proposal.out.parent_path();
    const fs::path out = isFree ? proposal.out : freshRunPath(proposal, folder);
    m_out->setText(QString::fromStdString(out.string()));
}

NewJobDialog::Fields NewJobDialog::fields() const {
    return {m_weights->text(),     m_data->currentText(), m_normalize->currentText(), m_method->currentText(),
            m_components->value(), m_length->value(),     m_unit->currentIndex(),     m_out->text()};
}

void NewJobDialog::check() {
    const Fields now = fields();
    const bool quantizes = now.method != QLatin1String("none");
    m_components->setEnabled(quantizes);
    m_bits->setText(quantizes ? tr("= %1 bits per weight").arg(widgets::formatBits(std::log2(now.components)))
                              : tr("32 bits per weight"));
    const bool startsFromNothing = m_filled.weights.isEmpty() && !m_proposal.spec.model.arch.empty();
    QString problem;
    if (now.weights.isEmpty() && !startsFromNothing) {
        problem = tr("Choose the weights to start from.");
    } else if (!now.weights.isEmpty() && !QFileInfo(now.weights).isFile()) {
        problem = tr("There is no weight file of this name.");
    } else if (now.data.isEmpty()) {
        problem = tr("Choose the images to train on.");
    } else if (now.out.isEmpty()) {
        problem = tr("Choose the run file to write.");
    }
    m_start->setEnabled(problem.isEmpty());
    const fs::path out = now.out.toStdString();
    if (!problem.isEmpty()) {
        say(problem, "muted");
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
    if (now.data != m_filled.data) spec.data.source = now.data.toStdString();
    if (now.normalize != m_filled.normalize) spec.data.normalize = now.normalize.toStdString();
    if (now.method != m_filled.method) spec.quantizer.layer.method = now.method.toStdString();
    if (now.components != m_filled.components) {
        spec.quantizer.layer.components = now.components;
        spec.quantizer.layer.values.clear();
    }
    if (now.length != m_filled.length || now.unit != m_filled.unit) {
        spec.train.steps = now.unit == Steps ? std::llround(now.length) : 0;
        if (now.unit == Epochs) spec.train.epochs = now.length;
    }
    if (m_recipe->currentIndex() != UnchangedRow) {
        applyRecipe(m_recipe->currentIndex() == PaperRow ? Recipe::Paper : Recipe::ShortRun, spec);
    }
    if (!(spec == m_proposal.spec)) draft.file.clear();
    draft.out = now.out.toStdString();
    draft.replace = isThere(draft.out);  // the note said so
    return draft;
}

}  // namespace bitloom::app
