// One way to compute a network, here and by libtorch, beside what a device answered. Private to the parity
// job. One thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/qsimd/runtime/network.h"
#include "engine/report/parity.h"
#include "engine/train/reference_network.h"

namespace bitloom::jobs {

class ParityComparison {
  public:
    /// `family`: "k0", of float activations, is held to a bound on the distance to libtorch; "k2" is not.
    ParityComparison(const qsimd::Model& model, const std::string& family);

    /// `printed`: what the device's runner printed of the steps' hashes for `image`. An error when a runner
    /// does not print that.
    [[nodiscard]] Status compareSteps(const train::Image& image, train::ReferenceNetwork& reference,
                                      const std::string& printed);

    /// `scores`: the device's, of all images one after another; `classes`: libtorch's.
    [[nodiscard]] Status compareImages(std::span<const train::Image> images, std::span<const int> labels,
                                       std::span<const int> classes, std::span<const float> scores);

    [[nodiscard]] report::ParityNetwork result() const;

  private:
    qsimd::Network m_network;
    report::ParityNetwork m_result;
    std::int64_t m_right = 0;
    std::int64_t m_referenceRight = 0;
};

/// Nothing diverges, nothing exceeds its bound, all scores are equal.
[[nodiscard]] bool passed(const report::ParityNetwork& network);

}  // namespace bitloom::jobs
