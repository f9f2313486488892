// The runner for a device: compiled once for its processor and kept, so that a benchmark needs no build.
// Blocking; any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/job_control.h"
#include "engine/base/result.h"
#include "engine/report/progress_sink.h"

namespace bitloom::jobs {

struct RunnerBuild {
    std::filesystem::path program;
    std::string compiler;  ///< its first line of --version
    bool cached = false;   ///< it was there already
};

/// A runner for `abi` ("x86_64", "arm64-v8a"), from the sources inside this program. Compilers: for the abi
/// of this machine `CXX`, else c++, g++ or clang++; for arm64-v8a elsewhere the NDK of ANDROID_NDK_ROOT, else
/// aarch64-linux-gnu-g++ (static: runs on Linux and Android). Kept under `cache`, by the hash of sources,
/// flags and compiler. Errors: no compiler (with what to install), an abi that has no kernels, a failed
/// compilation with the compiler's last lines; Cancelled.
[[nodiscard]] Result<RunnerBuild> buildRunner(const std::string& abi, const std::filesystem::path& cache,
                                              report::ProgressSink& sink, const JobControl& control);

/// The same, always compiled.
[[nodiscard]] Result<RunnerBuild> compileRunner(const std::string& abi, const std::filesystem::path& cache,
                                                report::ProgressSink& sink, const JobControl& control);

/// Of everything that a runner is compiled from.
[[nodiscard]] const std::string& runnerSourcesHash();

/// XDG_CACHE_HOME/bitloom/runners, else ~/.cache/bitloom/runners.
[[nodiscard]] std::filesystem::path runnerCache();

}  // namespace bitloom::jobs
