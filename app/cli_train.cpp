// `bitloom train`: run a job, or continue one.
#include "app/cli_progress.h"
#include "app/cli_report.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"
#include "engine/jobs/train_job.h"

namespace bitloom::app {
namespace {

struct TrainOptions {
    std::string job;
    std::string out;
    std::string resume;
    std::vector<std::string> overrides;
    std::string command;
    bool replace = false;
    bool keys = false;
    bool json = false;
};

int printKeys(bool json) {
    const std::vector<jobs::JobKeyHelp> keys = jobs::jobKeys();
    if (json) {
        Json list = Json::array();
        for (const jobs::JobKeyHelp& key : keys) {
            list.push_back({{"key", key.name},
                            {"help", key.help},
                            {"expected", key.expected},
                            {"default", key.standard}});
        }
        printJson(list);
        return 0;
    }
    Table table({"key", "default", "value", "meaning"});
    for (const jobs::JobKeyHelp& key : keys)
        table.add({key.name, key.standard, key.expected, key.help});
    printText(
        table.text() +
        "\n[quantizer.layers.\"NAME\"] sets method, bits, components, values, transfer or transfer_scale "
        "of one layer,\n[activation.layers.\"NAME\"] the bits of what one node hands on; a [[stage]] has "
        "quantizer, activation and train keys of its own.\n"
        "Where there is no default, train.recipe decides or another key says the same. It also decides about "
        "epochs, schedule, weight_decay, decay_batch_norm, "
        "cycle_momentum, hard_forward, weight_gradient, init_sigma, train_temperature and start, where the "
        "job says nothing of them.\n");
    return 0;
}

Status checkOptions(const TrainOptions& options) {
    if (options.resume.empty()) {
        if (options.job.empty())
            return usageError("name a job file, or a run to continue: bitloom train --resume run.h5");
        if (options.out.empty()) return usageError("name the run file to write: --out run.h5");
        return {};
    }
    if (options.job.empty() && options.out.empty() && options.overrides.empty() && !options.replace)
        return {};
    return usageError(
        "--resume continues the recorded job as it is; give no job file, --out, --set or --replace with it");
}

Result<report::RunSummary> runOrResume(const TrainOptions& options, report::ProgressSink& sink,
                                       JobControl& control) {
    if (!options.resume.empty()) return jobs::resumeTrainJob(options.resume, sink, control);
    BITLOOM_ASSIGN_OR_RETURN(jobs::JobSpec spec, jobs::readJob(options.job, options.overrides));
    return jobs::runTrainJob({std::move(spec), options.out, options.command, options.replace}, sink, control);
}

int runTrain(const TrainOptions& options) {
    if (options.keys) return printKeys(options.json);
    if (const Status valid = checkOptions(options); !valid) return reportError(valid.error());
    {
        JobControl control;
        const StopOnSignal signals([&control] { control.stop(); });
        TerminalSink sink;
        const auto summary = runOrResume(options, sink, control);
        if (!summary) return reportError(summary.error());
    }
    const auto report = jobs::reportRun(options.resume.empty() ? options.out : options.resume);
    if (!report) return reportError(report.error());
    options.json ? printJson(toJson(*report)) : printText(toText(*report));
    return 0;
}

}  // namespace

void addTrainVerb(const VerbContext& context) {
    auto options = std::make_shared<TrainOptions>();
    options->command = context.command;
    CLI::App* verb = addVerb<TrainOptions>(
        context, "train", "Train a job and record it, or continue a recorded run",
        "  bitloom train job.toml --out run.h5\n"
        "  bitloom train job.toml --out run.h5 --set quantizer.bits=2 --set train.epochs=10 --json\n"
        "  bitloom train --resume run.h5\n"
        "  bitloom train --keys\n"
        "\nCtrl-C or SIGTERM saves and stops; the run continues with --resume. Checkpoints stand in "
        "run.h5.ckpt.\n",
        options, runTrain);
    verb->add_option("JOB", options->job, "Job file, TOML");
    verb->add_option("--out", options->out, "Run file to write");
    verb->add_option("--resume", options->resume, "Run file to continue from its newest checkpoint");
    verb->add_option("--set", options->overrides, "KEY=VALUE on top of the job file; may be repeated")
        ->expected(1)
        ->take_all();
    verb->add_flag("--replace", options->replace, "Also replace an unfinished run that --out names");
    verb->add_flag("--keys", options->keys, "List the keys of a job file and exit");
    verb->add_flag("--json", options->json, "Print the run's report as JSON");
}

}  // namespace bitloom::app
