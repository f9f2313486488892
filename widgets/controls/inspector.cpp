// See inspector.h.
#include "widgets/controls/inspector.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileInfo>
#include <QGridLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QTableView>
#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/report/mixture.h"
#include "widgets/format.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

struct FigureText {
    const char* name;
    const char* title;
    const char* toolTip;
};

/// In the order of Inspector::Figure.
constexpr std::array<FigureText, 8> kFigures = {{
    {"shape", "Shape", "Output × input per group × height × width"},
    {"weights", "Weights", "Number of weights"},
    {"macs", "MACs", "Multiply-accumulates per image"},
    {"bits", "Bits per weight", "Base-2 logarithm of the number of components, averaged over the mixtures"},
    {"packedSize", "Packed size",
     "Bytes of packed indices and centroids; 4 bytes per weight in full precision"},
    {"sparsity", "Sparsity", "Share of exact zeros among the hard weights"},
    {"mse", "MSE", "Mean (w − Ψ)², weight units squared"},
    {"gap", "Soft/hard gap", "Root mean square of Φ − Ψ over the standard deviation of w"},
}};

struct GradientText {
    const char* name;
    const char* title;
    double report::GradientNorms::*norm;
};

constexpr std::array<GradientText, 5> kGradientTexts = {{
    {"gradientWeight", "w", &report::GradientNorms::weight},
    {"gradientMu", "μ", &report::GradientNorms::mu},
    {"gradientSigma", "σ", &report::GradientNorms::sigma},
    {"gradientPi", "π", &report::GradientNorms::pi},
    {"gradientTau", "τ", &report::GradientNorms::tau},
}};

constexpr int kMethodCharacters = 14;  ///< of a method that are seen at least

QLabel* makeLabel(QWidget* parent, const QString& text, const char* role) {
    auto* label = new QLabel(text, parent);
    label->setProperty("role", QString::fromUtf8(role));
    return label;
}

QLabel* makeValue(QWidget* parent, const char* name, const QString& toolTip) {
    auto* label = new QLabel(noValueText(), parent);
    label->setObjectName(QString::fromUtf8(name));
    label->setToolTip(toolTip);
    label->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

}  // namespace

Inspector::Inspector(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("inspector"));
    m_title = makeLabel(this, {}, "title");
    m_title->setObjectName(QStringLiteral("layerName"));
    m_title->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_title->setWordWrap(true);
    m_subtitle = makeLabel(this, {}, "muted");
    m_subtitle->setObjectName(QStringLiteral("layerOp"));
    m_subtitle->setWordWrap(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(10, 8, 10, 8);
    column->setSpacing(6);
    column->addWidget(m_title);
    column->addWidget(m_subtitle);
    column->addWidget(makeFigures());
    column->addWidget(makeCodebook(), 1);
    column->addWidget(makeOverride());
    // Takes the room that the codebook takes when there is a layer.
    column->addSpacerItem(new QSpacerItem(0, 0, QSizePolicy::Minimum, QSizePolicy::Expanding));
    showLayer();
}

QWidget* Inspector::makeFigures() {
    m_figureBox = new QWidget(this);
    auto* grid = new QGridLayout(m_figureBox);
    grid->setContentsMargins(0, 4, 0, 4);
    grid->setVerticalSpacing(3);
    grid->setColumnStretch(1, 1);
    int row = 0;
    for (std::size_t i = 0; i < kFigures.size(); ++i, ++row) {
        m_figures[i] = makeValue(m_figureBox, kFigures[i].name, QString::fromUtf8(kFigures[i].toolTip));
        grid->addWidget(makeLabel(m_figureBox, QString::fromUtf8(kFigures[i].title), "muted"), row, 0);
        grid->addWidget(m_figures[i], row, 1);
    }
    grid->setRowMinimumHeight(row, 24);
    grid->addWidget(makeLabel(m_figureBox, tr("Gradient norms of the last step"), "section"), row++, 0, 1, 2,
                    Qt::AlignBottom);
    for (std::size_t i = 0; i < kGradientTexts.size(); ++i, ++row) {
        const GradientText& text = kGradientTexts[i];
        m_gradients[i] = makeValue(
            m_figureBox, text.name,
            tr("L2 norm of the loss gradient with respect to %1").arg(QString::fromUtf8(text.title)));
        grid->addWidget(
            makeLabel(m_figureBox, QStringLiteral("‖∂L/∂%1‖").arg(QString::fromUtf8(text.title)), "muted"),
            row, 0);
        grid->addWidget(m_gradients[i], row, 1);
    }
    return m_figureBox;
}

