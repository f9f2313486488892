// What the runner prints, read. Private to the jobs that run it.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/bench.h"

namespace bitloom::jobs {

enum class Arithmetic { Float32, Int8 };

/// Samples of a family that does `macs` multiply-adds, summarised beside the sentinel and the peak of
/// `result`; what is not known from them stays empty.
[[nodiscard]] report::KernelTiming timingOf(const std::string& family, std::vector<double> samplesMs,
                                            double macs, Arithmetic arithmetic,
                                            const report::BenchResult& result);

/// Fills isa, peaks, sentinelMs, network, layers, macs, verdict of `result` from the runner's JSON, of one
/// round of samples or several; `families[i]` is that of model i. An error when a text is not what a runner
/// prints.
[[nodiscard]] Status readRunnerOutput(const std::vector<std::string>& rounds,
                                      const std::vector<std::string>& families, report::BenchResult& result);

}  // namespace bitloom::jobs
