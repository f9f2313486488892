#include "engine/jobs/sweep_job.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "engine/base/annotated_mutex.h"
#include "engine/base/atomic_file.h"
#include "engine/device/command.h"
#include "engine/graph/graph_json.h"
#include "engine/jobs/compare_runs.h"
#include "engine/jobs/job_spec.h"
#include "engine/jobs/strategy_file.h"
#include "engine/record/run_reader.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kNoTimeLimit{24 * 365};
/// A stopped training ends its step and saves.
constexpr std::chrono::minutes kTimeToSave{2};

/// Letters, digits and - . + of `text`; everything else becomes one '-'.
std::string fileNamePart(const std::string& text) {
    std::string part;
    for (const char c : text) {
        const bool plain =
            std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '+';
        if (plain) {
            part += c;
        } else if (!part.empty() && part.back() != '-') {
            part += '-';
        }
    }
    while (part.ends_with('-'))
        part.pop_back();
    return part.empty() ? "value" : part;
}

std::string lastPart(const std::string& key) {
    return key.substr(key.rfind('.') + 1);
}

/// The keys' last parts where these tell them apart, else the whole keys.
std::vector<std::string> shortKeys(const std::vector<SweepAxis>& axes) {
    std::set<std::string> parts;
    std::vector<std::string> names;
    for (const SweepAxis& axis : axes) {
        parts.insert(lastPart(axis.key));
        names.push_back(lastPart(axis.key));
    }
    if (parts.size() < axes.size()) {
        std::ranges::transform(axes, names.begin(), &SweepAxis::key);
    }
    return names;
}

/// What becomes of one run, and who takes the next. Workers on their own threads.
class Sweep {
  public:
    Sweep(const SweepRequest& request, std::vector<SweptRun>& runs, report::ProgressSink& sink,
          const JobControl& control)
        : m_request(request), m_runs(runs), m_sink(sink), m_control(control) {}

    void run() {
        report();
        const int count = std::min<int>(m_request.processes, static_cast<int>(m_runs.size()));
        std::vector<std::jthread> workers;
        workers.reserve(static_cast<std::size_t>(count));
        for (int i = 0; i < count; ++i)
            workers.emplace_back([this] { work(); });
        workers.clear();  // waits
    }

  private:
    void work() {
        for (std::size_t i = m_next++; i < m_runs.size(); i = m_next++) {
            if (m_control.stopRequested()) return;
            SweptRun& run = m_runs[i];
            // Else its job could not be read.
            if (run.state != SweepState::Failed) train(run);
            const MutexLock lock(m_mutex);
            ++m_done;
            m_sink.log(fmt::format("{}: {}{}{}", run.point.name, toText(run.state),
                                   run.message.empty() ? "" : ": ", run.message));
            reportLocked();
        }
    }

    void train(SweptRun& run) {
        const auto arguments = argumentsFor(run);
        if (!arguments) return;
        device::Command command;
        command.arguments = *arguments;
        command.timeout = kNoTimeLimit;
        command.grace = kTimeToSave;
        command.label = "bitloom train " + run.point.name;
        const auto outcome = device::runCommand(command, m_control);
        if (!outcome) {
            const bool cancelled = outcome.error().kind == ErrorKind::Cancelled;
            run.state = cancelled ? SweepState::Cancelled : SweepState::Failed;
            if (!cancelled) run.message = outcome.error().message;
            return;
        }
        fs::path log = run.run;
        const Status written = writeFileAtomically(log.replace_extension(".log"), outcome->err);
        run.state = outcome->exitCode == 0 ? SweepState::Done : SweepState::Failed;
        if (run.state == SweepState::Failed) run.message = device::lastLines(outcome->err, 1);
        if (!written && run.message.empty()) run.message = written.error().message;
    }

    /// How to train the run; nothing where that is settled.
    std::optional<std::vector<std::string>> argumentsFor(SweptRun& run) const {
        const std::string program = m_request.program.string();
        std::error_code ignored;
        if (fs::exists(run.run, ignored)) {
            const auto reader = record::RunReader::open(run.run);
            const auto summary = reader ? (*reader)->summary() : Result<report::RunSummary>(reader.error());
            if (!summary) return settle(run, SweepState::Failed, summary.error().message);
            if (!holdsJob((*reader)->info(), run)) {
                return settle(
                    run, SweepState::Failed,
                    run.run.string() + " is a run of another job; take another --out, or remove it");
            }
            if (summary->status == report::RunStatus::Finished) return settle(run, SweepState::Kept, "");
            return std::vector<std::string>{program, "train", "--resume", run.run.string()};
        }
        std::vector<std::string> arguments{program, "train", m_request.job.string(), "--out",
                                           run.run.string()};
        for (const std::string& setting : settingsOf(run)) {
            arguments.emplace_back("--set");
            arguments.push_back(setting);
        }
        return arguments;
    }

    static std::optional<std::vector<std::string>> settle(SweptRun& run, SweepState state,
                                                          const std::string& message) {
        run.state = state;
        run.message = message;
        return std::nullopt;
    }

    [[nodiscard]] std::vector<std::string> settingsOf(const SweptRun& run) const {
        std::vector<std::string> settings = {fmt::format("train.threads={}", m_request.threads)};
        settings.insert(settings.end(), m_request.overrides.begin(), m_request.overrides.end());
        settings.insert(settings.end(), run.point.settings.begin(), run.point.settings.end());
        return settings;
    }