QWidget* Inspector::makeCodebook() {
    m_codebookBox = new QWidget(this);
    m_codebookTitle = makeLabel(m_codebookBox, tr("Codebook"), "section");
    m_codebookTitle->setObjectName(QStringLiteral("codebookTitle"));
    m_table = new QTableView(m_codebookBox);
    m_table->setObjectName(QStringLiteral("codebook"));
    m_table->setToolTip(tr("Components of the mixture; a click marks one in the plot"));
    m_table->setModel(&m_codebook);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setShowGrid(false);
    m_table->setIconSize({9, 9});
    m_table->verticalHeader()->hide();
    m_table->verticalHeader()->setDefaultSectionSize(m_table->fontMetrics().height() + 4);
    m_table->horizontalHeader()->setHighlightSections(false);
    m_table->horizontalHeader()->setMinimumSectionSize(30);
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    m_table->horizontalHeader()->setSectionResizeMode(CodebookModel::Count, QHeaderView::Stretch);
    m_table->setMinimumWidth(
        m_table->fontMetrics().horizontalAdvance(QStringLiteral("000−0.00000.00000.00009 999 999")) + 110);
    auto* column = new QVBoxLayout(m_codebookBox);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    column->addWidget(m_codebookTitle);
    column->addWidget(m_table, 1);
    connect(
        m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
        [this](const QModelIndex& index) { Q_EMIT componentSelected(index.isValid() ? index.row() : -1); });
    return m_codebookBox;
}

QWidget* Inspector::makeOverride() {
    m_overrideBox = new QWidget(this);
    m_editor = new MethodEditor(m_overrideBox);
    m_editor->method().setToolTip(tr("How the next job quantizes this layer"));
    m_editor->method().setPlaceholderText(tr("Job default"));
    // The texts that explain the methods may be cut; they must not make the dock wider.
    m_editor->method().setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_editor->method().setMinimumContentsLength(kMethodCharacters);
    m_componentsTitle = makeLabel(m_overrideBox, tr("Components"), "muted");
    m_valuesTitle = makeLabel(m_overrideBox, tr("Value set"), "muted");
    for (QWidget* part :
         std::initializer_list<QWidget*>{m_componentsTitle, &m_editor->components(), &m_editor->bits()}) {
        QSizePolicy policy = part->sizePolicy();
        policy.setRetainSizeWhenHidden(true);  // what stands below stays where it is
        part->setSizePolicy(policy);
    }
    m_overrideNote = makeLabel(m_overrideBox, {}, "muted");
    m_overrideNote->setObjectName(QStringLiteral("overrideNote"));
    m_overrideNote->setWordWrap(true);
    auto* grid = new QGridLayout(m_overrideBox);
    grid->setContentsMargins(0, 4, 0, 0);
    grid->setColumnStretch(1, 1);
    grid->addWidget(makeLabel(m_overrideBox, tr("Next job"), "section"), 0, 0, 1, 3);
    grid->addWidget(makeLabel(m_overrideBox, tr("Method"), "muted"), 1, 0);
    grid->addWidget(&m_editor->method(), 1, 1, 1, 2);
    grid->addWidget(m_componentsTitle, 2, 0);
    grid->addWidget(&m_editor->components(), 2, 1);
    grid->addWidget(&m_editor->bits(), 2, 2);
    grid->addWidget(m_valuesTitle, 3, 0);
    grid->addWidget(&m_editor->values(), 3, 1, 1, 2);
    grid->addWidget(m_overrideNote, 4, 0, 1, 3);
    grid->addLayout(makeOverrideButtons(), 5, 0, 1, 3);
    connectOverride();
    return m_overrideBox;
}

