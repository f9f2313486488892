#include "tests/widgets/analysis_data.h"

#include <cmath>

namespace bitloom::testing {

report::Embedding makeEmbedding(int images) {
    report::Embedding embedding;
    embedding.arch = "resnet20";
    embedding.origin = "run.h5";
    embedding.classNames = {"cat", "dog", "ship, steam"};
    embedding.dimension = 64;
    embedding.perplexity = 30;
    embedding.iterations = 1000;
    for (int i = 0; i < images; ++i) {
        embedding.labels.push_back(i % 3);
        for (report::EmbeddedNetwork* network : {&embedding.fullPrecision, &embedding.quantized}) {
            const bool full = network == &embedding.fullPrecision;
            network->x.push_back(static_cast<float>(i * std::cos(0.5 * i)));
            network->y.push_back(static_cast<float>((full ? 1 : -1) * i * std::sin(0.5 * i)));
            const bool wrong = i == 1 || (!full && i == 4);
            network->predicted.push_back(wrong ? (full ? 2 : 0) : i % 3);
        }
    }
    embedding.fullPrecision.top1 = 91.7;
    embedding.quantized.top1 = 90.25;
    embedding.fullPrecision.divergence = 1.5;
    embedding.quantized.divergence = 1.625;
    embedding.fullPrecision.iterations = embedding.quantized.iterations = 1000;
    return embedding;
}

report::Landscape makeLandscape(int size) {
    report::Landscape landscape;
    landscape.arch = "resnet20";
    landscape.origin = "run.h5";
    landscape.images = 1000;
    landscape.size = size;
    landscape.done = size * size;
    for (int row = 0; row < size; ++row) {
        for (int column = 0; column < size; ++column) {
            const double alpha = landscape.coordinate(column);
            const double beta = landscape.coordinate(row);
            const double full = 0.1 + alpha * alpha + beta * beta;
            const double quantized = 0.2 + 2 * (alpha - 0.5) * (alpha - 0.5) + 2 * beta * beta;
            landscape.fullPrecision.loss.push_back(full);
            landscape.fullPrecision.top1.push_back(100 / (1 + full));
            landscape.quantized.loss.push_back(quantized);
            landscape.quantized.top1.push_back(100 / (1 + quantized));
        }
    }
    return landscape;
}

}  // namespace bitloom::testing
