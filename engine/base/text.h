// Small text helpers that error messages and the command line share.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace bitloom {

/// The candidate with the smallest edit distance to `word`, for "did you mean"; empty when there are no
/// candidates.
[[nodiscard]] std::string nearestName(std::string_view word, std::span<const std::string> candidates);

/// "conv1, bn1, fc" for messages; at most `limit` names, then "and N more".
[[nodiscard]] std::string joinNames(std::span<const std::string> names, std::size_t limit = 8);

}  // namespace bitloom