QLayout* Inspector::makeOverrideButtons() {
    const auto button = [this](const char* name, const QString& text, const QString& toolTip) {
        auto* made = new QPushButton(text, m_overrideBox);
        made->setObjectName(QString::fromUtf8(name));
        made->setToolTip(toolTip);
        return made;
    };
    m_apply = button("applyOverride", tr("Apply"),
                     tr("Use this method for the layer in the next job, in all its stages"));
    m_clear = button("clearOverride", tr("Use job default"), tr("Forget what was set for this layer"));
    m_restore =
        button("restoreFullPrecision", tr("Restore full precision"), tr("Leave this layer unquantized"));
    m_transfer =
        button("transferMixture", tr("Transfer &mixture from run..."),
               tr("Start this layer with the mixture that another run has for it, not with k-means (Alt+M)"));
    m_scale = new QCheckBox(tr("&Scale the mixture to this layer"), m_overrideBox);
    m_scale->setObjectName(QStringLiteral("scaleMixture"));
    m_scale->setToolTip(
        tr("Multiply its means and deviations by this layer's standard deviation over that of the layer it "
           "comes from (Alt+S)"));
    auto* first = new QHBoxLayout;
    first->addWidget(m_apply);
    first->addWidget(m_clear);
    auto* column = new QVBoxLayout;
    column->addLayout(first);
    column->addWidget(m_restore);
    column->addWidget(m_transfer);
    column->addWidget(m_scale);
    return column;
}

void Inspector::connectOverride() {
    connect(m_editor, &MethodEditor::changed, this, &Inspector::updateOverrideState);
    const auto change = [this](const MethodSetting& setting) {
        setOverride(LayerOverride{setting, {}, false});
        Q_EMIT overrideChanged(QString::fromStdString(m_layer.name), setting);
    };
    connect(m_apply, &QPushButton::clicked, this, [this, change] { change(m_editor->setting()); });
    connect(m_restore, &QPushButton::clicked, this, [this, change] {
        change({QStringLiteral("none"), m_editor->components().value(), {}});
    });
    connect(m_transfer, &QPushButton::clicked, this,
            [this] { Q_EMIT transferRequested(QString::fromStdString(m_layer.name)); });
    connect(m_scale, &QCheckBox::clicked, this, [this](bool scaled) {
        m_override->mixtureScaled = scaled;
        updateOverrideState();
        Q_EMIT transferScaleChanged(QString::fromStdString(m_layer.name), scaled);
    });
    connect(m_clear, &QPushButton::clicked, this, [this] {
        setOverride(std::nullopt);
        Q_EMIT overrideCleared(QString::fromStdString(m_layer.name));
    });
}

void Inspector::setLayer(const report::LayerInfo& layer) {
    const bool other = layer.name != m_layer.name;
    m_layer = layer;
    if (other) {
        m_snapshot.reset();
        setOverride(std::nullopt);
    }
    showLayer();
}

void Inspector::setSnapshot(report::LayerSnapshotPtr snapshot) {
    if (snapshot && snapshot->layer != m_layer.name) snapshot.reset();
    m_snapshot = std::move(snapshot);
    showSnapshot();
}

void Inspector::setChannel(int channel) {
    m_channel = std::max(0, channel);
    showComponents();
}

void Inspector::selectComponent(int component) {
    const QSignalBlocker quiet(this);
    if (component < 0 || component >= m_codebook.rowCount()) {
        m_table->setCurrentIndex({});
        m_table->clearSelection();
    } else {
        m_table->selectRow(component);
    }
}

void Inspector::setEditable(bool editable) {
    m_editable = editable;
    updateOverrideState();
}

void Inspector::setOverride(std::optional<LayerOverride> layer) {
    m_override = std::move(layer);
    if (m_override) {
        m_editor->show(m_override->setting);
    } else {
        showDefault();
    }
    updateOverrideState();
}

void Inspector::setMethods(std::vector<MethodChoice> methods) {
    m_editor->setMethods(std::move(methods));
    setOverride(m_override);
}

void Inspector::setJobDefault(std::optional<MethodSetting> setting) {
    if (std::exchange(m_default, std::move(setting)) == m_default) return;
    if (!m_override) setOverride(std::nullopt);
}

void Inspector::showDefault() {
    MethodSetting setting;
    if (m_layer.quantized && m_default) {
        setting = *m_default;
        if (setting.values.empty())
            setting.components = static_cast<int>(std::lround(std::exp2(m_layer.bits)));
    }
    m_editor->show(setting);
}

void Inspector::showLayer() {
    const bool any = !m_layer.name.empty();
    m_title->setText(any ? QString::fromStdString(m_layer.name) : tr("No layer selected"));
    m_subtitle->setText(any ? QString::fromStdString(m_layer.op)
                            : tr("Choose a layer on the left to see its figures."));
    m_figures[Shape]->setText(formatShape(m_layer.weightShape));
    m_figures[Weights]->setText(formatCount(m_layer.weights));
    m_figures[Macs]->setText(formatCount(m_layer.macs));
    for (QWidget* box : {m_figureBox, m_codebookBox, m_overrideBox})
        box->setVisible(any);
    showSnapshot();
    updateOverrideState();
}

