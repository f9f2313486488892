#include "engine/jobs/bit_target.h"

#include <algorithm>

#include "engine/jobs/job_spec.h"
#include "engine/quant/method_names.h"

namespace bitloom::jobs {
namespace {

bool learnsBits(const quant::QuantizerOptions& options) {
    return quant::learnsBits(options.layer.method) ||
           std::ranges::any_of(options.layers,
                               [](const auto& layer) { return quant::learnsBits(layer.second.method); });
}

}  // namespace

std::optional<report::BitTarget> bitTarget(const std::string& jobToml) {
    const auto job = parseJob(jobToml, "the run's job", {});
    if (!job) return std::nullopt;
    const std::vector<JobSpec> stages = stagesOf(*job);
    const auto learning =
        std::ranges::find_if(stages, [](const JobSpec& stage) { return learnsBits(stage.quantizer); });
    if (learning == stages.end()) return std::nullopt;
    const quant::QuantizerOptions& options = learning->quantizer;
    switch (options.sdq.budget) {
        case quant::BitBudgetKind::Bits:
            return report::BitTarget{&report::BitTotals::bits, options.sdq.target};
        case quant::BitBudgetKind::Bytes:
            return report::BitTarget{&report::BitTotals::bytes, options.sdq.target};
        case quant::BitBudgetKind::BitOps:
            return report::BitTarget{&report::BitTotals::bitOperations, options.sdq.target};
    }
    return std::nullopt;
}

}  // namespace bitloom::jobs
