#include "engine/jobs/bit_target.h"

#include <algorithm>

#include "engine/jobs/job_spec.h"

namespace bitloom::jobs {
namespace {

constexpr const char* kLearning = "sdq";

}  // namespace

std::optional<report::BitTarget> bitTarget(const std::string& jobToml) {
    const auto job = parseJob(jobToml, "the run's job", {});
    if (!job) return std::nullopt;
    const quant::QuantizerOptions& options = job->quantizer;
    const bool learns =
        options.layer.method == kLearning || std::ranges::any_of(options.layers, [](const auto& layer) {
            return layer.second.method == kLearning;
        });
    if (!learns) return std::nullopt;
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
