// Test images laid out in the plane by t-SNE of what a network computes before its last layer, for the
// weights that a run started from and for its quantized network. Value structs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/snapshot.h"

namespace bitloom::report {

/// One network's picture. The axes of t-SNE have no unit.
struct EmbeddedNetwork {
    std::vector<float> x, y;              ///< by image; empty until there is a layout
    std::vector<std::int32_t> predicted;  ///< class by image; empty until computed
    double top1 = kNoValue;               ///< per cent of these images
    double divergence = kNoValue;         ///< Kullback-Leibler, nats; NaN while the layout still moves
    int iterations = 0;                   ///< done
};

struct Embedding {
    std::string arch;
    std::string origin;  ///< "run.h5"
    std::vector<std::string> classNames;
    std::vector<std::int32_t> labels;  ///< by image, into classNames
    std::int64_t dimension = 0;        ///< of a feature vector
    double perplexity = 0;
    int iterations = 0;  ///< of a whole layout
    std::int64_t seed = 0;
    bool pretrained = true;  ///< false: `fullPrecision` has the random numbers that training began with
    EmbeddedNetwork fullPrecision;
    EmbeddedNetwork quantized;  ///< laid out from where fullPrecision ended
};

}  // namespace bitloom::report
