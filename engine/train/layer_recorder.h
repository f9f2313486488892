// Turns the present state of every layer with weights into snapshots: quantized layers as their quantizer
// sees them, the others as a histogram over a range that stays fixed for the whole run.
#pragma once

#include <map>
#include <string>

#include "engine/quant/registry.h"
#include "engine/report/progress_sink.h"
#include "engine/stats/histogram.h"
#include "engine/train/executor.h"

namespace bitloom::train {

class LayerRecorder {
  public:
    /// Fixes the ranges of full-precision layers from the present weights. `bins` of their histograms.
    LayerRecorder(const Executor& executor, const quant::QuantizerMap& quantizers, int bins);

    /// Sends a snapshot of every layer, in network order. Gradients, where there are any, are the last
    /// step's. Returns the mean (w - Psi)^2 over all quantized weights, NaN without any.
    double record(report::ProgressSink& sink, std::int64_t step) const;

    /// The fixed ranges, to continue with after a restart.
    [[nodiscard]] graph::StateDict state() const;
    void restore(const graph::StateDict& state);

  private:
    [[nodiscard]] report::LayerSnapshot snapshot(const TrainedParameter& weight) const;

    const Executor& m_executor;
    const quant::QuantizerMap& m_quantizers;
    int m_bins;
    std::map<std::string, stats::Range, std::less<>> m_ranges;  ///< by node, full-precision layers
};

}  // namespace bitloom::train
