// The methods of quantization as dialog and inspector offer them.
#pragma once

#include <vector>

#include "engine/jobs/job_spec.h"
#include "widgets/controls/method_editor.h"

namespace bitloom::app {

/// All there are.
[[nodiscard]] std::vector<widgets::MethodChoice> methodChoices();

/// Whether a method learns how many bits a layer takes, within quantizer.target.
[[nodiscard]] bool hasBudget(const QString& method);

/// Whether a layer of this method can start with the mixture of another run.
[[nodiscard]] bool takesMixture(const std::string& method);

[[nodiscard]] widgets::MethodSetting settingOf(const quant::LayerOptions& layer);

/// Sets method, components and values in `layer`; a transfer of mixtures stays where the method can take one.
void applySetting(const widgets::MethodSetting& setting, quant::LayerOptions& layer);

}  // namespace bitloom::app
