#include "engine/jobs/compare_runs.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/jobs/bench_record.h"
#include "engine/jobs/job_spec.h"
#include "engine/jobs/run_playback.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

/// "cifar10" of "cifar10:/data/cifar-10-batches-bin", wherever that lies; "a/photos" of
/// "folder:/data/a/photos"; of a generated set all that makes it.
std::string imagesOf(const std::string& source) {
    const std::size_t colon = source.find(':');
    std::string kind = source.substr(0, colon);
    if (kind != "folder" || colon == std::string::npos) return kind == "generated" ? source : kind;
    fs::path folder = source.substr(colon + 1);
    if (folder.filename().empty()) folder = folder.parent_path();
    return (folder.parent_path().filename() / folder.filename()).string();
}

/// What a job's runs are scored on.
std::string imagesOf(const JobSpec& job) {
    const std::int64_t first = job.train.evaluateImages;
    const std::string all = imagesOf(job.data.source);
    return first > 0 ? fmt::format("{}, first {} images", all, first) : all;
}

std::string methodOf(const quant::QuantizerOptions& options) {
    std::set<std::string> methods = {options.layer.method};
    for (const auto& [name, layer] : options.layers)
        methods.insert(layer.method);
    std::string text;
    for (const std::string& method : methods)
        text += (text.empty() ? "" : ", ") + method;
    return text;
}

/// Of the network that the run ends with; float where its job rounds none.
quant::ActivationOptions activationsOf(const std::vector<JobSpec>& stages) {
    return stages.back().quantizer.activation;
}

/// "sdq, then uniform, 8-bit activations" of a job of two stages that rounds activations.
std::string methodOf(const JobSpec& job) {
    std::string text;
    std::string last;
    const std::vector<JobSpec> stages = stagesOf(job);
    for (const JobSpec& stage : stages) {
        const std::string method = methodOf(stage.quantizer);
        if (method != last) text += (text.empty() ? "" : ", then ") + method;
        last = method;
    }
    const quant::ActivationOptions activations = activationsOf(stages);
    if (activations.method != quant::ActivationMethod::None)
        text += fmt::format(", {}-bit activations", activations.bits);
    return text;
}

/// As quant::measure counts them: full-precision layers at 32 bits, a codebook by what an index takes.
double recordedBitOps(const report::NetworkInfo& network, const std::vector<report::BitwidthTrack>& tracks) {
    constexpr double kFloatBits = 32;
    double sum = 0;
    for (const report::LayerInfo& layer : network.layers) {
        const auto track = std::ranges::find(tracks, layer.name, &report::BitwidthTrack::layer);
        const double bits = !layer.quantized        ? kFloatBits
                            : track == tracks.end() ? layer.bits
                                                    : track->points.back().bits;
        sum += static_cast<double>(layer.macs) * std::ceil(bits) * kFloatBits;
    }
    return sum;
}

/// What an unfinished run's record says of it. Bit operations are known where activations are `floats`.
Status addRecorded(RunPlayback& run, bool floats, report::RunFigures& figures) {
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<report::BitwidthTrack> tracks, run.bitwidths());
    const report::NetworkInfo& network = run.info().network;
    const std::vector<report::BitTotals> totals = report::bitTotals(network, tracks, false);
    if (!std::isfinite(figures.bits) && !totals.empty()) figures.bits = totals.back().bits;
    if (!std::isfinite(figures.bitOps) && network.macs > 0 && floats)
        figures.bitOps = recordedBitOps(network, tracks);
    for (const report::MetricSample& row : figures.metrics) {
        if (row.step > 0 && std::isfinite(row.top1Hard)) figures.top1 = row.top1Hard;
    }
    return {};
}

}  // namespace

Result<report::RunFigures> readRunFigures(const fs::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(const std::unique_ptr<RunPlayback> run, RunPlayback::open(path));
    BITLOOM_ASSIGN_OR_RETURN(const report::RunSummary summary, run->summary());
    const report::RunInfo& info = run->info();
    report::RunFigures figures;
    figures.path = path.string();
    figures.name = path.stem().string();
    figures.network = info.network.arch;
    figures.started = info.started;
    figures.status = summary.status;
    figures.top1Fp32 = info.top1Fp32;
    // What a run that has not come to an end holds in the place of final figures means nothing.
    if (summary.status == report::RunStatus::Finished || summary.status == report::RunStatus::Stopped) {
        figures.top1 = summary.top1Hard;
        figures.bits = summary.bits;
        if (summary.fileBytes >= 0) figures.bytes = static_cast<double>(summary.fileBytes);
        figures.bitOps = summary.bitOps;
    }
    figures.images = figures.method = "unknown";
    bool floats = true;
    if (const auto job = parseJob(info.jobToml, path.string(), path.parent_path())) {
        figures.images = imagesOf(*job);
        figures.method = methodOf(*job);
        floats = activationsOf(stagesOf(*job)).method == quant::ActivationMethod::None;
    }
    if (auto times = readBench(path, info, summary)) {
        figures.times = *std::move(times);
    } else {
        figures.problem = times.error().message;
    }
    BITLOOM_ASSIGN_OR_RETURN(figures.metrics, run->metrics());
    if (!std::isfinite(figures.top1) || !std::isfinite(figures.bits) || !std::isfinite(figures.bitOps))
        BITLOOM_RETURN_IF_ERROR(addRecorded(*run, floats, figures));
    return figures;
}

Result<std::vector<fs::path>> runFilesIn(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code problem;
    fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied, problem);
    for (; !problem && entry != fs::recursive_directory_iterator(); entry.increment(problem)) {
        std::error_code ignored;
        if (entry->is_directory(ignored)) {
            if (entry->path().extension() == ".ckpt") entry.disable_recursion_pending();
        } else if (entry->path().extension() == ".h5") {
            files.push_back(entry->path());
        }
    }
    if (problem)
        return fail("{}: cannot read this folder: {}. Check the path and its permissions.", folder.string(),
                    problem.message());
    std::ranges::sort(files);
    return files;
}

ComparedRuns readRuns(const std::vector<fs::path>& paths) {
    ComparedRuns compared;
    std::vector<fs::path> files;
    for (const fs::path& path : paths) {
        std::error_code ignored;
        if (!fs::is_directory(path, ignored)) {
            files.push_back(path);
            continue;
        }
        const auto inside = runFilesIn(path);
        if (!inside) {
            compared.problems.push_back(inside.error().message);
        } else if (inside->empty()) {
            compared.problems.push_back(
                fmt::format("{}: there is no run in this folder; runs end in .h5", path.string()));
        } else {
            files.insert(files.end(), inside->begin(), inside->end());
        }
    }
    std::set<fs::path> seen;
    for (const fs::path& file : files) {
        std::error_code ignored;
        const fs::path whole = fs::weakly_canonical(file, ignored);
        if (!seen.insert(whole.empty() ? file : whole).second) continue;
        auto figures = readRunFigures(file);
        if (figures) {
            if (!figures->problem.empty()) compared.problems.push_back(figures->problem);
            compared.runs.push_back(*std::move(figures));
        } else {
            compared.problems.push_back(figures.error().message);
        }
    }
    return compared;
}

}  // namespace bitloom::jobs
