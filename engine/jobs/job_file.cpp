// Reading a job: TOML text and overrides into one table, then the table into a JobSpec by the schema.
#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>

#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "engine/jobs/job_schema.h"
#include "engine/jobs/job_spec.h"
#include "engine/quant/method_names.h"

namespace bitloom::jobs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOverrideOrigin = "--set";

std::string textOf(const toml::node& node) {
    std::ostringstream stream;
    node.visit([&](const auto& concrete) { stream << concrete; });
    return stream.str();
}

/// "job.toml:12" or "--set".
std::string placeOf(const toml::node& node) {
    const toml::source_region& source = node.source();
    const std::string origin = source.path ? *source.path : std::string("job");
    return origin == kOverrideOrigin ? origin : fmt::format("{}:{}", origin, source.begin.line);
}

/// `prefix` completes `name` and `known` in the message.
Error unknownKey(const toml::node& node, const std::string& prefix, std::string_view name,
                 std::span<const std::string> known) {
    return usageError("{}: unknown key {}{}; did you mean {}{}?", placeOf(node), prefix, name, prefix,
                      nearestName(name, known));
}

template <class Target>
Error wrongValue(const toml::node& node, const std::string& name, const Key<Target>& key) {
    return usageError("{}: {} = {}: expected {}", placeOf(node), name, textOf(node), key.expected);
}

Status checkRivals(const toml::table& table, const std::string& prefix) {
    for (const Rivals& rivals : rivalKeys()) {
        for (const std::string& other : rivals.others) {
            if (!rivals.exclusive || !table.contains(rivals.key) || !table.contains(other)) continue;
            return usageError("{}: {}{} and {}{} say the same thing; keep one of them",
                              placeOf(*table.get(other)), prefix, rivals.key, prefix, other);
        }
    }
    return {};
}

/// Sets every key of `schema` that `table` has. `prefix` completes the names in messages.
template <class Target>
Status applyKeys(const toml::table& table, const std::vector<Key<Target>>& schema, const std::string& prefix,
                 Target& target) {
    for (const Key<Target>& key : schema) {
        const toml::node_view node = table.at_path(key.name);
        if (node && !key.set(*node.node(), target)) return wrongValue(*node.node(), prefix + key.name, key);
    }
    return {};
}

/// Calls apply(name, table) for every [`section`.layers."NAME"] after its keys are known to be of `schema`.
template <class Schema, class Apply>
Status forEachLayer(const toml::table& root, const std::string& section, const Schema& schema,
                    const Apply& apply) {
    const toml::node_view layers = root.at_path(section + ".layers");
    if (!layers) return {};
    if (!layers.is_table()) {
        return usageError("{}: {}.layers is a section: write [{}.layers.\"NAME\"]", placeOf(*layers.node()),
                          section, section);
    }
    std::vector<std::string> known;
    known.reserve(schema.size());
    for (const auto& key : schema)
        known.push_back(key.name);
    for (const auto& [name, node] : *layers.as_table()) {
        const std::string prefix = fmt::format("{}.layers.\"{}\".", section, name.str());
        const toml::table* table = node.as_table();
        if (!table) return usageError("{}: {} is not a table of {}", placeOf(node), prefix, joinNames(known));
        for (const auto& [key, value] : *table) {
            if (std::ranges::find(known, key.str()) == known.end()) {
                return unknownKey(value, prefix, key.str(), known);
            }
        }
        BITLOOM_RETURN_IF_ERROR(checkRivals(*table, prefix));
        BITLOOM_RETURN_IF_ERROR(apply(std::string(name.str()), *table, prefix));
    }
    return {};
}

Status applyLayers(const toml::table& root, JobSpec& job) {
    const auto quantized = [&](const std::string& name, const toml::table& table,
                               const std::string& prefix) -> Status {
        quant::LayerOptions layer = job.quantizer.layer;
        // An override of the width of a layer quantizes it, whatever the rest of the network does.
        if (layer.method == "none") layer.method = "dgms";
        BITLOOM_RETURN_IF_ERROR(applyKeys(table, layerSchema(), prefix, layer));
        job.quantizer.layers[name] = std::move(layer);
        return {};
    };
    const auto rounded = [&](const std::string& name, const toml::table& table,
                             const std::string& prefix) -> Status {
        int bits = job.quantizer.activation.bits;
        BITLOOM_RETURN_IF_ERROR(applyKeys(table, activationLayerSchema(), prefix, bits));
        job.quantizer.activation.layers[name] = bits;
        return {};
    };
    BITLOOM_RETURN_IF_ERROR(forEachLayer(root, "quantizer", layerSchema(), quantized));
    return forEachLayer(root, "activation", activationLayerSchema(), rounded);
}

