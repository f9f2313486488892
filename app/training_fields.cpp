#include "app/training_fields.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QToolButton>
#include <algorithm>
#include <cmath>

#include "app/job_draft.h"
#include "app/method_choices.h"

namespace bitloom::app {
namespace {

enum LengthUnit { Epochs, Steps };
enum RecipeRow { ShortRunRow, PaperRow, UnchangedRow };

/// Shows the digits that a number needs and no more, so that it looks as in the job file.
class NumberBox : public QDoubleSpinBox {
  public:
    NumberBox(double low, double high, int decimals) {
        setDecimals(decimals);
        setRange(low, high);
        setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("0000000000000")) + 30);
    }
    [[nodiscard]] QString textFromValue(double value) const override {
        QLocale plain = locale();
        plain.setNumberOptions(QLocale::OmitGroupSeparator);
        return plain.toString(value, 'f', QLocale::FloatingPointShortest);
    }
    /// The largest number would make every dialog as wide as the screen.
    [[nodiscard]] QSize sizeHint() const override {
        return {minimumWidth(), QDoubleSpinBox::sizeHint().height()};
    }
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }
};

}  // namespace

QWidget* makeRow(std::initializer_list<QWidget*> widgets) {
    auto* row = new QWidget;
    auto* layout = new QHBoxLayout(row);
    layout->setContentsMargins(0, 0, 0, 0);
    for (QWidget* widget : widgets)
        layout->addWidget(widget);
    row->setFocusProxy(*widgets.begin());
    return row;
}

TrainingFields::TrainingFields(QFormLayout& form, QWidget* owner)
    : QObject(owner), m_form(form), m_method(new widgets::MethodEditor(owner)) {
    makeControls(owner);
    addRows();
    nameControls();
    connectControls();
}

void TrainingFields::makeControls(QWidget* owner) {
    m_method->setMethods(methodChoices());
    m_target = new NumberBox(0.01, 1e15, 3);
    m_budget = new QComboBox;
    m_budget->addItems(
        {tr("bits a weight, in the mean"), tr("bytes of the weights"), tr("bit operations an image")});
    m_strategy = new QComboBox;
    m_strategy->setEditable(true);
    m_strategy->setInsertPolicy(QComboBox::NoInsert);
    m_strategyBrowse = new QToolButton;
    m_strategyBrowse->setText(tr("Browse..."));
    connect(m_strategyBrowse, &QToolButton::clicked, owner, [this, owner] {
        const QString file =
            QFileDialog::getOpenFileName(owner, tr("Bits of each layer"), m_strategy->currentText(),
                                         tr("Strategies (*.toml);;All files (*)"));
        if (!file.isEmpty()) m_strategy->setEditText(file);
    });
    m_ends = new QComboBox;
    m_ends->addItem(tr("full precision"), 0);
    for (int bits = 8; bits >= 2; --bits)
        m_ends->addItem(tr("%1 bits").arg(bits), bits);
    m_activation = new QComboBox;
    m_activation->addItems({tr("float"), tr("rounded after training (ptq)"), tr("trained steps (lsq)")});
    m_activationBits = new QSpinBox;
    m_activationBits->setRange(2, 8);
    m_activationBits->setSuffix(tr(" bits"));
    m_distillation = new NumberBox(0, 1, 4);
    m_distillation->setSingleStep(0.1);
    m_length = new NumberBox(0.0001, 1e7, 4);
    m_unit = new QComboBox;
    m_unit->addItems({tr("epochs"), tr("steps")});
    m_recipe = new QComboBox;
    m_recipe->addItems({tr("Short run: settled in minutes"), tr("Paper: published settings, long runs"),
                        tr("As in the job")});
}

