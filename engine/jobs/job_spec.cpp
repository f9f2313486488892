#include "engine/jobs/job_spec.h"

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

/// The tables of `section` that override single layers.
template <class Layers, class Schema>
std::string layersToToml(const char* section, const Layers& layers, const Schema& schema) {
    std::string text;
    for (const auto& [name, layer] : layers) {
        text += fmt::format("\n[{}.layers.{}]\n", section, quoteToml(name));
        for (const auto& key : schema) {
            const std::string value = key.write(layer);
            if (!value.empty()) text += fmt::format("{} = {}\n", key.name, value);
        }
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
    return text;
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
