// What the operating system refused, for error messages.
#pragma once

#include <string>

namespace bitloom {

/// The reason behind an errno and the remedy, where there is one: "No space left on device; free some space
/// on that disk and run again". Any thread.
[[nodiscard]] std::string describeSystemError(int error);

}  // namespace bitloom
