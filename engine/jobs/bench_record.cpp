#include "engine/jobs/bench_record.h"

#include <chrono>
#include <cmath>
#include <optional>

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "engine/base/atomic_file.h"
#include "engine/jobs/run_playback.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kVersion = 1;
constexpr std::size_t kMostRecordBytes = 8u << 20;

Json entryOf(const report::BenchResult& result, std::int64_t steps) {
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    Json entry = {{"device",
                   {{"id", result.device.id},
                    {"name", result.device.name},
                    {"abi", result.device.abi},
                    {"os", result.device.os},
                    {"emulated", result.device.emulated}}},
                  {"threads", result.threads},
                  {"cores", result.cores},
                  {"isa", result.isa},
                  {"measured", fmt::format("{:%FT%TZ}", now)},
                  {"steps", steps},
                  {"verdict", report::toText(result.verdict)},
                  {"reason", result.reason},
                  {"network", Json::object()}};
    for (const report::KernelTiming& timing : result.network)
        entry["network"][timing.family] = {{"median_ms", timing.time.medianMs},
                                           {"p10_ms", timing.time.p10Ms},
                                           {"p90_ms", timing.time.p90Ms},
                                           {"samples", timing.time.samples}};
    return entry;
}

/// The file's content; nothing without a file.
Result<std::optional<Json>> readRecord(const fs::path& path) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return std::optional<Json>();
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(path, kMostRecordBytes));
    try {
        Json record = Json::parse(text);
        if (record.at("version").get<int>() > kVersion)
            return fail("{}: these times were kept by a newer Bitloom; use that one, or time the run again",
                        path.string());
        if (record.at("times").is_array()) return std::optional(std::move(record));
        return fail("{}: \"times\" is not a list; remove the file and time the run again", path.string());
    } catch (const Json::exception& error) {
        return fail("{}: no record of times: {}; remove the file and time the run again", path.string(),
                    error.what());
    }
}

/// NaN where the number is not known: JSON has null in its place.
double numberOf(const Json& object, const char* key) {
    const Json& value = object.at(key);
    return value.is_null() ? report::kNoValue : value.get<double>();
}

/// Nothing where no kernel of ours was timed.
std::optional<report::RunTime> timeOf(const Json& entry) {
    const Json& device = entry.at("device");
    report::RunTime time;
    time.device = device.at("id").get<std::string>();
    time.deviceName = device.at("name").get<std::string>();
    time.emulated = device.at("emulated").get<bool>();
    time.threads = entry.at("threads").get<int>();
    time.verdict = entry.at("verdict").get<std::string>();
    for (const char* family : {"k2", "k0"}) {
        const auto found = entry.at("network").find(family);
        if (found == entry.at("network").end()) continue;
        time.family = family;
        time.medianMs = numberOf(*found, "median_ms");
        time.p10Ms = numberOf(*found, "p10_ms");
        time.p90Ms = numberOf(*found, "p90_ms");
        if (std::isfinite(time.medianMs)) return time;
    }
    return std::nullopt;
}

bool isOfSamePlace(const Json& entry, const report::BenchResult& result) {
    try {
        return entry.at("device").at("id") == result.device.id && entry.at("threads") == result.threads;
    } catch (const Json::exception&) {
        return true;  // nobody can read it
    }
}

}  // namespace

fs::path benchRecordPath(const fs::path& run) {
    return fs::path(run) += ".bench.json";
}

Status keepBench(const fs::path& run, const report::BenchResult& result) {
    BITLOOM_ASSIGN_OR_RETURN(const std::unique_ptr<RunPlayback> playback, RunPlayback::open(run));
    BITLOOM_ASSIGN_OR_RETURN(const report::RunSummary summary, playback->summary());
    const std::string& started = playback->info().started;
    Json record = {{"version", kVersion}, {"run_started", started}, {"times", Json::array()}};
    const auto known = readRecord(benchRecordPath(run));
    if (known && *known && (*known)->value("run_started", std::string()) == started) {
        for (const Json& entry : (**known)["times"]) {
            if (!isOfSamePlace(entry, result)) record["times"].push_back(entry);
        }
    }
    record["times"].push_back(entryOf(result, summary.steps));
    return writeFileAtomically(benchRecordPath(run), record.dump(1) + "\n");
}

Result<std::vector<report::RunTime>> readBench(const fs::path& run, const report::RunInfo& info,
                                               const report::RunSummary& summary) {
    const fs::path path = benchRecordPath(run);
    BITLOOM_ASSIGN_OR_RETURN(const std::optional<Json> record, readRecord(path));
    std::vector<report::RunTime> times;
    if (!record) return times;
    try {
        if (record->at("run_started").get<std::string>() != info.started) return times;
        for (const Json& entry : record->at("times")) {
            if (entry.at("steps").get<std::int64_t>() != summary.steps) continue;
            if (auto time = timeOf(entry)) times.push_back(*std::move(time));
        }
    } catch (const Json::exception& error) {
        return fail("{}: no record of times: {}; remove the file and time the run again", path.string(),
                    error.what());
    }
    return times;
}

}  // namespace bitloom::jobs
