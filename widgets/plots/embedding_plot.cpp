// The view around EmbeddingFigure: switches, read-out, mouse, keyboard.
#include "widgets/plots/embedding_plot.h"

#include <QAction>
#include <utility>

#include "widgets/commands.h"
#include "widgets/plots/csv_field.h"
#include "widgets/plots/embedding_figure.h"
#include "widgets/plots/tool_row.h"

namespace bitloom::widgets {

struct EmbeddingPlot::Parts {
    explicit Parts(EmbeddingPlot& owner) : view(owner), figure(&owner, state) {}

    void assemble();
    void makeTools();
    void addKey(const char* name, const QString& text, const QString& tip, const QKeySequence& key, int by);
    void resultChanged();
    void step(int by);
    void tell();
    [[nodiscard]] QString className(std::int32_t index) const;
    [[nodiscard]] QString verdict(const report::EmbeddedNetwork& network) const;

    EmbeddingPlot& view;
    EmbeddingState state;  // before the figure, which reads it
    EmbeddingFigure figure;
    ToolRow* row = nullptr;
    QAction* wrongSwitch = nullptr;
};

void EmbeddingPlot::Parts::assemble() {
    makeTools();
    view.assemble(
        QStringLiteral("embeddingPlot"), figure.plot(), {row},
        tr("Nothing embedded yet.\nOpen a run and press Compute: test images are laid out by what the\n"
           "network knows of them, in full precision and quantized."));
    resultChanged();
}

void EmbeddingPlot::Parts::makeTools() {
    row = new ToolRow(&view, tr("The image under the mouse: its class and what the networks take it for"));
    wrongSwitch = row->addSwitch(QStringLiteral("wrong"), tr("Wrong only"),
                                 tr("Show only images that the network tells wrong"), Qt::Key_W);
    connect(wrongSwitch, &QAction::toggled, &view, &EmbeddingPlot::setWrongOnly);
    row->add(view.makeExportButton());
    addKey("next_image", tr("Next image"), tr("Mark the next image"), Qt::Key_Right, 1);
    addKey("previous_image", tr("Previous image"), tr("Mark the image before"), Qt::Key_Left, -1);
    QAction* all = addCommand(view, QStringLiteral("show_all"), tr("Show all"),
                              tr("Show all points and all classes, mark none"), Qt::Key_Escape);
    connect(all, &QAction::triggered, &view, [this] {
        view.setShownClass({});
        view.selectImage({});
        figure.showAll();
        view.invalidate();
    });
}

void EmbeddingPlot::Parts::addKey(const char* name, const QString& text, const QString& tip,
                                  const QKeySequence& key, int by) {
    QAction* action = addCommand(view, QString::fromLatin1(name), text, tip, key);
    connect(action, &QAction::triggered, &view, [this, by] { step(by); });
}

void EmbeddingPlot::Parts::resultChanged() {
    const bool any = state.result.has_value();
    view.setFilled(any);
    tell();
    if (any) view.invalidate();
}

/// Along the images, or with `wrongOnly` or one class those that these leave.
void EmbeddingPlot::Parts::step(int by) {
    if (!state.result || state.result->labels.empty()) return;
    const report::Embedding& result = *state.result;
    const auto count = static_cast<std::int64_t>(result.labels.size());
    std::int64_t at = state.image ? static_cast<std::int64_t>(*state.image) : by > 0 ? -1 : count;
    for (std::int64_t tried = 0; tried < count; ++tried) {
        at = (at + by + count) % count;
        const auto image = static_cast<std::size_t>(at);
        const bool wrong = result.fullPrecision.predicted[image] != result.labels[image] ||
                           result.quantized.predicted[image] != result.labels[image];
        if ((state.wrongOnly && !wrong) || (state.shown && *state.shown != result.labels[image])) continue;
        view.selectImage(image);
        return;
    }
}

QString EmbeddingPlot::Parts::className(std::int32_t index) const {
    const std::vector<std::string>& names = state.result->classNames;
    const auto at = static_cast<std::size_t>(index);
    return index >= 0 && at < names.size() ? QString::fromStdString(names[at]) : tr("class %1").arg(index);
}

QString EmbeddingPlot::Parts::verdict(const report::EmbeddedNetwork& network) const {
    if (*state.image >= network.predicted.size()) return noValueText();
    const std::int32_t predicted = network.predicted[*state.image];
    if (predicted == state.result->labels[*state.image]) return tr("right");
    return tr("wrong, %1").arg(className(predicted));
}

void EmbeddingPlot::Parts::tell() {
    if (!state.result || !state.image) {
        row->setReadOut(tr("Point to an image, or Left and Right; click a class to see it alone"));
        return;
    }
    row->setReadOut(tr("image %1   %2   %3: %4   quantized: %5")
                        .arg(*state.image)
                        .arg(className(state.result->labels[*state.image]),
                             startName(state.result->pretrained).toLower(),
                             verdict(state.result->fullPrecision), verdict(state.result->quantized)));
}

EmbeddingPlot::EmbeddingPlot(QWidget* parent) : FigureView(parent), m_parts(std::make_unique<Parts>(*this)) {
    m_parts->assemble();
}

EmbeddingPlot::~EmbeddingPlot() = default;

void EmbeddingPlot::setEmbedding(const report::Embedding& embedding) {
    Parts& p = *m_parts;
    const bool other = !p.state.result || p.state.result->labels != embedding.labels ||
                       p.state.result->origin != embedding.origin;
    p.state.result = embedding;
    if (other) {
        p.state.image.reset();
        p.state.shown.reset();
    }
    p.figure.showAll();
    p.resultChanged();
}

void EmbeddingPlot::clear() {
    m_parts->state.result.reset();
    m_parts->state.image.reset();
    m_parts->state.shown.reset();
    m_parts->resultChanged();
}

void EmbeddingPlot::setWrongOnly(bool on) {
    m_parts->wrongSwitch->setChecked(on);
    if (std::exchange(m_parts->state.wrongOnly, on) != on) invalidate();
}

bool EmbeddingPlot::wrongOnly() const {
    return m_parts->state.wrongOnly;
}

void EmbeddingPlot::setShownClass(std::optional<std::int32_t> shown) {
    if (std::exchange(m_parts->state.shown, shown) != shown) invalidate();
}

std::optional<std::int32_t> EmbeddingPlot::shownClass() const {
    return m_parts->state.shown;
}

void EmbeddingPlot::selectImage(std::optional<std::size_t> image) {
    Parts& p = *m_parts;
    if (!p.state.result || (image && *image >= p.state.result->labels.size())) image.reset();
    if (std::exchange(p.state.image, image) == image) return;
    p.figure.showImage();
    p.tell();
}

std::optional<std::size_t> EmbeddingPlot::selectedImage() const {
    return m_parts->state.image;
}

QByteArray EmbeddingPlot::csv() const {
    QByteArray text =
        "image,label,full_precision,full_precision_right,full_precision_x,full_precision_y,quantized,"
        "quantized_right,quantized_x,quantized_y\n";
    if (!m_parts->state.result) return text;
    const report::Embedding& result = *m_parts->state.result;
    for (std::size_t i = 0; i < result.labels.size(); ++i) {
        text += QByteArray::number(static_cast<qulonglong>(i)) + ',' +
                csvField(m_parts->className(result.labels[i]).toStdString());
        for (const report::EmbeddedNetwork* network : {&result.fullPrecision, &result.quantized}) {
            text += ',' + csvField(m_parts->className(network->predicted[i]).toStdString()) + ',' +
                    (network->predicted[i] == result.labels[i] ? "true" : "false");
            for (const std::vector<float>* axis : {&network->x, &network->y})
                text += ',' + (i < axis->size() ? csvNumber(double{(*axis)[i]}) : QByteArray());
        }
        text += '\n';
    }
    return text;
}

void EmbeddingPlot::updateFigure() {
    m_parts->figure.update();
}

void EmbeddingPlot::restyle() {
    m_parts->figure.restyle();
}

void EmbeddingPlot::mouseMoved(QMouseEvent& event) {
    selectImage(m_parts->figure.imageAt(event.position()));
}

void EmbeddingPlot::mouseLeft() {
    selectImage({});
}

void EmbeddingPlot::clicked(const QPointF& position) {
    const auto chosen = m_parts->figure.classAt(position);
    if (chosen) setShownClass(chosen == m_parts->state.shown ? std::nullopt : chosen);
}

void EmbeddingPlot::doubleClicked(const QPointF&) {
    m_parts->figure.showAll();
    invalidate();
}

}  // namespace bitloom::widgets