void TrainingFields::addRows() {
    m_form.addRow(tr("&Method"), &m_method->method());
    m_sizeRow = makeRow({&m_method->components(), &m_method->bits()});
    m_form.addRow(tr("&Components"), m_sizeRow);
    m_form.addRow(tr("&Value set"), &m_method->values());
    m_budgetRow = makeRow({m_target, m_budget});
    m_form.addRow(tr("&Budget"), m_budgetRow);
    m_strategyRow = makeRow({m_strategy, m_strategyBrowse});
    static_cast<QHBoxLayout*>(m_strategyRow->layout())->setStretch(0, 1);
    m_form.addRow(tr("Bits of &layers"), m_strategyRow);
    m_form.addRow(tr("Firs&t and last"), m_ends);
    m_form.addRow(tr("&Activations"), makeRow({m_activation, m_activationBits}));
    m_form.addRow(tr("&Distillation"), m_distillation);
    m_form.addRow(tr("L&ength"), makeRow({m_length, m_unit}));
    m_form.addRow(tr("&Rates"), m_recipe);
}

void TrainingFields::nameControls() {
    const auto name = [](QWidget* control, const char* objectName, const QString& tip) {
        control->setObjectName(QLatin1String(objectName));
        control->setToolTip(tip);
    };
    m_method->method().setToolTip(
        tr("How the weights of every layer are quantized that has no setting of its own"));
    name(m_target, "target",
         tr("What all layers together may take, first and last left out; each learns its share"));
    name(m_budget, "budget", tr("What the budget counts"));
    name(m_strategy, "strategy",
         tr("A file with each layer's bits, as File > Export writes one, or learned: those that the stage "
            "before ended with; empty: all layers alike"));
    name(m_strategyBrowse, "strategyBrowse", tr("Choose the file"));
    name(m_ends, "ends",
         tr("The first convolution and every linear layer, outside the mean bits; layers with a setting of "
            "their own keep it"));
    name(m_activation, "activation", tr("How activations are quantized, whatever the weights' method is"));
    name(m_activationBits, "activationBits", tr("Bits of an activation; first and last ones have their own"));
    name(m_distillation, "distillation",
         tr("Share of the loss that follows a full-precision teacher, 0 to 1; 0: none"));
    name(m_length, "length", tr("How long to train"));
    name(m_unit, "unit", tr("Passes over the training images, or training batches"));
    name(m_recipe, "recipe",
         tr("Learning rates, schedule, decay, gradient and start of the method; as in the job: what its file "
            "says"));
}

void TrainingFields::connectControls() {
    const auto update = [this] {
        if (m_quiet) return;
        this->update();
        Q_EMIT changed();
    };
    connect(m_unit, &QComboBox::currentIndexChanged, this, [this](int unit) {
        m_length->setDecimals(unit == Steps ? 0 : 4);
        m_length->setMinimum(unit == Steps ? 1 : 0.0001);
    });
    connect(m_recipe, &QComboBox::activated, this, [this] { m_recipeFollows = false; });
    connect(&m_method->method(), &QComboBox::currentIndexChanged, this, &TrainingFields::followMethod);
    connect(m_method, &widgets::MethodEditor::changed, this, update);
    connect(m_strategy, &QComboBox::editTextChanged, this, update);
    for (QComboBox* box : {m_budget, m_ends, m_activation, m_unit, m_recipe})
        connect(box, &QComboBox::currentIndexChanged, this, update);
    for (QDoubleSpinBox* box : {m_target, m_distillation, m_length})
        connect(box, &QDoubleSpinBox::valueChanged, this, update);
    connect(m_activationBits, &QSpinBox::valueChanged, this, update);
}

void TrainingFields::followMethod() {
    if (m_quiet || !m_recipeFollows) return;
    const bool other = m_method->setting().method != m_filled.method.method;
    m_recipe->setCurrentIndex(other ? ShortRunRow : UnchangedRow);
}

