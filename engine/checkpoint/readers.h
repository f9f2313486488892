// One reader a format; readCheckpoint picks by content. Their messages leave out the path.
#pragma once

#include <span>

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/input_file.h"

namespace bitloom::checkpoint {

/// torch.save since 1.6: a zip with data.pkl and one entry a storage.
[[nodiscard]] Result<Checkpoint> readPyTorchZip(const InputFile& file);
/// torch.save before 1.6: pickles one after the other, then the storages.
[[nodiscard]] Result<Checkpoint> readPyTorchLegacy(const InputFile& file);
[[nodiscard]] Result<Checkpoint> readSafetensors(const InputFile& file);
[[nodiscard]] Result<Checkpoint> readHdf5(const InputFile& file);

}  // namespace bitloom::checkpoint
