// What the tuner found out, by the shape of a layer and the core it runs on: one JSON file for all networks
// and devices. Every time that was taken is kept, so that a cancelled tuning goes on where it was. One
// thread; several processes may save to one file, none loses what another saved.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engine/base/job_control.h"
#include "engine/base/result.h"

namespace bitloom::jobs {

/// A way to run a layer, as a line of a runner's schedule says it after family and layer: "int8_neondot_8x8
/// rows skip ahead=2".
using Candidate = std::string;

/// The runner's own choice.
inline constexpr const char* kOwnChoice = "auto auto skip";

class ScheduleCache {
  public:
    /// An absent file is an empty cache, and so is one whose times were taken with other kernels than those
    /// of this program. A damaged one is an error that names it.
    [[nodiscard]] static Result<ScheduleCache> open(const std::filesystem::path& path);

    /// Median milliseconds of a candidate; nothing when it was not timed.
    [[nodiscard]] std::optional<double> time(const std::string& key, const Candidate& candidate) const;
    /// A time that is no number is not kept.
    void setTime(const std::string& key, const Candidate& candidate, double medianMs);

    /// The fastest candidate timed; nothing when none was. The runner's own choice unless another gains more
    /// than times spread, and weights decoded early, which take 2 to 8 times the memory, likewise against
    /// packed ones.
    [[nodiscard]] std::optional<Candidate> best(const std::string& key) const;

    /// Writes all, with what the file has got meanwhile.
    [[nodiscard]] Status save(const JobControl& control) const;

  private:
    explicit ScheduleCache(std::filesystem::path path) : m_path(std::move(path)) {}
    [[nodiscard]] Status load();

    std::filesystem::path m_path;
    std::map<std::string, std::map<Candidate, double>> m_times;
};

/// Beside runnerCache().
[[nodiscard]] std::filesystem::path scheduleCachePath();

}  // namespace bitloom::jobs