    /// Threads apart: how many a run had is no part of what it is. A run holds the bits of its strategy's
    /// file, not the file's name.
    [[nodiscard]] bool holdsJob(const report::RunInfo& info, const SweptRun& run) const {
        auto held = parseJob(info.jobToml, run.run.string(), {});
        auto wanted = readJob(m_request.job, settingsOf(run));
        const auto graph = graph::fromJson(info.graphJson);
        if (!held || !wanted || !graph || !applyStrategies(*wanted, *graph)) return false;
        held->train.threads = wanted->train.threads;
        return *held == *wanted;
    }

    void report() {
        const MutexLock lock(m_mutex);
        reportLocked();
    }
    void reportLocked() BITLOOM_REQUIRES(m_mutex) {
        m_sink.progress({"runs", m_done, static_cast<std::int64_t>(m_runs.size()), 0, report::kNoValue});
    }

    const SweepRequest& m_request;
    std::vector<SweptRun>& m_runs;
    report::ProgressSink& m_sink;
    const JobControl& m_control;
    std::atomic<std::size_t> m_next = 0;
    Mutex m_mutex;  ///< of the sink, too
    std::int64_t m_done BITLOOM_GUARDED_BY(m_mutex) = 0;
};

}  // namespace

const char* toText(SweepState state) {
    switch (state) {
        case SweepState::Done:
            return "done";
        case SweepState::Kept:
            return "kept";
        case SweepState::Failed:
            return "failed";
        case SweepState::Cancelled:
            return "cancelled";
    }
    return "unknown";
}

Result<SweepAxis> parseAxis(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        return usageError("--grid {}: write KEY=VALUE,VALUE,..., for example quantizer.bits=2,3,4", text);
    }
    SweepAxis axis{text.substr(0, equals), {""}};
    int depth = 0;
    char quote = 0;
    for (const char c : text.substr(equals + 1)) {
        if (quote == 0 && (c == '[' || c == '{')) ++depth;
        if (quote == 0 && (c == ']' || c == '}')) --depth;
        if (c == '"' || c == '\'') quote = quote == 0 ? c : (quote == c ? char{0} : quote);
        if (c == ',' && depth == 0 && quote == 0) {
            axis.values.emplace_back();
        } else {
            axis.values.back() += c;
        }
    }
    for (const std::string& value : axis.values) {
        if (value.empty()) return usageError("--grid {}: a value is empty", text);
    }
    return axis;
}

Result<std::vector<SweepPoint>> sweepPoints(const std::vector<SweepAxis>& axes) {
    if (axes.empty()) return usageError("name what to vary: --grid quantizer.bits=2,3,4");
    std::vector<SweepPoint> points{{}};
    std::set<std::string> keys;
    const std::vector<std::string> names = shortKeys(axes);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (!keys.insert(axes[i].key).second) return usageError("--grid {} is given twice", axes[i].key);
        std::vector<SweepPoint> longer;
        for (const SweepPoint& point : points) {
            for (const std::string& value : axes[i].values) {
                SweepPoint next = point;
                next.name += fmt::format("{}{}-{}", point.name.empty() ? "" : "_", fileNamePart(names[i]),
                                         fileNamePart(value));
                next.settings.push_back(axes[i].key + "=" + value);
                longer.push_back(std::move(next));
            }
        }
        points = std::move(longer);
    }
    std::set<std::string> seen;
    for (const SweepPoint& point : points) {
        if (!seen.insert(point.name).second)
            return usageError("--grid: two combinations are called {}; name each value once", point.name);
    }
    return points;
}

Result<std::vector<SweptRun>> runSweepJob(const SweepRequest& request, report::ProgressSink& sink,
                                          JobControl& control) {
    if (request.processes < 1) return usageError("--processes {}: take 1 or more", request.processes);
    if (request.folder.empty()) return usageError("name the folder for the runs: --out FOLDER");
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<SweepPoint> points, sweepPoints(request.axes));
    std::vector<SweptRun> runs;
    std::optional<Error> unreadable;
    for (const SweepPoint& point : points) {
        SweptRun& run = runs.emplace_back();
        run.point = point;
        run.run = request.folder / (point.name + ".h5");
        std::vector<std::string> settings = request.overrides;
        settings.insert(settings.end(), point.settings.begin(), point.settings.end());
        const auto job = readJob(request.job, settings);
        if (job) continue;
        run.state = SweepState::Failed;
        run.message = job.error().message;
        unreadable = job.error();
    }
    const bool none =
        std::ranges::all_of(runs, [](const SweptRun& run) { return run.state == SweepState::Failed; });
    if (none) return *unreadable;
    std::error_code problem;
    fs::create_directories(request.folder, problem);
    if (problem) return fail("{}: cannot make this folder: {}", request.folder.string(), problem.message());
    Sweep(request, runs, sink, control).run();
    for (SweptRun& run : runs) {
        std::error_code ignored;
        if (!fs::exists(run.run, ignored)) continue;
        if (auto figures = readRunFigures(run.run)) run.figures = std::move(*figures);
    }
    return runs;
}

}  // namespace bitloom::jobs
