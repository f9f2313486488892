// `bitloom inspect` and `bitloom evaluate`: weight files.
#include "app/cli_output.h"
#include "app/cli_progress.h"
#include "app/cli_verbs.h"
#include "app/stop_signals.h"
#include "engine/jobs/evaluate_job.h"
#include "engine/jobs/inspect_job.h"

namespace bitloom::app {
namespace {

struct InspectOptions {
    std::string file;
    std::string arch;
    bool json = false;
};

std::string shapeText(const std::vector<std::int64_t>& shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

Json layerJson(const report::LayerInfo& layer) {
    return {{"name", layer.name},       {"op", layer.op},     {"shape", layer.weightShape},
            {"weights", layer.weights}, {"macs", layer.macs}, {"quantized", layer.quantized},
            {"bits", layer.bits}};
}

Json inspectionJson(const jobs::InspectResult& result) {
    Json json = {{"path", result.path},
                 {"format", result.format},
                 {"bytes", result.bytes},
                 {"arch", result.arch},
                 {"parameters", result.network.parameters},
                 {"macs", result.network.macs},
                 {"mapping", result.mapping},
                 {"metadata", result.metadata},
                 {"layers", Json::array()},
                 {"tensors", Json::array()}};
    for (const report::LayerInfo& layer : result.network.layers)
        json["layers"].push_back(layerJson(layer));
    for (const jobs::TensorInfo& tensor : result.tensors) {
        json["tensors"].push_back({{"key", tensor.key},
                                   {"dtype", tensor.dtype},
                                   {"shape", tensor.shape},
                                   {"minimum", tensor.minimum},
                                   {"maximum", tensor.maximum},
                                   {"mean", tensor.mean},
                                   {"deviation", tensor.deviation},
                                   {"non_finite", tensor.nonFinite}});
    }
    return json;
}

void print(const jobs::InspectResult& result) {
    std::vector<std::pair<std::string, std::string>> fields = {
        {"File", result.path},
        {"Format", result.format},
        {"Size", bytesText(result.bytes)},
        {"Network", result.arch.empty() ? "unknown" : result.arch}};
    if (!result.arch.empty()) {
        fields.emplace_back("Parameters", fmt::format("{}", result.network.parameters));
        fields.emplace_back("MACs", fmt::format("{} per image", result.network.macs));
    }
    for (const auto& [key, value] : result.metadata) {
        constexpr std::size_t kLongest = 60;  // an export keeps its whole graph there
        fields.emplace_back(key, value.size() > kLongest ? value.substr(0, kLongest) + "..." : value);
    }
    printText(fieldsText(fields) + "\n" + result.mapping + "\n\n");
    Table table({"tensor", "type", "shape", "minimum", "maximum", "mean", "deviation", "NaN/inf"});
    for (const jobs::TensorInfo& tensor : result.tensors) {
        table.add({tensor.key, tensor.dtype, shapeText(tensor.shape), numberText(tensor.minimum),
                   numberText(tensor.maximum), numberText(tensor.mean), numberText(tensor.deviation),
                   fmt::format("{}", tensor.nonFinite)});
    }
    printText(table.text());
}

int runInspect(const InspectOptions& options) {
    const auto result = jobs::inspectWeights(options.file, options.arch);
    if (!result) return reportError(result.error());
    options.json ? printJson(inspectionJson(*result)) : print(*result);
    return 0;
}

struct EvaluateOptions {
    jobs::EvaluateRequest request;
    bool json = false;
};

int runEvaluate(const EvaluateOptions& options) {
    JobControl control;
    const StopOnSignal signals([&control] { control.stop(); });
    TerminalSink sink;
    const auto result = jobs::runEvaluateJob(options.request, sink, control);
    if (!result) return reportError(result.error());
    if (options.json) {
        printJson({{"arch", result->arch},
                   {"top1", result->top1},
                   {"top5", result->top5},
                   {"loss", result->loss},
                   {"images", result->images},
                   {"seconds", result->seconds}});
        return 0;
    }
    printText(fieldsText({{"Network", result->arch},
                          {"Top-1", percentText(result->top1)},
                          {"Top-5", percentText(result->top5)},
                          {"Loss", numberText(result->loss)},
                          {"Images", fmt::format("{}", result->images)},
                          {"Seconds", fmt::format("{:.2f}", result->seconds)}}));
    return 0;
}

}  // namespace

void addInspectVerb(const VerbContext& context) {
    auto options = std::make_shared<InspectOptions>();
    CLI::App* verb = addVerb<InspectOptions>(context, "inspect",
                                             "What is in a weight file: tensors, network, layers, statistics",
                                             "  bitloom inspect resnet20.th\n"
                                             "  bitloom inspect net.safetensors --arch resnet20-b --json\n",
                                             options, runInspect);
    verb->add_option("FILE", options->file, "PyTorch (.pt .pth .th), safetensors or HDF5 file, or an export")
        ->required();
    verb->add_option("--arch", options->arch, "Network to fit the weights to; guessed when not given");
    verb->add_flag("--json", options->json, "Print JSON");
}

void addEvaluateVerb(const VerbContext& context) {
    auto options = std::make_shared<EvaluateOptions>();
    jobs::EvaluateRequest& request = options->request;
    CLI::App* verb = addVerb<EvaluateOptions>(
        context, "evaluate", "Accuracy of a weight file, an export or a run on a dataset's test images",
        "  bitloom evaluate --weights resnet20.th --data cifar10:cifar-10-batches-bin --normalize imagenet\n"
        "  bitloom evaluate --weights net.safetensors --data generated --json\n",
        options, runEvaluate);
    verb->add_option("--weights", request.weights, "Weight file, export or run file")->required();
    verb->add_option("--data", request.data,
                     "cifar10:FOLDER, folder:FOLDER or generated[:SEED,TRAIN,TEST]; not needed for a run");
    verb->add_option("--arch", request.arch, "Network; guessed from the weights when not given");
    verb->add_option("--normalize", request.normalize,
                     "cifar10, imagenet, half or none; that of the run, cifar10 for weights");
    verb->add_option("--batch", request.batch, "Images per batch")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str();
    verb->add_option("--images", request.images, "Score only the first so many; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    verb->add_option("--threads", request.threads, "0: all cores")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    verb->add_option("--device", request.device, "cpu, cuda or cuda:N")->capture_default_str();
    verb->add_flag("--json", options->json, "Print JSON");
}

}  // namespace bitloom::app
