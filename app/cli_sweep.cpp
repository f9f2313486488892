// `bitloom sweep`: a grid of jobs.
#include <filesystem>

#include "app/cli_progress.h"
#include "app/cli_report.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"
#include "engine/jobs/sweep_job.h"

namespace bitloom::app {
namespace {

struct SweepOptions {
    jobs::SweepRequest request;
    std::string job;
    std::string folder;
    std::vector<std::string> grid;
    bool json = false;
};

Json sweptJson(const jobs::SweptRun& run) {
    return {{"name", run.point.name},     {"settings", run.point.settings}, {"run", run.run.string()},
            {"state", toText(run.state)}, {"message", run.message},         {"top1_hard", run.figures.top1},
            {"bits", run.figures.bits},   {"bytes", run.figures.bytes},     {"bitops", run.figures.bitOps}};
}

std::string sweptText(const std::vector<jobs::SweptRun>& runs) {
    Table table({"run", "state", "top-1 hard", "bits", "bytes", ""});
    for (const jobs::SweptRun& run : runs) {
        table.add({run.run.filename().string(), toText(run.state), percentText(run.figures.top1),
                   numberText(run.figures.bits), numberText(run.figures.bytes, 6), run.message});
    }
    return table.text();
}

Result<std::vector<jobs::SweptRun>> sweep(const SweepOptions& options) {
    jobs::SweepRequest request = options.request;
    request.job = options.job;
    request.folder = options.folder;
    for (const std::string& text : options.grid) {
        BITLOOM_ASSIGN_OR_RETURN(request.axes.emplace_back(), jobs::parseAxis(text));
    }
    std::error_code problem;
    request.program = std::filesystem::read_symlink("/proc/self/exe", problem);
    if (problem) return fail("cannot find this program itself: {}", problem.message());
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    return jobs::runSweepJob(request, sink, control);
}

int runSweep(const SweepOptions& options) {
    const auto runs = sweep(options);
    if (!runs) return reportError(runs.error());
    int failed = 0;
    bool cancelled = false;
    Json list = Json::array();
    for (const jobs::SweptRun& run : *runs) {
        failed += run.state == jobs::SweepState::Failed ? 1 : 0;
        cancelled = cancelled || run.state == jobs::SweepState::Cancelled;
        list.push_back(sweptJson(run));
    }
    options.json ? printJson({{"runs", list}}) : printText(sweptText(*runs));
    if (cancelled) {
        return reportError(
            {ErrorKind::Cancelled, "the sweep was stopped; the same command goes on where it was"});
    }
    if (failed > 0)
        return reportError(fail("{} of {} runs failed; see above, and the .log files of those that began",
                                failed, runs->size()));
    return 0;
}

}  // namespace

void addSweepVerb(const VerbContext& context) {
    auto options = std::make_shared<SweepOptions>();
    CLI::App* verb = addVerb<SweepOptions>(
        context, "sweep", "Train a job with every combination of values into one folder",
        "  bitloom sweep job.toml --grid quantizer.bits=2,3,4 --grid train.seed=1,2,3 --out runs --processes "
        "2\n"
        "  bitloom plot runs --view pareto --out figure.svg\n"
        "\nEach run is a process of its own. Finished runs are kept, unfinished ones continued: the same "
        "command goes on after Ctrl-C or a power cut. One that fails does not stop the others.\n",
        options, runSweep);
    verb->add_option("JOB", options->job, "Job file, TOML")->required();
    verb->add_option("--grid", options->grid, "KEY=VALUE,VALUE,...; may be repeated")
        ->expected(1)
        ->take_all()
        ->required();
    verb->add_option("--set", options->request.overrides, "KEY=VALUE of all runs; may be repeated")
        ->expected(1)
        ->take_all();
    verb->add_option("--out", options->folder, "Folder for the runs")->required();
    verb->add_option("--processes", options->request.processes, "Runs at a time")->capture_default_str();
    verb->add_option("--threads", options->request.threads,
                     "Threads of each run that starts, in place of the job's train.threads; 0: all cores")
        ->capture_default_str();
    verb->add_flag("--json", options->json, "Print what came of each run as JSON");
}

}  // namespace bitloom::app
