// What the exported formats share: a quantized layer as two plain tensors, and the checks that both writers
// and both readers make. Pure, any thread. Errors name the layer; callers add the file.
#pragma once

#include <string>

#include "engine/base/result.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::exporting {

/// Written into every file and demanded of it.
inline constexpr const char* kFormatName = "bitloom-quantized";
inline constexpr int kFormatVersion = 1;
/// Of files whose network rounds its activations: a program that would leave that out refuses them.
inline constexpr int kActivationVersion = 2;
/// Says of a layer that it is in QuantizedModel::outsideAverage; absent in files of before that, and of
/// others.
inline constexpr const char* kOutsideAverage = "outside_average";

/// Packed indices as uint8 [bytes]: quant::packIndices.
[[nodiscard]] graph::Tensor indicesTensor(const quant::QuantizedTensor& layer);
/// Codebooks as float32 [groups, components].
[[nodiscard]] graph::Tensor codebookTensor(const quant::QuantizedTensor& layer);

/// The layer again from what a file says about it. Nothing is trusted: dtypes, sizes, components and every
/// index are checked.
[[nodiscard]] Result<quant::QuantizedTensor> unpackLayer(const std::string& node, const graph::Shape& shape,
                                                         std::int64_t bits, const graph::Tensor& indices,
                                                         const graph::Tensor& codebook);

/// Every layer is whole and is the weight of a convolution or linear layer of the graph; activations are
/// sound.
[[nodiscard]] Status checkModel(const quant::QuantizedModel& model);

}  // namespace bitloom::exporting