void TrainingFields::show(const jobs::JobSpec& training, bool guessed, bool follows) {
    m_quiet = true;
    m_shown = training;
    const quant::QuantizerOptions& quantizer = training.quantizer;
    m_method->show(settingOf(quantizer.layer));
    m_target->setValue(quantizer.sdq.target);
    m_budget->setCurrentIndex(static_cast<int>(quantizer.sdq.budget));
    m_strategy->clear();
    m_strategy->addItem(QString());
    if (follows) m_strategy->addItem(QLatin1String(quant::kLearnedStrategy));
    m_strategy->setEditText(QString::fromStdString(quantizer.strategy));
    m_ends->setItemText(0, quantizer.exclude ? tr("as the job's exclude says") : tr("full precision"));
    m_ends->setCurrentIndex(m_ends->findData(quantizer.firstLastBits));
    m_activation->setCurrentIndex(static_cast<int>(quantizer.activation.method));
    m_activationBits->setValue(quantizer.activation.bits);
    m_distillation->setValue(training.train.distillation);
    const bool steps = training.train.steps > 0;
    m_unit->setCurrentIndex(steps ? Steps : Epochs);
    m_length->setValue(steps ? static_cast<double>(training.train.steps) : training.train.epochs);
    // A recipe replaces rates, so only rates that nobody chose may get one unasked.
    m_recipe->setCurrentIndex(guessed ? ShortRunRow : UnchangedRow);
    m_recipeFollows = !guessed;
    m_filled = fields();
    m_quiet = false;
    update();
}

TrainingFields::Fields TrainingFields::fields() const {
    return {m_method->setting(),
            m_target->value(),
            m_budget->currentIndex(),
            m_strategy->currentText().trimmed(),
            m_ends->currentData().toInt(),
            m_activation->currentIndex(),
            m_activationBits->value(),
            m_distillation->value(),
            m_length->value(),
            m_unit->currentIndex()};
}

void TrainingFields::update() {
    const bool quantizes = m_method->hasCodebook();
    m_form.setRowVisible(m_sizeRow, quantizes);
    m_form.setRowVisible(&m_method->values(), m_method->takesValues());
    m_form.setRowVisible(m_budgetRow, hasBudget(m_method->setting().method));
    m_form.setRowVisible(m_strategyRow, quantizes);
    m_form.setRowVisible(m_ends, quantizes);
    m_activationBits->setVisible(m_activation->currentIndex() !=
                                 static_cast<int>(quant::ActivationMethod::None));
}

QString TrainingFields::problem() const {
    if (QString wrong = m_method->problem(); !wrong.isEmpty()) return wrong;
    const QString strategy = m_strategy->currentText().trimmed();
    if (!m_method->hasCodebook() || strategy.isEmpty() || strategy == m_filled.strategy) return {};
    if (strategy == QLatin1String(quant::kLearnedStrategy)) {
        if (m_strategy->findText(strategy) >= 0) return {};
        return tr("Bits of layers: there is no stage before this one to learn them from.");
    }
    if (QFileInfo(strategy).isFile()) return {};
    return tr("Bits of layers: there is no file of this name.");
}

jobs::JobSpec TrainingFields::training() const {
    const Fields now = fields();
    jobs::JobSpec job = m_shown;
    quant::QuantizerOptions& quantizer = job.quantizer;
    if (!(now.method == m_filled.method)) applySetting(now.method, quantizer.layer);
    if (now.target != m_filled.target) quantizer.sdq.target = now.target;
    if (now.budget != m_filled.budget) quantizer.sdq.budget = static_cast<quant::BitBudgetKind>(now.budget);
    if (now.strategy != m_filled.strategy) quantizer.strategy = now.strategy.toStdString();
    if (now.ends != m_filled.ends) quantizer.firstLastBits = now.ends;
    if (now.activation != m_filled.activation)
        quantizer.activation.method = static_cast<quant::ActivationMethod>(now.activation);
    if (now.activationBits != m_filled.activationBits) quantizer.activation.bits = now.activationBits;
    if (now.distillation != m_filled.distillation) job.train.distillation = now.distillation;
    if (now.length != m_filled.length || now.unit != m_filled.unit) {
        job.train.steps = now.unit == Steps ? std::llround(now.length) : 0;
        if (now.unit == Epochs) job.train.epochs = now.length;
    }
    if (m_recipe->currentIndex() != UnchangedRow)
        applyRecipe(m_recipe->currentIndex() == PaperRow ? Recipe::Paper : Recipe::ShortRun, job);
    return job;
}

}  // namespace bitloom::app
