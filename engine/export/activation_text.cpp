#include "engine/export/activation_text.h"

#include <cmath>

#include <nlohmann/json.hpp>

namespace bitloom::exporting {
namespace {

using nlohmann::json;

Status checkActivation(const std::string& node, const quant::QuantizedActivation& activation) {
    const bool sound = activation.bits >= 2 && activation.bits <= 8 && std::isfinite(activation.scale) &&
                       activation.scale > 0 && activation.zeroPoint >= 0 &&
                       activation.zeroPoint <= activation.highest();
    if (sound) return {};
    return fail("activation {}: {} bits, scale {}, zero point {} make no rounding", node, activation.bits,
                activation.scale, activation.zeroPoint);
}

}  // namespace

std::string activationsText(const quant::ActivationMap& activations) {
    json text = json::object();
    for (const auto& [node, activation] : activations) {
        text[node] = {{"bits", activation.bits},
                      {"scale", static_cast<double>(activation.scale)},
                      {"zero_point", activation.zeroPoint}};
    }
    return text.dump();
}

Result<quant::ActivationMap> activationsFromText(const std::string& text) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) return fail("its \"activations\" are not a JSON object");
    quant::ActivationMap activations;
    for (const auto& item : parsed.items()) {
        const std::string& node = item.key();
        const json& entry = item.value();
        const auto small = [&](const char* key) {
            return entry.contains(key) && entry[key].is_number_integer() && entry[key] >= 0 &&
                   entry[key] <= 255;
        };
        const bool whole = entry.is_object() && small("bits") && small("zero_point") &&
                           entry.contains("scale") && entry["scale"].is_number();
        if (!whole) {
            return fail("activation {}: its entry is not {{\"bits\": b, \"scale\": s, \"zero_point\": z}}",
                        node);
        }
        const quant::QuantizedActivation activation{entry["bits"].get<int>(),
                                                    static_cast<float>(entry["scale"].get<double>()),
                                                    entry["zero_point"].get<int>()};
        BITLOOM_RETURN_IF_ERROR(checkActivation(node, activation));
        activations.emplace(node, activation);
    }
    return activations;
}

Status checkActivations(const quant::QuantizedModel& model) {
    for (const auto& [node, activation] : model.activations) {
        if (!model.graph.find(node)) return fail("activation {}: the network has no such node", node);
        BITLOOM_RETURN_IF_ERROR(checkActivation(node, activation));
    }
    return {};
}

}  // namespace bitloom::exporting