std::vector<std::string> knownNames() {
    std::vector<std::string> names;
    for (const auto& key : jobSchema())
        names.push_back(key.name);
    names.emplace_back("quantizer.layers");
    names.emplace_back("activation.layers");
    return names;
}

/// The first part of every key, once each.
std::vector<std::string> knownSections() {
    std::vector<std::string> sections;
    for (const std::string& name : knownNames()) {
        std::string section = name.substr(0, name.find('.'));
        if (std::ranges::find(sections, section) == sections.end()) sections.push_back(std::move(section));
    }
    return sections;
}

/// Of a job, or of a stage of it, whose own keys are not of any section.
Status checkNames(const toml::table& root, std::span<const char* const> own) {
    const std::vector<std::string> names = knownNames();
    std::vector<std::string> sections = knownSections();
    for (const auto& [section, content] : root) {
        const std::string sectionName(section.str());
        if (std::ranges::find(own, sectionName) != own.end()) continue;
        const toml::table* table = content.as_table();
        if (std::ranges::find(sections, sectionName) == sections.end()) {
            return unknownKey(content, "", sectionName, table ? sections : names);
        }
        if (!table)
            return usageError("{}: {} is a section: write [{}]", placeOf(content), sectionName, sectionName);
        for (const auto& [key, value] : *table) {
            const std::string name = sectionName + "." + std::string(key.str());
            if (std::ranges::find(names, name) == names.end()) return unknownKey(value, "", name, names);
        }
        BITLOOM_RETURN_IF_ERROR(checkRivals(*table, sectionName + "."));
    }
    return {};
}

/// Keys in schema order, with the recipe's defaults below them.
Result<JobSpec> trainingOf(const toml::table& root) {
    // The recipe depends on the quantizer, so a first pass finds that out.
    JobSpec draft;
    BITLOOM_RETURN_IF_ERROR(applyKeys(root, jobSchema(), "", draft));
    JobSpec job;
    applyRecipe(root.at_path("train.recipe").value_or<std::string>(kStandardRecipe), draft.quantizer.layer,
                job);
    BITLOOM_RETURN_IF_ERROR(applyKeys(root, jobSchema(), "", job));
    if (job.train.steps > 0) job.train.epochs = train::TrainOptions{}.epochs;
    BITLOOM_RETURN_IF_ERROR(applyLayers(root, job));
    return job;
}

/// Moves every key of `changes` into `base` (a copy would forget where it came from), dropping there what it
/// replaces.
void merge(toml::table& base, toml::table& changes) {
    for (auto&& [key, value] : changes) {
        for (const Rivals& rivals : rivalKeys()) {
            if (rivals.key != key.str()) continue;
            for (const std::string& other : rivals.others)
                base.erase(other);
        }
        toml::table* below = base[key.str()].as_table();
        if (below && value.is_table()) {
            merge(*below, *value.as_table());
        } else {
            base.insert_or_assign(key, std::move(value));
        }
    }
}

constexpr const char* kStages = "stage";
constexpr std::array kJobKeys = {kStages};
constexpr std::array kStageKeys = {"name"};

/// What a stage may not say is the job's: everything but [quantizer], [activation] and most
/// of [train].
Status checkStageKeys(const toml::table& stage, const std::string& where) {
    BITLOOM_RETURN_IF_ERROR(checkNames(stage, kStageKeys));
    for (const auto& [section, content] : stage) {
        const bool own = std::ranges::find(kStageKeys, section.str()) != kStageKeys.end();
        if (own || section == "quantizer" || section == "activation" || section == "train") continue;
        return usageError(
            "{}: {}: [{}] is of the whole job; a stage has quantizer, activation and train keys",
            placeOf(content), where, section.str());
    }
    for (const char* key : {"train.seed", "train.threads", "train.device"}) {
        if (const toml::node_view node = stage.at_path(key))
            return usageError("{}: {}: {} is of the whole job", placeOf(*node.node()), where, key);
    }
    return {};
}

