// `bitloom report` and `bitloom export`: recorded runs.
#include "app/cli_report.h"

#include <cmath>

#include "app/cli_contracts.h"
#include "app/cli_progress.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"
#include "engine/jobs/export_job.h"

namespace bitloom::app {
namespace {

/// Null for an unknown count; NaN is written as null anyway.
Json countJson(std::int64_t count) {
    return count < 0 ? Json() : Json(count);
}

Json layerJson(const jobs::LayerReport& layer) {
    return {{"name", layer.info.name},
            {"op", layer.info.op},
            {"shape", layer.info.weightShape},
            {"weights", layer.info.weights},
            {"macs", layer.info.macs},
            {"quantized", layer.info.quantized},
            {"outside_average", layer.info.outsideAverage},
            {"bits", layer.info.bits},
            {"activation_bits", layer.activationBits},
            {"sparsity", layer.sparsity},
            {"mse", layer.mse},
            {"soft_hard_gap", layer.softHardGap},
            {"packed_bytes", countJson(layer.packedBytes)}};
}

std::string layersText(const std::vector<jobs::LayerReport>& layers) {
    Table table(
        {"layer", "op", "weights", "bits", "activation", "sparsity", "MSE", "soft-hard gap", "bytes"});
    for (const jobs::LayerReport& layer : layers) {
        const auto measured = [&layer](double value, int digits, bool exponent = false) {
            if (!layer.info.quantized || std::isnan(value)) return std::string("-");
            return exponent ? fmt::format("{:.{}e}", value, digits) : fmt::format("{:.{}f}", value, digits);
        };
        table.add({layer.info.name, layer.info.op, fmt::format("{}", layer.info.weights),
                   numberText(layer.info.bits, 3), numberText(layer.activationBits, 3),
                   measured(layer.sparsity, 3), measured(layer.mse, 3, true), measured(layer.softHardGap, 4),
                   countText(layer.packedBytes)});
    }
    return table.text();
}

struct ReportOptions {
    std::string run;
    bool json = false;
};

int runReport(const ReportOptions& options) {
    const auto report = jobs::reportRun(options.run);
    if (!report) return reportError(report.error());
    options.json ? printJson(toJson(*report)) : printText(toText(*report));
    return 0;
}

struct ExportOptions {
    jobs::ExportRequest request;
    bool skipValidation = false;
    bool json = false;
};

void print(const jobs::ExportResult& result) {
    std::vector<std::pair<std::string, std::string>> fields = {
        {"File", result.path},
        {"Format", result.format},
        {"Size", bytesText(result.bytes)},
        {"As float32", bytesText(result.fp32Bytes)},
        {"Compression", fmt::format("{:.2f} x", result.compression)},
        {"Read back", result.identical ? "identical" : "DIFFERENT"}};
    if (!result.checked.empty()) fields.emplace_back("Checked", result.checked);
    fields.emplace_back("Top-1 of the run", percentText(result.top1Run));
    fields.emplace_back("Top-1 of the file", percentText(result.top1File));
    printText(fieldsText(fields));
}

int runExport(const ExportOptions& options) {
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    jobs::ExportRequest request = options.request;
    request.validate = !options.skipValidation;
    const auto result = jobs::runExportJob(request, sink, control);
    if (!result) return reportError(result.error());
    if (options.json) {
        printJson({{"path", result->path},
                   {"format", result->format},
                   {"bytes", result->bytes},
                   {"fp32_bytes", result->fp32Bytes},
                   {"compression", result->compression},
                   {"identical", result->identical},
                   {"checked", result->checked.empty() ? Json() : Json(result->checked)},
                   {"top1_run", result->top1Run},
                   {"top1_file", result->top1File}});
    } else {
        print(*result);
    }
    return result->identical ? 0 : reportError(fail("{}: read back, it differs from the run", result->path));
}

std::string gigaText(double operations) {
    return std::isnan(operations) ? "-" : numberText(operations / 1e9) + " G per image";
}

}  // namespace

Json toJson(const jobs::RunReport& report) {
    const report::RunSummary& summary = report.summary;
    Json json = {{"run", report.info.path},
                 {"status", report::toText(summary.status)},
                 {"arch", report.info.network.arch},
                 {"steps", countJson(report.steps)},
                 {"total_steps", report.info.totalSteps},
                 {"top1_fp32", summary.top1Fp32},
                 {"top1_soft", summary.top1Soft},
                 {"top1_hard", summary.top1Hard},
                 {"top5_soft", summary.top5Soft},
                 {"top5_hard", summary.top5Hard},
                 {"accuracy_step", countJson(summary.accuracyStep)},
                 {"bits", summary.bits},
                 {"sparsity", summary.sparsity},
                 {"nonzero_params", countJson(summary.nonzeroParameters)},
                 {"compression_rate", summary.compressionRate},
                 {"wcr", summary.weightCompression},
                 {"bitops", summary.bitOps},
                 {"bitops_of_mean_bits", summary.meanBitsBitOps},
                 {"bytes_of_mean_bits", summary.meanBitsBytes},
                 {"file_bytes", countJson(summary.fileBytes)},
                 {"file_compression", summary.fileCompression},
                 {"mse", summary.mse},
                 {"hash", summary.hash},
                 {"seed", report.info.seed},
                 {"version", report.info.version},
                 {"host", report.info.host},
                 {"started", report.info.started},
                 {"command", report.info.command},
                 {"layers", Json::array()}};
    for (const jobs::LayerReport& layer : report.layers)
        json["layers"].push_back(layerJson(layer));
    return json;
}

std::string toText(const jobs::RunReport& report) {
    const report::RunSummary& summary = report.summary;
    const std::string fields =
        fieldsText({{"Run", report.info.path},
                    {"Status", fmt::format("{}, {} of {} steps", report::toText(summary.status),
                                           countText(report.steps), report.info.totalSteps)},
                    {"Network", report.info.network.arch},
                    {"Top-1 full precision", percentText(summary.top1Fp32)},
                    {"Top-1 soft", percentText(summary.top1Soft)},
                    {"Top-1 hard", percentText(summary.top1Hard)},
                    {"Top-5 soft", percentText(summary.top5Soft)},
                    {"Top-5 hard", percentText(summary.top5Hard)},
                    {"Measured at step", countText(summary.accuracyStep)},
                    {"Bits", numberText(summary.bits)},
                    {"Sparsity", numberText(summary.sparsity)},
                    {"Non-zero parameters", countText(summary.nonzeroParameters)},
                    {"Compression rate", numberText(summary.compressionRate)},
                    {"Weight compression", numberText(summary.weightCompression)},
                    {"Bit operations", gigaText(summary.bitOps)},
                    {"  from the mean bits", gigaText(summary.meanBitsBitOps)},
                    {"Weights at the mean bits",
                     bytesText(std::isnan(summary.meanBitsBytes) ? -1 : std::llround(summary.meanBitsBytes))},
                    {"Packed file", bytesText(summary.fileBytes)},
                    {"File compression", numberText(summary.fileCompression)},
                    {"Quantization MSE", numberText(summary.mse)},
                    {"Hash", summary.hash.empty() ? "-" : summary.hash}});
    return fields + "\n" + layersText(report.layers);
}

void addReportVerb(const VerbContext& context) {
    auto options = std::make_shared<ReportOptions>();
    CLI::App* verb = addVerb<ReportOptions>(context, "report",
                                            "Figures of a run: accuracies, bits, sparsity, bytes, layers",
                                            "  bitloom report run.h5\n"
                                            "  bitloom report run.h5 --json\n",
                                            options, runReport);
    verb->add_option("RUN", options->run, "Run file; finished, stopped or still being written")->required();
    verb->add_flag("--json", options->json, "Print JSON");
}

void addExportVerb(const VerbContext& context) {
    auto options = std::make_shared<ExportOptions>();
    CLI::App* verb = addVerb<ExportOptions>(
        context, "export", "Write a run's quantized network to a file, read it back and compare",
        "  bitloom export run.h5 --to safetensors --out net.safetensors\n"
        "  bitloom export run.h5 --to hdf5 --out net.h5 --no-check --json\n"
        "  bitloom export run.h5 --to safetensors --out net.safetensors --set activation.bits=8\n"
        "  bitloom export run.h5 --to bundle --target aarch64 --out net --exact conv1\n",
        options, runExport);
    options->request.command = context.command;
    verb->add_option("RUN", options->request.run, "Run file with its checkpoints beside it")->required();
    verb->add_option("--to", options->request.to, fmt::format("{}", fmt::join(jobs::exportFormats(), " or ")))
        ->required();
    verb->add_option("--out", options->request.out, "File to write; of a bundle, a new folder")->required();
    verb->add_option(
        "--set", options->request.overrides,
        "activation.KEY=VALUE: round the activations of a finished run, as a job's [activation]");
    jobs::DeploymentOptions& deployment = options->request.deployment;
    const std::string bundles = "Bundles";
    verb->add_option("--target", deployment.target, "host, aarch64 or android")
        ->group(bundles)
        ->capture_default_str();
    addContractOptions(*verb, deployment, bundles);
    verb->add_flag("--no-check", options->skipValidation, "Do not score the file on the run's test set");
    verb->add_flag("--json", options->json, "Print JSON");
}

}  // namespace bitloom::app
