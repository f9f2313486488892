// From parameter tensors to the doubles that kernels and snapshots use.
#pragma once

#include <vector>

#include "engine/quant/dgms/components.h"
#include "engine/quant/dgms/dgms_function.h"

namespace bitloom::quant::dgms {

/// One per group.
[[nodiscard]] std::vector<Components> readComponents(const MixtureTensors& mixture, bool parity);

}  // namespace bitloom::quant::dgms