/// Takes out of a stage of learned bits the layers whose bits one of the stages `before` learned: what it
/// inherits of them is where learning began. What `stage` says itself stays.
void forgetStarts(const toml::table& stage, const std::vector<StageSpec>& before,
                  quant::QuantizerOptions& options) {
    std::erase_if(options.layers, [&](const auto& entry) {
        const std::string& layer = entry.first;
        const toml::table* own = stage.at_path("quantizer.layers").as_table();
        if (own && own->contains(layer)) return false;
        return std::ranges::any_of(before, [&](const StageSpec& earlier) {
            const auto start = earlier.quantizer.layers.find(layer);
            return start != earlier.quantizer.layers.end() && quant::learnsBits(start->second.method);
        });
    });
}

/// The stage `number`, counted from 1, which comes after the stages `before`.
Result<StageSpec> stageOf(const toml::table& root, const toml::table& stage, std::size_t number,
                          const std::vector<StageSpec>& before) {
    const std::string where = fmt::format("stage {}", number);
    BITLOOM_RETURN_IF_ERROR(checkStageKeys(stage, where));
    StageSpec result;
    if (const toml::node* name = stage.get("name")) {
        const auto text = name->value_exact<std::string>();
        if (!text)
            return usageError("{}: {}: name = {}: expected a string", placeOf(*name), where, textOf(*name));
        result.name = *text;
    }
    // Here for its errors, which name the line: the copy below no longer knows it.
    JobSpec scratch;
    BITLOOM_RETURN_IF_ERROR(applyKeys(stage, jobSchema(), where + ": ", scratch));
    toml::table whole = root;
    whole.erase(kStages);
    toml::table changes = stage;
    for (const char* key : kStageKeys)
        changes.erase(key);
    merge(whole, changes);
    const bool learned =
        whole.at_path("quantizer.strategy").value_or(std::string()) == quant::kLearnedStrategy;
    // Another run's mixtures have as many components as the bits began with.
    if (learned && !stage.at_path("quantizer.transfer")) {
        if (toml::table* quantizer = whole["quantizer"].as_table()) quantizer->erase("transfer");
    }
    BITLOOM_ASSIGN_OR_RETURN(JobSpec job, trainingOf(whole));
    result.quantizer = std::move(job.quantizer);
    result.train = std::move(job.train);
    if (learned) forgetStarts(stage, before, result.quantizer);
    if (result.name.empty()) result.name = result.quantizer.layer.method;
    return result;
}

Result<JobSpec> specOf(const toml::table& root) {
    BITLOOM_RETURN_IF_ERROR(checkNames(root, kJobKeys));
    BITLOOM_ASSIGN_OR_RETURN(JobSpec job, trainingOf(root));
    const toml::node* stages = root.get(kStages);
    if (!stages) return job;
    const toml::array* list = stages->as_array();
    if (!list || list->empty())
        return usageError("{}: stage is a list of sections: write [[stage]]", placeOf(*stages));
    for (const toml::node& stage : *list) {
        const toml::table* table = stage.as_table();
        if (!table) return usageError("{}: stage is a list of sections: write [[stage]]", placeOf(stage));
        BITLOOM_ASSIGN_OR_RETURN(StageSpec read, stageOf(root, *table, job.stages.size() + 1, job.stages));
        job.stages.push_back(std::move(read));
    }
    return job;
}

/// Makes `path` absolute against `folder`; an empty one stays empty.
std::string absolutePath(const std::string& path, const fs::path& folder) {
    return path.empty() ? path : fs::absolute(folder / path).lexically_normal().string();
}

