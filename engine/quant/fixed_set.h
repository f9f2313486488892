// What methods with a fixed set of values show: no Gaussians, the values and who chose them.
#pragma once

#include "engine/quant/quantized_tensor.h"
#include "engine/quant/torch.h"
#include "engine/report/snapshot.h"
#include "engine/stats/histogram.h"

namespace bitloom::quant {

/// Snapshot of a layer whose latent weights `weight` are deployed as `hard`, one codebook for the layer
/// (report::isFixedSet). Fills what does not depend on the method: mixtures, bits, histograms, sparsity, mse
/// and the gradient norm of `weight`.
[[nodiscard]] report::LayerSnapshot snapshotOfSet(const torch::Tensor& weight, const QuantizedTensor& hard,
                                                  const stats::Range& range);

}  // namespace bitloom::quant
