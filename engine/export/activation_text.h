// The rounding of activations as exported files hold it, and the checks that writers and readers make. Pure,
// any thread. Errors name the node; callers add the file.
#pragma once

#include <string>

#include "engine/base/result.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::exporting {

/// {"relu": {"bits": 8, "scale": 0.0117, "zero_point": 0}, ...}: a float comes back to the bit.
[[nodiscard]] std::string activationsText(const quant::ActivationMap& activations);

/// Nothing is trusted: types and ranges are checked.
[[nodiscard]] Result<quant::ActivationMap> activationsFromText(const std::string& text);

/// Every activation is a node of the graph and makes a rounding.
[[nodiscard]] Status checkActivations(const quant::QuantizedModel& model);

}  // namespace bitloom::exporting
