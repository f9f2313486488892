// The keys of a job file, each declared once: parsing, writing, ranges, help and suggestions all derive from
// these tables. Private to jobs/.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <toml++/toml.h>

#include "engine/jobs/job_spec.h"

namespace bitloom::jobs {

template <class Target>
struct Key {
    std::string name;  ///< "train.epochs"; of a layer override: "bits"
    std::string help;
    std::string expected;                                 ///< completes "expected ..."
    std::function<bool(const toml::node&, Target&)> set;  ///< false: the value is not what was expected
    std::function<std::string(const Target&)> write;      ///< the value as TOML; empty: leave the key out
};

/// In the order in which they are applied: general keys before those that refine them.
[[nodiscard]] const std::vector<Key<JobSpec>>& jobSchema();

/// Keys of [quantizer.layers."NAME"].
[[nodiscard]] const std::vector<Key<quant::LayerOptions>>& layerSchema();

/// Keys of [activation.layers."NAME"]; the target is the number of bits.
[[nodiscard]] const std::vector<Key<int>>& activationLayerSchema();

/// Two keys that say the same thing in two ways: giving both is an error, overriding one drops the other.
struct Rivals {
    std::string key;
    std::vector<std::string> others;
    bool exclusive = true;  ///< false: both may stand in one file, `key` first
};
[[nodiscard]] const std::vector<Rivals>& rivalKeys();

/// train.recipe where a job does not name it.
inline constexpr const char* kStandardRecipe = "short";

/// `origin` names the text in errors, which say the line.
[[nodiscard]] Result<toml::table> parseToml(std::string_view text, const std::string& origin);

/// "..." with escapes.
[[nodiscard]] std::string quoteToml(std::string_view text);

}  // namespace bitloom::jobs
