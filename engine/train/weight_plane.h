// The plane through a network's weights that two random directions span, as in Li et al., "Visualizing the
// loss landscape of neural nets", NeurIPS 2018, section 4.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/quant/registry.h"
#include "engine/train/executor.h"

namespace bitloom::train {

class WeightPlane {
  public:
    /// Through the weights that `executor` holds now; copies them. Directions are Gaussian, deterministic by
    /// seed, normalised filter by filter: d_f <- d_f / |d_f| |w_f|, where a filter is all that feeds one
    /// output of a convolution or linear layer. Batch norm and biases do not move. The same seed gives the
    /// same directions, but for the norms, around any weights of that graph.
    [[nodiscard]] static Result<WeightPlane> create(const Executor& executor, std::uint64_t seed);

    /// theta + alpha d1 + beta d2, for every convolution and linear layer. With `quantizers`, these take
    /// their hard weights: components stay where they are, each weight takes the one that it then belongs to.
    [[nodiscard]] Result<WeightOverrides> at(double alpha, double beta,
                                             const quant::QuantizerMap& quantizers = {}) const;

  private:
    WeightPlane() = default;
    struct Layer {
        std::string node;
        torch::Tensor centre;
        torch::Tensor first, second;  ///< directions, shape of `centre`
    };
    std::vector<Layer> m_layers;
};

}  // namespace bitloom::train
