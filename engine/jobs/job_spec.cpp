#include "engine/jobs/job_spec.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/jobs/job_schema.h"
#include "engine/quant/method_names.h"

namespace bitloom::jobs {
namespace {

std::string sectionOf(const std::string& name) {
    return name.substr(0, name.find('.'));
}
std::string keyOf(const std::string& name) {
    return name.substr(name.find('.') + 1);
}

template <class Layer>
std::string layerToToml(const Layer& layer, const std::vector<Key<Layer>>& schema) {
    std::string text;
    for (const auto& key : schema) {
        const std::string value = key.write(layer);
        if (!value.empty()) text += fmt::format("{} = {}\n", key.name, value);
    }
    return text;
}

/// The tables of `section` that override single layers, but for those that `known` has alike.
template <class Layer>
std::string layersToToml(const std::string& section, const std::map<std::string, Layer>& layers,
                         const std::vector<Key<Layer>>& schema,
                         const std::map<std::string, Layer>& known = {}) {
    std::string text;
    for (const auto& [name, layer] : layers) {
        const auto same = known.find(name);
        const std::string layerText = layerToToml(layer, schema);
        if (same != known.end() && layerToToml(same->second, schema) == layerText) continue;
        text += fmt::format("\n[{}.layers.{}]\n{}", section, quoteToml(name), layerText);
    }
    return text;
}

/// The stage as a job of its own.
JobSpec jobOfStage(const JobSpec& job, const StageSpec& stage) {
    JobSpec whole = job;
    whole.quantizer = stage.quantizer;
    whole.train = stage.train;
    whole.stages.clear();
    return whole;
}

/// What the stage says otherwise than the job.
std::string stageToToml(const JobSpec& job, const StageSpec& stage) {
    const JobSpec whole = jobOfStage(job, stage);
    std::string text = fmt::format("\n[[stage]]\nname = {}\n", quoteToml(stage.name));
    for (const auto& key : jobSchema()) {
        const std::string value = key.write(whole);
        if (!value.empty() && value != key.write(job)) text += fmt::format("{} = {}\n", key.name, value);
    }
    // A stage of learned bits does not inherit every layer (job_file.cpp), so it says what it has.
    const bool learned = stage.quantizer.strategy == quant::kLearnedStrategy;
    text += layersToToml("stage.quantizer", stage.quantizer.layers, layerSchema(),
                         learned ? decltype(job.quantizer.layers)() : job.quantizer.layers);
    text += layersToToml("stage.activation", stage.quantizer.activation.layers, activationLayerSchema(),
                         job.quantizer.activation.layers);
    return text;
}

}  // namespace

std::string toToml(const JobSpec& job) {
    std::string text;
    std::string section;
    for (const auto& key : jobSchema()) {
        const std::string value = key.write(job);
        if (value.empty()) continue;
        if (sectionOf(key.name) != section) {
            if (section == "quantizer")
                text += layersToToml("quantizer", job.quantizer.layers, layerSchema());
            if (section == "activation") {
                text += layersToToml("activation", job.quantizer.activation.layers, activationLayerSchema());
            }
            section = sectionOf(key.name);
            text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section);
        }
        text += fmt::format("{} = {}\n", keyOf(key.name), value);
    }
    for (const StageSpec& stage : job.stages)
        text += stageToToml(job, stage);
    return text;
}

std::vector<JobSpec> stagesOf(const JobSpec& job) {
    if (job.stages.empty()) return {job};
    std::vector<JobSpec> stages;
    for (const StageSpec& stage : job.stages)
        stages.push_back(jobOfStage(job, stage));
    return stages;
}

void setLayer(JobSpec& job, const std::string& layer, const std::optional<quant::LayerOptions>& options) {
    const bool starts = options && quant::learnsBits(options->method);
    const auto set = [&](quant::QuantizerOptions& quantizer) {
        if (!options || (starts && quantizer.strategy == quant::kLearnedStrategy)) {
            quantizer.layers.erase(layer);
        } else {
            quantizer.layers[layer] = *options;
        }
    };
    set(job.quantizer);
    for (StageSpec& stage : job.stages)
        set(stage.quantizer);
}

std::optional<quant::LayerOptions> layerOf(const JobSpec& job, const std::string& layer) {
    const auto own = job.quantizer.layers.find(layer);
    if (own != job.quantizer.layers.end()) return own->second;
    for (const StageSpec& stage : job.stages) {
        const auto ofStage = stage.quantizer.layers.find(layer);
        if (ofStage != stage.quantizer.layers.end()) return ofStage->second;
    }
    return std::nullopt;
}

bool distils(const JobSpec& job) {
    return std::ranges::any_of(stagesOf(job),
                               [](const JobSpec& stage) { return stage.train.distillation > 0; });
}

bool operator==(const JobSpec& a, const JobSpec& b) {
    return toToml(a) == toToml(b);
}

std::vector<JobKeyHelp> jobKeys() {
    const auto standard = parseJob("", "job", {});
    assert(standard.ok());
    std::vector<JobKeyHelp> keys;
    for (const auto& key : jobSchema()) {
        // The recipe decides these, so the plain default would mislead.
        const bool byRecipe = key.name.starts_with("train.rate_") || key.name == "quantizer.half_logits" ||
                              key.name == "quantizer.factored";
        std::string value = byRecipe ? "" : key.write(*standard);
        if (key.name == "train.recipe") value = quoteToml(kStandardRecipe);
        keys.push_back({key.name, key.help, key.expected, std::move(value)});
    }
    return keys;
}

}  // namespace bitloom::jobs
