// `export --to bundle`. Private to the export job.
#pragma once

#include "engine/jobs/export_job.h"

namespace bitloom::jobs {

/// request.out is the folder; `identical` says that all files, read again, are what was written and that the
/// model file computes test_output.bin from test_image.bin to the bit, top1File is the lowered network's on
/// this machine.
[[nodiscard]] Result<ExportResult> exportBundle(const ExportRequest& request, report::ProgressSink& sink,
                                                JobControl& control);

}  // namespace bitloom::jobs
