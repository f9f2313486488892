// See summary_panel.h.
#include "widgets/controls/summary_panel.h"

#include <QGridLayout>
#include <QLabel>
#include <cmath>

#include "widgets/format.h"

namespace bitloom::widgets {
namespace {

using report::RunSummary;

QString percentOrDash(double value) {
    return std::isfinite(value) ? formatFixed(value, 2) + QStringLiteral(" %") : noValueText();
}

QString timesSmaller(double rate) {
    return std::isfinite(rate) ? formatFixed(rate, 2) + QStringLiteral(" ×") : noValueText();
}

QString countOrDash(std::int64_t count) {
    return count >= 0 ? formatCount(count) : noValueText();
}

/// Giga, as the papers' tables have them.
QString gigaOrDash(double operations) {
    return std::isfinite(operations) ? formatNumber(operations / 1e9, 4) + QStringLiteral(" G")
                                     : noValueText();
}

struct SummaryFigure {
    const char* name;  ///< objectName; empty: a heading
    const char* title;
    const char* toolTip;
    QString (*text)(const RunSummary&);
};

const SummaryFigure kSummaryFigures[] = {
    {"", "Top-1", "", nullptr},
    {"summaryTop1Fp32", "full precision", "Per cent of the test images, before quantization",
     [](const RunSummary& s) { return percentOrDash(s.top1Fp32); }},
    {"summaryTop1Soft", "soft weights", "Per cent of the test images, the weights of training",
     [](const RunSummary& s) { return percentOrDash(s.top1Soft); }},
    {"summaryTop1Hard", "hard weights", "Per cent of the test images, the weights that are deployed",
     [](const RunSummary& s) { return percentOrDash(s.top1Hard); }},
    {"", "Weights", "", nullptr},
    {"summaryBits", "bits a weight", "Mean over the quantized weights",
     [](const RunSummary& s) { return std::isfinite(s.bits) ? formatBits(s.bits) : noValueText(); }},
    {"summarySparsity", "sparsity", "Share of exact zeros among the quantized weights",
     [](const RunSummary& s) { return percentOrDash(100 * s.sparsity); }},
    {"summaryNonzero", "non-zero parameters",
     "Convolution and linear weights that are not zero; without batch norm, biases and codebooks",
     [](const RunSummary& s) { return countOrDash(s.nonzeroParameters); }},
    {"summaryMse", "quantization MSE", "Mean (w − Ψ)² over the quantized weights",
     [](const RunSummary& s) { return std::isfinite(s.mse) ? formatScientific(s.mse) : noValueText(); }},
    {"", "Size", "", nullptr},
    {"summaryFile", "packed file", "Bytes on disk of the packed export",
     [](const RunSummary& s) { return s.fileBytes >= 0 ? formatBytes(s.fileBytes) : noValueText(); }},
    {"summaryFileCompression", "file CR", "Bytes of the float32 network over those of the packed file",
     [](const RunSummary& s) { return timesSmaller(s.fileCompression); }},
    {"summaryWcr", "WCR", "Weight compression rate, as SDQ states it: 32 over the mean bits a weight",
     [](const RunSummary& s) { return timesSmaller(s.weightCompression); }},
    {"summaryCr", "CR",
     "Compression rate, as DGMS states it: 32 over bits a weight and share of non-zeros, quantized layers",
     [](const RunSummary& s) { return timesSmaller(s.compressionRate); }},
    {"summaryMeanBytes", "weights of the mean bits",
     "Model size as SDQ's tables state it: all convolution and linear weights at the mean bits",
     [](const RunSummary& s) {
         return std::isfinite(s.meanBitsBytes) ? formatBytes(std::llround(s.meanBitsBytes)) : noValueText();
     }},
    {"", "Bit operations an image", "", nullptr},
    {"summaryBitOps", "true sum", "Sum over layers of MACs x weight bits x activation bits",
     [](const RunSummary& s) { return gigaOrDash(s.bitOps); }},
    {"summaryMeanBitOps", "of the mean bits",
     "As SDQ's tables state them: from the mean bits and the bits that most layers read",
     [](const RunSummary& s) { return gigaOrDash(s.meanBitsBitOps); }},
};

}  // namespace

SummaryPanel::SummaryPanel(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("summary"));
    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(10, 8, 10, 8);
    grid->setVerticalSpacing(3);
    grid->setColumnStretch(1, 1);
    int row = 0;
    for (const SummaryFigure& figure : kSummaryFigures) {
        auto* title = new QLabel(QString::fromUtf8(figure.title), this);
        title->setToolTip(QString::fromUtf8(figure.toolTip));
        if (!figure.text) {
            title->setProperty("role", "section");
            grid->setRowMinimumHeight(row, 26);
            grid->addWidget(title, row++, 0, 1, 2, Qt::AlignBottom);
            continue;
        }
        title->setProperty("role", "muted");
        auto* value = new QLabel(noValueText(), this);
        value->setObjectName(QString::fromUtf8(figure.name));
        value->setToolTip(QString::fromUtf8(figure.toolTip));
        value->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
        value->setTextInteractionFlags(Qt::TextSelectableByMouse);
        grid->addWidget(title, row, 0);
        grid->addWidget(value, row++, 1);
        m_values.push_back(value);
    }
    grid->setRowStretch(row, 1);
}

void SummaryPanel::setSummary(const report::RunSummary& summary) {
    auto value = m_values.begin();
    for (const SummaryFigure& figure : kSummaryFigures) {
        if (figure.text) (*value++)->setText(figure.text(summary));
    }
}

}  // namespace bitloom::widgets
