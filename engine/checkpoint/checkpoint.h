// Reading and writing weight files. A file is recognised by its content, never by its extension. Readers
// execute nothing, bound every size against the file and report what is wrong with it; any thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"

namespace bitloom::checkpoint {

enum class Format { PyTorchZip, PyTorchLegacy, Safetensors, Hdf5 };
[[nodiscard]] const char* toText(Format format);  ///< "PyTorch zip", "PyTorch legacy", "safetensors", "HDF5"

struct Checkpoint {
    Format format = Format::Safetensors;
    graph::StateDict tensors;  ///< keys as in the file, nested containers joined by '.', before any renaming
    /// What else the file says: scalar entries of the pickle ("best_prec1": "91.7"), safetensors'
    /// __metadata__, HDF5 root attributes (numbers and fixed-length text).
    std::map<std::string, std::string> metadata;
};

/// Reads .pt .pth .th (zip or legacy), .safetensors, .h5. f16, bf16, f64 and integer tensors keep their
/// dtype.
[[nodiscard]] Result<Checkpoint> readCheckpoint(const std::filesystem::path& path);

/// Atomic; overwrites. Deterministic: equal content gives equal bytes. Format
/// https://github.com/huggingface/safetensors.
[[nodiscard]] Status writeSafetensors(const std::filesystem::path& path, const graph::StateDict& tensors,
                                      const std::map<std::string, std::string>& metadata = {});

/// Bytes of the file that writeSafetensors would write.
[[nodiscard]] Result<std::int64_t> safetensorsBytes(const graph::StateDict& tensors,
                                                    const std::map<std::string, std::string>& metadata = {});

}  // namespace bitloom::checkpoint
