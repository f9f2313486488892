// A run's figures as text and JSON; `train` and `report` print the same.
#pragma once

#include "app/cli_output.h"
#include "engine/jobs/report_job.h"

namespace bitloom::app {

[[nodiscard]] Json toJson(const jobs::RunReport& report);
[[nodiscard]] std::string toText(const jobs::RunReport& report);

}  // namespace bitloom::app
