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
#include <QToolButton>
#include <cmath>

namespace bitloom::app {
namespace {

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
      m_bits(new QSpinBox),
      m_components(new QLabel),
      m_length(new QDoubleSpinBox),
      m_unit(new QComboBox),
      m_recipe(new QComboBox),
      m_out(new QLineEdit),
      m_problem(new QLabel) {
    setObjectName(QStringLiteral("newJobDialog"));
    setWindowTitle(tr("New DGMS job"));
    auto* form = new QFormLayout(this);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);

    m_data->setEditable(true);
    m_data->setObjectName(QStringLiteral("data"));
    m_data->addItems({QStringLiteral("generated"), QStringLiteral("cifar10:"), QStringLiteral("folder:")});
    m_data->setToolTip(
        tr("generated: images the program makes; cifar10:FOLDER: binary batches; folder:FOLDER: a folder a "
           "class"));
    m_normalize->addItems({QStringLiteral("half"), QStringLiteral("cifar10"), QStringLiteral("imagenet"),
                           QStringLiteral("none")});
    m_normalize->setToolTip(tr("Mean and deviation of the pixels that the network was trained with"));
    m_bits->setRange(1, 8);
    m_bits->setObjectName(QStringLiteral("bits"));
    m_components->setProperty("role", "muted");
    m_recipe->addItem(tr("Short run: settled in minutes"));
    m_recipe->addItem(tr("Paper: exact gradients, long runs"));
    m_recipe->addItem(tr("As in the job"));
    m_recipe->setToolTip(
        tr("Learning rate of each parameter group, gradient of the weights, initial widths"));
    m_problem->setProperty("role", "muted");
    m_problem->setWordWrap(true);

    form->addRow(tr("&Weights"),
                 makeFileRow(m_weights, false, tr("Weights to quantize"), QStringLiteral("weights")));
    form->addRow(tr("&Images"), m_data);
    form->addRow(tr("&Normalization"), m_normalize);
    form->addRow(tr("&Bits a weight"), makeRow({m_bits, m_components}));
    form->addRow(tr("&Length"), makeLengthRow());
    form->addRow(tr("&Rates"), m_recipe);
    form->addRow(tr("Run &file"), makeFileRow(m_out, true, tr("Run file to write"), QStringLiteral("out")));
    form->addRow(m_problem);
    auto* buttons = new QDialogButtonBox;
    buttons->addButton(tr("Cancel"), QDialogButtonBox::RejectRole);
    m_start = buttons->addButton(tr("Start"), QDialogButtonBox::AcceptRole);
    m_start->setObjectName(QStringLiteral("startJob"));
    m_start->setDefault(true);
    form->addRow(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);

    fill(proposal);
    connect(m_weights, &QLineEdit::textChanged, this, &NewJobDialog::check);
    connect(m_out, &QLineEdit::textChanged, this, &NewJobDialog::check);
    connect(m_data, &QComboBox::editTextChanged, this, &NewJobDialog::check);
    connect(m_bits, &QSpinBox::valueChanged, this, &NewJobDialog::check);
    check();
    resize(620, sizeHint().height());
}

QWidget* NewJobDialog::makeFileRow(QLineEdit* edit, bool save, const QString& caption, const QString& name) {
    edit->setObjectName(name);
    auto* browse = new QToolButton;
    browse->setText(tr("Browse..."));
    connect(browse, &QToolButton::clicked, this, [this, edit, save, caption] {
        const QString file =
            save ? QFileDialog::getSaveFileName(this, caption, edit->text(), tr("Runs (*.h5)"))
                 : QFileDialog::getOpenFileName(this, caption, edit->text());
        if (!file.isEmpty()) edit->setText(file);
    });
    return makeRow({edit, browse});
}

QWidget* NewJobDialog::makeLengthRow() {
    m_unit->addItems({tr("epochs"), tr("steps")});
    m_length->setObjectName(QStringLiteral("length"));
    m_length->setRange(0.01, 1e7);
    connect(m_unit, &QComboBox::currentIndexChanged, this,
            [this](int unit) { m_length->setDecimals(unit == Steps ? 0 : 2); });
    return makeRow({m_length, m_unit});
}

void NewJobDialog::fill(const JobDraft& proposal) {
    const jobs::JobSpec& spec = proposal.spec;
    m_weights->setText(QString::fromStdString(spec.model.weights));
    m_data->setEditText(QString::fromStdString(spec.data.source));
    m_normalize->setCurrentText(QString::fromStdString(spec.data.normalize));
    m_bits->setValue(static_cast<int>(std::lround(std::log2(spec.quantizer.layer.components))));
    const bool steps = spec.train.steps > 0;
    m_unit->setCurrentIndex(steps ? Steps : Epochs);
    m_length->setDecimals(steps ? 0 : 2);
    m_length->setValue(steps ? static_cast<double>(spec.train.steps) : spec.train.epochs);
    m_recipe->setCurrentIndex(proposal.file.empty() ? ShortRunRow : UnchangedRow);
    const std::filesystem::path out =
        proposal.out.empty() ? freshRunPath(proposal, defaultRunFolder()) : proposal.out;
    m_out->setText(QString::fromStdString(out.string()));
}

void NewJobDialog::check() {
    m_components->setText(tr("%1 values, zero among them").arg(1 << m_bits->value()));
    QString problem;
    const QString source = m_data->currentText();
    if (m_weights->text().isEmpty()) {
        problem = tr("Choose the weights to start from.");
    } else if (!QFileInfo(m_weights->text()).isFile()) {
        problem = tr("There is no weight file of this name.");
    } else if (m_out->text().isEmpty()) {
        problem = tr("Choose the run file to write.");
    } else if (QFileInfo::exists(m_out->text())) {
        problem = tr("The run file exists; Start replaces it.");
    }
    const bool fatal = m_weights->text().isEmpty() || !QFileInfo(m_weights->text()).isFile() ||
                       m_out->text().isEmpty() || source.isEmpty();
    m_problem->setText(problem);
    m_start->setEnabled(!fatal);
}

JobDraft NewJobDialog::draft() const {
    JobDraft draft = m_proposal;
    draft.file.clear();
    draft.guessed = false;
    jobs::JobSpec& spec = draft.spec;
    if (spec.model.weights != m_weights->text().toStdString()) spec.model.arch.clear();
    spec.model.weights = m_weights->text().toStdString();
    spec.data.source = m_data->currentText().toStdString();
    spec.data.normalize = m_normalize->currentText().toStdString();
    spec.quantizer.layer.components = 1 << m_bits->value();
    spec.quantizer.layer.method = "dgms";
    const bool steps = m_unit->currentIndex() == Steps;
    spec.train.steps = steps ? std::llround(m_length->value()) : 0;
    if (!steps) spec.train.epochs = m_length->value();
    if (m_recipe->currentIndex() != UnchangedRow) {
        applyRecipe(m_recipe->currentIndex() == PaperRow ? Recipe::Paper : Recipe::ShortRun, spec);
    }
    draft.out = m_out->text().toStdString();
    return draft;
}

}  // namespace bitloom::app
