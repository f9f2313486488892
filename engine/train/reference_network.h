// A deployed network as libtorch computes it on the CPU: what kernels are compared with. One thread at a
// time.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::train {

class Executor;

/// Real numbers of one image, [channels][height][width].
using Image = std::vector<float>;

class ReferenceNetwork {
  public:
    [[nodiscard]] static Result<ReferenceNetwork> create(const quant::QuantizedModel& model);
    ReferenceNetwork(ReferenceNetwork&&) noexcept;
    ReferenceNetwork& operator=(ReferenceNetwork&&) noexcept;
    ~ReferenceNetwork();

    /// Outputs by node name, [channels][height][width]. A batch norm, addition and ReLU in a row are one, of
    /// the ReLU's name.
    [[nodiscard]] Result<std::map<std::string, std::vector<float>, std::less<>>> outputs(const Image& image);

    /// The class of the greatest score of each image.
    [[nodiscard]] Result<std::vector<int>> classes(std::span<const Image> images);

  private:
    explicit ReferenceNetwork(std::unique_ptr<Executor> executor);
    std::unique_ptr<Executor> m_executor;
};

}  // namespace bitloom::train
