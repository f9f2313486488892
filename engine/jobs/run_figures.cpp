#include "engine/jobs/run_figures.h"

#include <atomic>
#include <filesystem>
#include <system_error>

#include <unistd.h>

#include "engine/base/hash.h"
#include "engine/export/quantized_safetensors.h"
#include "engine/train/state_layout.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

/// A name that no other job of this or another process uses.
fs::path scratchFile() {
    static std::atomic<int> count = 0;
    std::error_code code;
    const fs::path folder = fs::temp_directory_path(code);
    return (code ? fs::path(".") : folder) / fmt::format("bitloom-{}-{}.safetensors", ::getpid(), count++);
}

/// Size of the packed export, found by writing it.
Result<std::int64_t> exportedBytes(const quant::QuantizedModel& model) {
    const fs::path path = scratchFile();
    const Status written = exporting::writeQuantizedSafetensors(path, model);
    std::error_code code;
    const auto bytes = fs::file_size(path, code);
    std::error_code ignored;
    fs::remove(path, ignored);
    BITLOOM_RETURN_IF_ERROR(written);
    if (code) return fail("{}: cannot read its size: {}", path.string(), code.message());
    return static_cast<std::int64_t>(bytes);
}

/// Mean (w - Psi)^2 over all quantized weights; 0 without any.
double quantizationError(const quant::QuantizedModel& model, const train::TrainerState& state) {
    double squares = 0;
    std::int64_t count = 0;
    for (const auto& [node, layer] : model.layers) {
        const auto latent = state.tensors.find(train::kModelPart + node + ".weight");
        if (latent == state.tensors.end()) continue;
        const std::vector<float> weights = latent->second.toFloats();
        const std::vector<float> values = layer.dequantize();
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const double difference = static_cast<double>(weights[i]) - static_cast<double>(values[i]);
            squares += difference * difference;
        }
        count += static_cast<std::int64_t>(weights.size());
    }
    return count > 0 ? squares / static_cast<double>(count) : 0;
}

/// Of weights, statistics and codebooks; momentum and scores do not matter.
std::string finalHash(const train::TrainerState& state) {
    graph::StateDict parts;
    for (const auto& [name, tensor] : state.tensors) {
        if (name.starts_with(train::kModelPart) || name.starts_with(train::kQuantizerPart))
            parts.emplace(name, tensor);
    }
    return hashText(graph::hashState(parts));
}

}  // namespace

Status addFigures(report::RunSummary& summary, const quant::QuantizedModel& model,
                  const train::TrainerState& state) {
    const quant::ModelMetrics metrics = quant::measure(model);
    summary.bits = metrics.bits;
    summary.sparsity = metrics.sparsity;
    summary.nonzeroParameters = metrics.nonzeroParameters;
    summary.compressionRate = metrics.compressionRate;
    BITLOOM_ASSIGN_OR_RETURN(summary.fileBytes, exportedBytes(model));
    summary.fileCompression = static_cast<double>(metrics.fp32Bytes) / static_cast<double>(summary.fileBytes);
    summary.mse = quantizationError(model, state);
    summary.hash = finalHash(state);
    return {};
}

void addAccuracies(report::RunSummary& summary, const report::MetricSample& row) {
    summary.top1Soft = row.top1Soft;
    summary.top1Hard = row.top1Hard;
    summary.top5Hard = row.top5Hard;
}

}  // namespace bitloom::jobs
