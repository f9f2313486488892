// What a network computes of each image before its last linear layer.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/train/evaluation.h"

namespace bitloom::train {

struct Features {
    std::int64_t dimension = 0;
    std::vector<float> values;              ///< [images, dimension], in the order of the dataset
    std::vector<std::int32_t> labels;       ///< [images]
    std::vector<std::int32_t> predictions;  ///< class of the greatest logit, [images]

    [[nodiscard]] double top1() const;  ///< per cent
};

/// The input of the last linear layer for the first options.images images (0: all), flattened; evaluation
/// mode, no augmentation. An error for a network without a linear layer, or with nothing before it. Cancelled
/// where `progress` returns false.
[[nodiscard]] Result<Features> penultimateFeatures(Executor& executor, const data::Dataset& dataset,
                                                   const EvaluationOptions& options,
                                                   const EvaluationProgress& progress = {});

}  // namespace bitloom::train
