// What benches of a training step share: a network ready to step on random images, and its times.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/data/loader.h"
#include "engine/graph/graph.h"
#include "engine/quant/registry.h"
#include "engine/train/executor.h"
#include "engine/train/optimizer.h"
#include "engine/train/options.h"

namespace bitloom::bench {

/// A network with its quantizers and optimizer. On the thread that made it.
class StepBench {
  public:
    /// Random weights; every layer that `quantizer` names is quantized. Prints errors and exits.
    StepBench(std::string name, const graph::Graph& graph, const quant::QuantizerOptions& quantizer);

    /// One step of `options` (rates and decay aside, which are the defaults) on `batch`, timed.
    void step(const data::Batch& batch, const train::TrainOptions& options = {});

    void clearTimes() { m_seconds.clear(); }
    /// Of the times so far, in seconds.
    [[nodiscard]] double quantile(double q) const;
    /// Name, median, 10th and 90th percentile in ms.
    void print() const;

  private:
    std::string m_name;
    std::unique_ptr<train::Executor> m_executor;
    quant::QuantizerMap m_quantizers;
    std::unique_ptr<train::Sgd> m_optimizer;
    data::ImageShape m_shape;
    std::vector<double> m_seconds;
};

/// `count` images of normal noise with labels below `classes`.
[[nodiscard]] data::Batch randomBatch(int count, data::ImageShape shape, int classes);

/// The network of that name with its usual classes; image edge 0: its usual one. Prints errors and exits.
[[nodiscard]] graph::Graph networkOrExit(const std::string& arch, int imageEdge = 0);

}  // namespace bitloom::bench