/// Of a job or one of its stages: files, and the folder of data.source, where they are strings.
void resolvePaths(toml::table& root, const fs::path& folder) {
    const auto resolve = [&](toml::node_view<toml::node> node) {
        toml::value<std::string>* path = node.as_string();
        if (path && path->get() != quant::kLearnedStrategy) path->get() = absolutePath(path->get(), folder);
    };
    for (const char* key : {"model.weights", "model.teacher", "quantizer.strategy", "quantizer.transfer"})
        resolve(root.at_path(key));
    if (toml::table* layers = root.at_path("quantizer.layers").as_table()) {
        for (auto&& [name, layer] : *layers)
            resolve(toml::node_view<toml::node>(layer)["transfer"]);
    }
    if (toml::value<std::string>* source = root.at_path("data.source").as_string()) {
        for (const std::string_view scheme : {"cifar10:", "folder:"}) {
            if (!source->get().starts_with(scheme)) continue;
            source->get() = std::string(scheme) + absolutePath(source->get().substr(scheme.size()), folder);
        }
    }
}

/// The tables of the stages that a job lists, or of those that an override names by number.
std::vector<toml::table*> stageTables(toml::table& root) {
    std::vector<toml::table*> tables;
    const auto add = [&](toml::node& node) {
        if (toml::table* table = node.as_table()) tables.push_back(table);
    };
    toml::node* stages = root.get(kStages);
    if (!stages) return tables;
    if (toml::array* list = stages->as_array()) {
        for (toml::node& stage : *list)
            add(stage);
    } else if (toml::table* byNumber = stages->as_table()) {
        for (auto&& [number, stage] : *byNumber)
            add(stage);
    }
    return tables;
}

void resolveAllPaths(toml::table& root, const fs::path& folder) {
    resolvePaths(root, folder);
    for (toml::table* stage : stageTables(root))
        resolvePaths(*stage, folder);
}

/// "stage.2.train.epochs=6": into the second stage of `root`; drops it from `changes`.
Status mergeStages(toml::table& root, toml::table& changes) {
    toml::node* node = changes.get(kStages);
    if (!node) return {};
    toml::table* byNumber = node->as_table();
    if (!byNumber) return usageError("{} stage: write stage.NUMBER.KEY=VALUE", kOverrideOrigin);
    const std::vector<toml::table*> stages = stageTables(root);
    for (auto&& [number, stage] : *byNumber) {
        std::size_t index = 0;
        const std::string_view text = number.str();
        const auto read = std::from_chars(text.data(), text.data() + text.size(), index);
        toml::table* table = stage.as_table();
        if (!table || read.ec != std::errc() || read.ptr != text.data() + text.size() || index < 1 ||
            index > stages.size()) {
            return usageError("{} stage.{}: the job has {} [[stage]]; write stage.NUMBER.KEY=VALUE",
                              kOverrideOrigin, text, stages.size());
        }
        merge(*stages[index - 1], *table);
    }
    changes.erase(kStages);
    return {};
}

/// "train.epochs=2" as a table. A value that is not TOML is a string without its quotes.
Result<toml::table> parseOverride(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        return usageError("{} {}: write KEY=VALUE, for example quantizer.bits=2", kOverrideOrigin, text);
    }
    if (auto table = parseToml(text, kOverrideOrigin)) return table;
    const std::string key = text.substr(0, equals);
    auto table = parseToml(key + "=" + quoteToml(text.substr(equals + 1)), kOverrideOrigin);
    if (!table) return usageError("{} {}: {} is not a key", kOverrideOrigin, text, key);
    return table;
}

}  // namespace

Result<JobSpec> parseJob(std::string_view toml, const std::string& origin, const fs::path& folder,
                         std::span<const std::string> overrides) {
    BITLOOM_ASSIGN_OR_RETURN(toml::table root, parseToml(toml, origin));
    resolveAllPaths(root, folder);
    for (const std::string& text : overrides) {
        BITLOOM_ASSIGN_OR_RETURN(toml::table changes, parseOverride(text));
        resolveAllPaths(changes, ".");
        BITLOOM_RETURN_IF_ERROR(mergeStages(root, changes));
        merge(root, changes);
    }
    return specOf(root);
}

Result<JobSpec> readJob(const fs::path& path, std::span<const std::string> overrides) {
    BITLOOM_ASSIGN_OR_RETURN(const std::string text, readFile(path, 1u << 20));
    return parseJob(text, path.string(), path.parent_path(), overrides);
}

}  // namespace bitloom::jobs
