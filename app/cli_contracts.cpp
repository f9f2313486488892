#include "app/cli_contracts.h"

#include <vector>

namespace bitloom::app {

void addContractOptions(CLI::App& verb, jobs::DeploymentOptions& deployment, const std::string& group) {
    const auto layers = [&](const std::string& name, const std::string& contract, const std::string& help) {
        return verb.add_option_function<std::vector<std::string>>(
            name,
            [&deployment, contract](const std::vector<std::string>& named) {
                for (const std::string& layer : named)
                    deployment.contracts[layer] = contract;
            },
            help);
    };
    const std::vector<CLI::Option*> options = {
        verb.add_option("--contract", deployment.contract, "Activations of all layers: int8 or exact (float)")
            ->capture_default_str(),
        layers("--exact", "exact", "Layers that keep float activations"),
        layers("--int8", "int8", "Layers that take activations of 8 bits"),
        verb.add_option("--calibration", deployment.calibrationImages,
                        "Training images that set the ranges of 8 bits")
            ->capture_default_str()};
    for (CLI::Option* option : options) {
        if (!group.empty()) option->group(group);
    }
}

}  // namespace bitloom::app
