#include "tests/widgets/widget_data.h"

#include <QCoreApplication>
#include <cmath>

namespace bitloom::testing {

report::Mixture makeMixture(int components) {
    report::Mixture mixture;
    for (int k = 0; k < components; ++k) {
        // Zero first, then outwards on both sides in turn.
        const double side = k % 2 == 0 ? 1 : -1;
        const int place = (k + 1) / 2;
        const double mu = side * 0.3 * place / std::max(1, components / 2);
        mixture.components.push_back({1.0 / components, mu, 0.25 / components, 10L * (k + 1)});
    }
    return mixture;
}

report::LayerSnapshotPtr makeSnapshot(const std::string& layer, int components, int mixtures) {
    auto snapshot = std::make_shared<report::LayerSnapshot>();
    snapshot->layer = layer;
    snapshot->step = 120;
    snapshot->weights.low = -0.4;
    snapshot->weights.high = 0.4;
    for (int bin = 0; bin < 256; ++bin) {
        const double w = snapshot->weights.low + (bin + 0.5) * 0.8 / 256;
        snapshot->weights.counts.push_back(
            static_cast<std::uint32_t>(std::lround(100 * std::exp(-50 * w * w))));
    }
    snapshot->softWeights = snapshot->weights;
    snapshot->gradients = {0.0123, 0.5, 1.2e-5, report::kNoValue, report::kNoValue};
    if (mixtures == 0) return snapshot;
    snapshot->mixtures.assign(static_cast<std::size_t>(mixtures), makeMixture(components));
    snapshot->bits = std::log2(components);
    snapshot->sparsity = 0.25;
    snapshot->mse = 1.5e-5;
    snapshot->softHardGap = 0.125;
    return snapshot;
}

report::NetworkInfo makeNetwork() {
    report::NetworkInfo network;
    network.arch = "small";
    const auto add = [&network](const char* name, const char* op, std::vector<std::int64_t> shape,
                                bool quantized) {
        report::LayerInfo layer;
        layer.name = name;
        layer.op = op;
        layer.weightShape = std::move(shape);
        layer.weights = 1;
        for (const std::int64_t extent : layer.weightShape)
            layer.weights *= extent;
        layer.macs = 100 * layer.weights;
        layer.quantized = quantized;
        layer.bits = quantized ? 4 : 32;
        network.layers.push_back(layer);
    };
    add("conv1", "conv 3x3", {16, 3, 3, 3}, false);
    add("layer1.0.conv1", "conv 3x3", {16, 16, 3, 3}, true);
    add("layer1.0.conv2", "conv 3x3", {32, 16, 3, 3}, true);
    add("layer1.1.conv1", "conv 3x3", {16, 16, 3, 3}, true);
    add("linear", "linear", {10, 64}, false);
    return network;
}

std::vector<report::MetricSample> makeRows(int count, double gap) {
    std::vector<report::MetricSample> rows;
    for (int i = 0; i < count; ++i) {
        report::MetricSample row;
        row.step = 2L * i;
        row.epoch = row.step / 100.0;
        row.loss = 2.0 / (1 + i);
        row.learningRate = 0.01;
        row.quantMse = 1e-5;
        if (i % 10 == 0) {
            row.top1Soft = 90;
            row.top1Hard = 90 - gap;
        }
        rows.push_back(row);
    }
    return rows;
}

std::string plain(QString text) {
    return text.replace(QChar(0x202F), QLatin1Char(' '))
        .replace(QChar(0x2212), QLatin1Char('-'))
        .toStdString();
}

namespace {

void printRows(const QAbstractItemModel& model, int role, const QModelIndex& parent, int level,
               std::string& text) {
    for (int row = 0; row < model.rowCount(parent); ++row) {
        text.append(2 * static_cast<std::size_t>(level), ' ');
        for (int column = 0; column < model.columnCount(parent); ++column) {
            if (column > 0) text += " | ";
            text += plain(model.index(row, column, parent).data(role).toString());
        }
        text += '\n';
        printRows(model, role, model.index(row, 0, parent), level + 1, text);
    }
}

}  // namespace

std::string print(const QAbstractItemModel& model, int role) {
    std::string text;
    printRows(model, role, {}, 0, text);
    return text;
}

void settle() {
    // A replot queued by a layout request queued by a show: three rounds reach the last.
    for (int round = 0; round < 3; ++round)
        QCoreApplication::processEvents();
}

}  // namespace bitloom::testing
