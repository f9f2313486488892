#include "engine/jobs/job_spec.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/jobs/job_schema.h"

namespace bitloom::jobs {
namespace {

std::string sectionOf(const std::string& name) {
    return name.substr(0, name.find('.'));
}
std::string keyOf(const std::string& name) {
    return name.substr(name.find('.') + 1);
}

std::string layerToToml(const quant::LayerOptions& layer) {
    std::string text;
    for (const auto& key : layerSchema()) {
        const std::string value = key.write(layer);
        if (!value.empty()) text += fmt::format("{} = {}\n", key.name, value);
    }
    return text;
}

std::string layersToToml(const JobSpec& job) {
    std::string text;
    for (const auto& [name, layer] : job.quantizer.layers)
        text += fmt::format("\n[quantizer.layers.{}]\n{}", quoteToml(name), layerToToml(layer));
    return text;
}

/// What the stage says otherwise than the job.
std::string stageToToml(const JobSpec& job, const StageSpec& stage) {
    JobSpec whole = job;
    whole.quantizer = stage.quantizer;
    whole.train = stage.train;
    std::string text = fmt::format("\n[[stage]]\nname = {}\n", quoteToml(stage.name));
    for (const auto& key : jobSchema()) {
        const std::string value = key.write(whole);
        if (!value.empty() && value != key.write(job)) text += fmt::format("{} = {}\n", key.name, value);
    }
    for (const auto& [name, layer] : stage.quantizer.layers) {
        const auto same = job.quantizer.layers.find(name);
        const std::string layerText = layerToToml(layer);
        if (same != job.quantizer.layers.end() && layerToToml(same->second) == layerText) continue;
        text += fmt::format("\n[stage.quantizer.layers.{}]\n{}", quoteToml(name), layerText);
    }
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
            if (section == "quantizer") text += layersToToml(job);
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
    for (const StageSpec& stage : job.stages) {
        JobSpec whole = job;
        whole.quantizer = stage.quantizer;
        whole.train = stage.train;
        whole.stages.clear();
        stages.push_back(std::move(whole));
    }
    return stages;
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
        // The recipe decides the rates, so the plain default would mislead.
        const bool byRecipe = key.name.starts_with("train.rate_");
        std::string value = byRecipe ? "" : key.write(*standard);
        if (key.name == "train.recipe") value = quoteToml(kStandardRecipe);
        keys.push_back({key.name, key.help, key.expected, std::move(value)});
    }
    return keys;
}

}  // namespace bitloom::jobs
