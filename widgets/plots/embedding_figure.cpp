// See embedding_figure.h.
#include "widgets/plots/embedding_figure.h"

#include <cmath>

#include "widgets/theme.h"

namespace bitloom::widgets {

EmbeddingFigure::EmbeddingFigure(QWidget* parent, const EmbeddingState& state)
    : m_state(state),
      m_plot(makeFigure(parent)),
      m_title(new KeyStrip(m_plot)),
      m_legend(new ClassLegend(m_plot, state)),
      m_grid(new QCPLayoutGrid) {
    QCPLayoutGrid* rows = m_plot->plotLayout();
    rows->addElement(0, 0, m_title);
    rows->addElement(1, 0, m_grid);
    rows->addElement(2, 0, m_legend);
    m_grid->setRowSpacing(0);
    m_panels[0].network = &report::Embedding::fullPrecision;
    m_panels[1].network = &report::Embedding::quantized;
    for (int column = 0; column < 2; ++column)
        assemblePanel(m_panels[static_cast<std::size_t>(column)], column);
    m_plot->setInteractions(QCP::iRangeZoom | QCP::iRangeDrag);
    QObject::connect(m_plot, &QCustomPlot::afterLayout, m_plot, [this] {
        for (const Panel& panel : m_panels)
            panel.points->fit();
    });
    QObject::connect(m_plot, &QCustomPlot::afterReplot, m_plot, [this] { m_drawn = true; });
    restyle();
}

void EmbeddingFigure::assemblePanel(Panel& panel, int column) {
    panel.header = new KeyStrip(m_plot);
    panel.rect = makeAxisRect(*m_plot);
    for (QCPAxis* axis : panel.rect->axes()) {
        axis->setTickLabels(false);
        axis->setTicks(false);
        axis->grid()->setVisible(false);
        axis->setVisible(true);
    }
    panel.rect->axis(QCPAxis::atBottom)->setLabel(QStringLiteral("t-SNE 1"));
    panel.rect->axis(QCPAxis::atLeft)->setLabel(QStringLiteral("t-SNE 2"));
    m_grid->addElement(0, column, panel.header);
    m_grid->addElement(1, column, panel.rect);
    panel.points = new EmbeddedPoints(panel.rect, m_state, panel.network);
    new EmbeddedReticle(panel.rect, m_state, panel.network);  // belongs to the figure
}

std::vector<KeyStrip::Key> EmbeddingFigure::headerOf(const Panel& panel) const {
    using Key = KeyStrip::Key;
    const report::EmbeddedNetwork& network = (*m_state.result).*panel.network;
    const bool full = panel.network == &report::Embedding::fullPrecision;
    std::vector<Key> keys = {
        {.text = full ? startName(m_state.result->pretrained) : QStringLiteral("Quantized"), .bold = true}};
    if (!std::isnan(network.top1)) {
        keys.push_back({.text = QStringLiteral("top-1"),
                        .value = QStringLiteral("%1 %").arg(formatFixed(network.top1, 2))});
    }
    if (!std::isnan(network.divergence)) {
        keys.push_back({.text = QStringLiteral("divergence"),
                        .value = QStringLiteral("%1 nats").arg(formatFixed(network.divergence, 2))});
    } else {
        keys.push_back({.text = network.iterations == 0 ? QStringLiteral("waits")
                                                        : QStringLiteral("iteration %1 of %2")
                                                              .arg(network.iterations)
                                                              .arg(m_state.result->iterations)});
    }
    return keys;
}

void EmbeddingFigure::update() {
    if (!m_state.result) return;
    const report::Embedding& result = *m_state.result;
    m_title->setKeys({{.text = QString::fromStdString(result.origin), .bold = true},
                      {.text = QString::fromStdString(result.arch)},
                      {.text = QStringLiteral("images"),
                       .value = formatCount(static_cast<std::int64_t>(result.labels.size()))},
                      {.text = QStringLiteral("features"), .value = formatCount(result.dimension)},
                      {.text = QStringLiteral("perplexity"), .value = formatNumber(result.perplexity)},
                      {.text = QStringLiteral("seed"), .value = QString::number(result.seed)}});
    for (const Panel& panel : m_panels)
        panel.header->setKeys(headerOf(panel));
}

void EmbeddingFigure::showAll() {
    for (const Panel& panel : m_panels)
        panel.points->showAll();
}

void EmbeddingFigure::showImage() {
    // A figure that was never drawn draws them with everything else.
    if (m_drawn) m_plot->layer(QStringLiteral("overlay"))->replot();
}

void EmbeddingFigure::restyle() {
    applyThemeTo(*m_plot);
}

std::optional<std::size_t> EmbeddingFigure::imageAt(const QPointF& position) const {
    for (const Panel& panel : m_panels) {
        if (const auto image = panel.points->imageAt(position)) return image;
    }
    return std::nullopt;
}

std::optional<std::int32_t> EmbeddingFigure::classAt(const QPointF& position) const {
    return m_legend->classAt(position);
}

}  // namespace bitloom::widgets
