// Models as bytes: what is exported, pushed to a device and loaded there. Little-endian; a header with the
// format's version and a hash of what follows, so that a truncated push or a damaged file is refused. The
// same model gives the same bytes. No exceptions but std::bad_alloc; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engine/qsimd/runtime/model.h"

namespace bitloom::qsimd {

inline constexpr std::uint32_t kModelVersion = 2;

[[nodiscard]] std::vector<std::byte> toBytes(const Model& model);

/// Empty on success; else what is wrong with `bytes`, and `model` is not to be used. A model that is returned
/// has passed validate().
[[nodiscard]] std::string fromBytes(std::span<const std::byte> bytes, Model& model);

/// Reads a file: fromBytes of its content, with the path in the message.
[[nodiscard]] std::string loadModel(const std::string& path, Model& model);

}  // namespace bitloom::qsimd
