// A QuantizedModel as safetensors: "<node>.weight.indices" (uint8, packed), "<node>.weight.codebook" (float32
// [groups, components]), everything else under its own name; __metadata__ holds graph JSON, shapes and index
// bits. Documented in export/README.md.
#pragma once

#include <filesystem>

#include "engine/base/result.h"
#include "engine/quant/quantized_model.h"

namespace bitloom::exporting {

[[nodiscard]] Status writeQuantizedSafetensors(const std::filesystem::path& path,
                                               const quant::QuantizedModel& model);
/// Bytes of the file that writeQuantizedSafetensors would write.
[[nodiscard]] Result<std::int64_t> quantizedSafetensorsBytes(const quant::QuantizedModel& model);
[[nodiscard]] Result<quant::QuantizedModel> readQuantizedSafetensors(const std::filesystem::path& path);

}  // namespace bitloom::exporting
