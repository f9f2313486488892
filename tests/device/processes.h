// Whether processes live, waiting for things that happen elsewhere, never stopping a job.
#pragma once

#include <filesystem>
#include <functional>

#include <sys/types.h>

#include "engine/base/job_control.h"

namespace bitloom::testing {

/// Of a job that nobody stops.
inline const JobControl kNever;

/// Neither ended nor a zombie that nobody waits for.
bool isRunning(pid_t process);

/// Looks again and again until `condition` holds; false when it does not within 20 seconds.
bool waitUntil(const std::function<bool()>& condition);

/// The number in a file; -1 without one.
pid_t pidIn(const std::filesystem::path& path);

}  // namespace bitloom::testing
