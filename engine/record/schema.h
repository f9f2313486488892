// Names and version of the run file, in one place. Version history and migrations: schema.cpp.
//
//   /                attribute schema_version (int64)
//   /job             attributes: toml command version host started (text), seed total_steps steps_per_epoch (int64);
//                    datasets status (int64[1]), summary (float64[16]), hash (text[1], fixed length)
//   /graph           attribute json; network (JSON of report::NetworkInfo)
//   /metrics/<name>  one-dimensional, one row a recorded step: step epoch loss lr top1_soft top1_hard top5_hard quant_mse step_seconds
//   /events/{step,kind,text}
//   /layers/<node>/  step pi mu sigma tau count bits histogram histogram_soft edges outside sparsity mse soft_hard_gap
//                    grad_weight grad_mu grad_sigma grad_pi grad_tau; first dimension is the row
#pragma once

#include <cstdint>

namespace bitloom::record {

inline constexpr std::int64_t kSchemaVersion = 1;

}  // namespace bitloom::record
