// Flattens a pickle's nested containers into named tensors and the scalars of the outermost container.
#pragma once

#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/tensor_builder.h"

namespace bitloom::checkpoint {

/// Fills `tensors` and `metadata`. Refuses cycles, nesting beyond 64 levels, keys beyond 4 KiB and
/// keys that occur twice.
[[nodiscard]] Result<Checkpoint> flattenPickle(const Pickle& pickle, const InputFile& file,
                                               const FindStorage& findStorage, MemoryBudget& budget);

}  // namespace bitloom::checkpoint
