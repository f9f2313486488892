// The names that a pickle may use, and what Bitloom builds where Python would call them.
#pragma once

#include <string_view>

#include "engine/checkpoint/pickle.h"

namespace bitloom::checkpoint {

/// Index of "module.name" for Value::integer, or an error that says why the file is refused and what to do.
[[nodiscard]] Result<std::int64_t> findGlobal(std::string_view module, std::string_view name);

/// What the call of `callable` (a Global) with `arguments` (a Tuple) gives. May add to the pickle's tensors.
[[nodiscard]] Result<Value> callGlobal(Pickle& pickle, const Value& callable, const Value& arguments);

/// The storage that torch's persistent id describes: ('storage', type, key, device, elements[, view]).
[[nodiscard]] Result<Value> loadPersistent(Pickle& pickle, const Value& id);

}  // namespace bitloom::checkpoint
