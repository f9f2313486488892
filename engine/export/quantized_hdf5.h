// A QuantizedModel as HDF5: group "/layers/<node>" with datasets indices (uint8, packed) and codebook,
// attributes shape and bits; group "/rest" with the float tensors; root attribute graph. Documented in
// export/README.md.
#pragma once

#include <filesystem>

#include "engine/base/result.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::exporting {

[[nodiscard]] Status writeQuantizedHdf5(const std::filesystem::path& path,
                                        const quant::QuantizedModel& model);
[[nodiscard]] Result<quant::QuantizedModel> readQuantizedHdf5(const std::filesystem::path& path);

}  // namespace bitloom::exporting
