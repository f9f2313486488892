#include "engine/jobs/schedule_cache.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include <nlohmann/json.hpp>

#include "engine/base/atomic_file.h"
#include "engine/jobs/file_lock.h"
#include "engine/jobs/runner_build.h"

namespace bitloom::jobs {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 3;

/// Medians of 15 samples in turns differ by this share without a reason.
constexpr double kSpread = 0.02;

}  // namespace

std::filesystem::path scheduleCachePath() {
    return runnerCache().parent_path() / "schedules.json";
}

Result<ScheduleCache> ScheduleCache::open(const std::filesystem::path& path) {
    ScheduleCache cache(path);
    BITLOOM_RETURN_IF_ERROR(cache.load());
    return cache;
}

Status ScheduleCache::load() {
    std::error_code ignored;
    if (!std::filesystem::exists(m_path, ignored)) return {};
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(m_path));
    try {
        const Json json = Json::parse(text);
        if (json.at("version") != kVersion || json.at("kernels") != runnerSourcesHash()) return {};
        for (const auto& [key, times] : json.at("times").items()) {
            for (const auto& [candidate, time] : times.items())
                m_times[key].emplace(candidate, time.get<double>());
        }
    } catch (const Json::exception& error) {
        return fail("{}: damaged ({}); remove the file to tune anew", m_path.string(), error.what());
    }
    return {};
}

std::optional<double> ScheduleCache::time(const std::string& key, const Candidate& candidate) const {
    const auto times = m_times.find(key);
    if (times == m_times.end()) return std::nullopt;
    const auto found = times->second.find(candidate);
    return found == times->second.end() ? std::nullopt : std::optional(found->second);
}

void ScheduleCache::setTime(const std::string& key, const Candidate& candidate, double medianMs) {
    if (std::isfinite(medianMs)) m_times[key][candidate] = medianMs;
}

std::optional<Candidate> ScheduleCache::best(const std::string& key) const {
    const auto times = m_times.find(key);
    if (times == m_times.end() || times->second.empty()) return std::nullopt;
    const auto handicapped = [](const auto& entry) {
        const auto& [candidate, time] = entry;
        const double decoded = candidate.ends_with(" decoded") ? 1 + kSpread : 1;
        return candidate == kOwnChoice ? time : time * decoded * (1 + kSpread);
    };
    return std::ranges::min_element(times->second, {}, handicapped)->first;
}

Status ScheduleCache::save(const JobControl& control) const {
    std::error_code error;
    std::filesystem::create_directories(m_path.parent_path(), error);
    if (error) return fail("{}: {}", m_path.parent_path().string(), error.message());
    BITLOOM_ASSIGN_OR_RETURN(const FileLock lock, FileLock::take(m_path.string() + ".lock", control));
    ScheduleCache all(m_path);
    BITLOOM_RETURN_IF_ERROR(all.load());
    for (const auto& [key, times] : m_times) {
        for (const auto& [candidate, time] : times)
            all.m_times[key][candidate] = time;
    }
    const Json json = {{"version", kVersion}, {"kernels", runnerSourcesHash()}, {"times", all.m_times}};
    return writeFileAtomically(m_path, json.dump(1));
}

}  // namespace bitloom::jobs
