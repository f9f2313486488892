// The program's version, recorded in every run.
#pragma once

namespace bitloom::jobs {

[[nodiscard]] const char* version();  ///< "0.1.0"

}  // namespace bitloom::jobs