void Inspector::showSnapshot() {
    const report::LayerSnapshot* s = m_snapshot.get();
    const bool quantized = s && !s->mixtures.empty();
    const double missing = report::kNoValue;
    m_figures[Bits]->setText(formatBits(s ? s->bits : m_layer.bits));
    const std::int64_t bytes = s ? report::packedWeightBytes(m_layer.weights, s->mixtures) : 0;
    m_figures[PackedSize]->setText(s ? tr("%1 bytes").arg(formatCount(bytes)) : noValueText());
    m_figures[SparsityFigure]->setText(quantized ? formatFixed(100 * s->sparsity, 1) + QStringLiteral(" %")
                                                 : noValueText());
    m_figures[Mse]->setText(formatScientific(quantized ? s->mse : missing));
    m_figures[Gap]->setText(formatFixed(quantized ? s->softHardGap : missing, 3));
    for (std::size_t i = 0; i < m_gradients.size(); ++i) {
        m_gradients[i]->setText(formatNumber(s ? s->gradients.*kGradientTexts[i].norm : missing, 3));
    }
    showComponents();
}

void Inspector::showComponents() {
    const std::size_t channels = m_snapshot ? m_snapshot->mixtures.size() : 0;
    const std::size_t channel =
        std::min<std::size_t>(static_cast<std::size_t>(m_channel), channels - (channels > 0));
    const report::Mixture none;
    const report::Mixture& mixture = channels > 0 ? m_snapshot->mixtures[channel] : none;
    m_codebook.setMixture(mixture);
    QString title = tr("Codebook");
    if (channels > 1) title += tr(" of channel %1 of %2").arg(channel).arg(channels);
    if (mixture.temperature > 0 && channels > 0)
        title += tr("  ·  τ = %1").arg(formatNumber(mixture.temperature, 3));
    if (channels == 0)
        title = m_snapshot ? tr("No codebook: full precision") : tr("No codebook recorded yet");
    m_codebookTitle->setText(title);
    m_table->setEnabled(channels > 0);
}

void Inspector::updateOverrideState() {
    const bool editable = m_editable && !m_layer.name.empty();
    const bool codebook = m_editor->hasCodebook();
    m_editor->method().setEnabled(editable);
    m_apply->setEnabled(editable && m_editor->method().currentIndex() >= 0 && m_editor->problem().isEmpty());
    for (QWidget* part :
         std::initializer_list<QWidget*>{m_componentsTitle, &m_editor->components(), &m_editor->bits()})
        part->setVisible(codebook);
    m_editor->components().setEnabled(editable && codebook && m_editor->setting().values.empty());
    for (QWidget* part : std::initializer_list<QWidget*>{m_valuesTitle, &m_editor->values()}) {
        part->setVisible(m_editor->takesValues());
        part->setEnabled(editable && m_editor->takesValues());
    }
    m_clear->setEnabled(editable && m_override);
    m_restore->setEnabled(editable);
    m_transfer->setEnabled(editable);
    const bool transferred = m_override && !m_override->mixtureFrom.isEmpty();
    m_scale->setVisible(transferred);
    m_scale->setEnabled(editable);
    m_scale->setChecked(transferred && m_override->mixtureScaled);
    m_overrideNote->setText(overrideText());
    m_overrideNote->setToolTip(m_override ? m_override->mixtureFrom : QString());
}

QString Inspector::overrideText() const {
    if (!m_editable) return tr("Stop the job to change this.");
    if (const QString wrong = m_editor->problem(); !wrong.isEmpty()) return wrong;
    if (!m_override) return tr("This layer follows the job's default.");
    const MethodSetting& own = m_override->setting;
    if (own.method == QLatin1String("none")) return tr("Set for this layer: full precision.");
    const QString text =
        own.values.empty()
            ? tr("Set for this layer: %1, %2 components").arg(own.method).arg(own.components)
            : tr("Set for this layer: %1, values %2").arg(own.method, textFromNumbers(own.values));
    if (m_override->mixtureFrom.isEmpty()) return text + QLatin1Char('.');
    return tr("%1, mixture from %2.").arg(text, QFileInfo(m_override->mixtureFrom).fileName());
}

}  // namespace bitloom::widgets
