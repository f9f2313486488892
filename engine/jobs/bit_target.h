// What a job lets its layers take, as the views of bits show it.
#pragma once

#include <optional>
#include <string>

#include "engine/report/bitwidths.h"

namespace bitloom::jobs {

/// The target of a job's budget; nothing where no layer learns its bits, or the text is no job.
[[nodiscard]] std::optional<report::BitTarget> bitTarget(const std::string& jobToml);

}  // namespace bitloom::jobs
