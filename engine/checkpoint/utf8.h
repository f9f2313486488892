// Text from untrusted files: keys must be UTF-8 before they reach JSON and the window, and messages must not
// carry control characters to a terminal.
#pragma once

#include <string>
#include <string_view>

namespace bitloom::checkpoint {

[[nodiscard]] bool isUtf8(std::string_view text);

/// `text` with '?' for control characters other than newline and for bytes that are not UTF-8.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace bitloom::checkpoint
