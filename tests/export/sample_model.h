// Quantized models small enough to reason about, and one of ResNet-20's size.
#pragma once

#include "engine/quant/quantized_model.h"

namespace bitloom::testing {

/// conv1 (FP32), conv2 (`components` entries; a codebook per filter if asked), batch norm, fc (3 entries).
[[nodiscard]] quant::QuantizedModel smallModel(int components = 16, bool filterWise = false);

/// ResNet-20 with `components` entries in every layer but the first and the last; values are made up.
[[nodiscard]] quant::QuantizedModel resnet20Model(int components);

/// Equal to the bit.
void expectEqual(const quant::QuantizedModel& a, const quant::QuantizedModel& b);

}  // namespace bitloom::testing
