#include "engine/quant/sdq/bit_budget.h"

#include <algorithm>
#include <map>

#include "engine/graph/counts.h"
#include "engine/report/run.h"

namespace bitloom::quant::sdq {
namespace {

constexpr double kThreshold = 0.3;
/// Share of the steps over which the threshold rises to 1.
constexpr double kClosing = 0.2;

/// The block whose layers share a width: a numbered one, else the layer itself.
std::string sharingBlock(const std::string& node) {
    const std::string block = report::blockOf(node);
    const bool numbered = !block.empty() && block.back() >= '0' && block.back() <= '9';
    return numbered ? block : node;
}

struct Layer {
    std::string node;
    BitChooser* chooser;
    double weights;
    double macs;
};

}  // namespace

Result<std::unique_ptr<StepHook>> BitBudget::make(const graph::Graph& graph, const QuantizerOptions& options,
                                                  const QuantizerMap& quantizers) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Counts counts, graph::count(graph));
    std::vector<Layer> layers;
    double weights = 0;
    double macs = 0;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
        const std::string& node = graph.nodes()[i].name;
        const auto quantizer = quantizers.find(node);
        if (quantizer == quantizers.end()) continue;
        auto* chooser = dynamic_cast<BitChooser*>(quantizer->second.get());
        if (chooser == nullptr) continue;
        layers.push_back({node, chooser, static_cast<double>(counts.nodes[i].weights),
                          static_cast<double>(counts.nodes[i].macs)});
        weights += layers.back().weights;
        macs += layers.back().macs;
    }
    if (layers.empty()) return std::unique_ptr<StepHook>();
    const SdqOptions& sdq = options.sdq;
    constexpr double kActivationBits = 32;
    const bool byMacs = sdq.budget == BitBudgetKind::BitOps;
    const double target = byMacs                               ? sdq.target / (macs * kActivationBits)
                          : sdq.budget == BitBudgetKind::Bytes ? 8 * sdq.target / weights
                                                               : sdq.target;
    if (target < 1) {
        return usageError(
            "quantizer.target: one bit a weight is the least, and the layers that choose their bits then "
            "take {:.4g} "
            "{}",
            byMacs                               ? macs * kActivationBits
            : sdq.budget == BitBudgetKind::Bytes ? weights / 8
                                                 : 1.0,
            byMacs                               ? "bit operations"
            : sdq.budget == BitBudgetKind::Bytes ? "bytes"
                                                 : "bits");
    }
    std::map<std::string, std::shared_ptr<Bitwidth>> shared;
    std::vector<Member> members;
    for (const Layer& layer : layers) {
        if (sdq.perBlock) {
            std::shared_ptr<Bitwidth>& width = shared[sharingBlock(layer.node)];
            if (!width) width = std::make_shared<Bitwidth>(layer.chooser->width());
            layer.chooser->share(width);
        }
        Bitwidth* width = &layer.chooser->width();
        const double cost = byMacs ? layer.macs / macs : layer.weights / weights;
        const auto known = std::ranges::find(members, width, &Member::width);
        if (known == members.end()) {
            members.push_back({width, cost});
        } else {
            known->cost += cost;
        }
    }
    return std::unique_ptr<StepHook>(new BitBudget(std::move(members), target, sdq.budgetWeight));
}

double BitBudget::meanBits() const {
    double sum = 0;
    for (const Member& member : m_members)
        sum += member.cost * member.width->bits();
    return sum;
}

double BitBudget::expectedBits() const {
    double sum = 0;
    for (const Member& member : m_members)
        sum += member.cost * (member.width->bits() - 1 + member.width->probability());
    return sum;
}

void BitBudget::afterBackward(std::int64_t step, std::int64_t steps) {
    const bool over = expectedBits() > m_target;
    for (const Member& member : m_members) {
        const double beta = member.width->probability();
        if (over) member.width->addGradient(m_weight * member.cost * beta * (1 - beta));
        member.width->update();
    }
    const double left = static_cast<double>(steps - step) / static_cast<double>(steps);
    const double threshold = left < kClosing ? 1 - (1 - kThreshold) * left / kClosing : kThreshold;
    // The last step takes what is still missing.
    constexpr double kAny = 2;
    while (meanBits() > m_target) {
        Bitwidth* lowest = lowestBelow(step < steps ? threshold : kAny);
        if (lowest != nullptr) lowest->lower();
        if (lowest == nullptr || step < steps) return;
    }
}

/// The open width that is least likely to stay; null where all are at least that likely.
Bitwidth* BitBudget::lowestBelow(double threshold) const {
    Bitwidth* lowest = nullptr;
    for (const Member& member : m_members) {
        const double beta = member.width->probability();
        if (!member.width->isOpen() || beta >= threshold) continue;
        if (lowest == nullptr || beta < lowest->probability()) lowest = member.width;
    }
    return lowest;
}

}  // namespace bitloom::quant::sdq
