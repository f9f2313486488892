#include "engine/quant/sdq/bit_budget.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/graph/counts.h"
#include "engine/quant/sdq/least_loss.h"
#include "engine/report/bitwidths.h"
#include "engine/report/run.h"

namespace bitloom::quant::sdq {
namespace {

constexpr double kThreshold = 0.3;
/// Share of the steps, at the end, over which what is missing is taken.
constexpr double kClosing = 0.2;
/// Of sums of costs, in bits.
constexpr double kRounding = 1e-9;

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

Result<double> targetBits(const graph::Graph& graph, const SdqOptions& options,
                          const std::vector<std::string>& nodes) {
    BITLOOM_ASSIGN_OR_RETURN(const graph::Counts counts, graph::count(graph));
    double weights = 0;
    double macs = 0;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
        if (std::ranges::find(nodes, graph.nodes()[i].name) == nodes.end()) continue;
        weights += static_cast<double>(counts.nodes[i].weights);
        macs += static_cast<double>(counts.nodes[i].macs);
    }
    const report::BitTotals one = report::totalsOf(weights, weights, macs);
    double ofOneBit = one.bits;
    const char* unit = "bits";
    if (options.budget == BitBudgetKind::Bytes) {
        ofOneBit = one.bytes;
        unit = "bytes";
    } else if (options.budget == BitBudgetKind::BitOps) {
        ofOneBit = one.bitOperations;
        unit = "bit operations";
    }
    if (options.target >= ofOneBit) return options.target / ofOneBit;
    return usageError(
        "quantizer.target = {:.6g}: one bit a weight is the least, and the layers that choose their bits "
        "then take {:.6g} {}",
        options.target, ofOneBit, unit);
}

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
    const bool byMacs = sdq.budget == BitBudgetKind::BitOps;
    std::vector<std::string> nodes;
    for (const Layer& layer : layers)
        nodes.push_back(layer.node);
    BITLOOM_ASSIGN_OR_RETURN(const double target, targetBits(graph, sdq, nodes));
    std::map<std::string, std::shared_ptr<Bitwidth>> shared;
    std::vector<Member> members;
    for (const Layer& layer : layers) {
        if (sdq.perBlock) {
            std::shared_ptr<Bitwidth>& width = shared[sharingBlock(layer.node)];
            if (!width) width = std::make_shared<Bitwidth>(layer.chooser->width());
            if (width->bits() != layer.chooser->width().bits()) {
                return usageError(
                    "quantizer.per_block: {} starts at {} bits, others of its block at {}; give them the "
                    "same in quantizer.layers, or set per_block = false",
                    layer.node, layer.chooser->width().bits(), width->bits());
            }
            layer.chooser->share(width);
        }
        Bitwidth* width = &layer.chooser->width();
        const double cost = byMacs ? layer.macs / macs : layer.weights / weights;
        const auto known = std::ranges::find(members, width, &Member::width);
        if (known == members.end()) {
            members.push_back({width, cost, {layer.chooser}});
        } else {
            known->cost += cost;
            known->layers.push_back(layer.chooser);
        }
    }
    std::unique_ptr<BitBudget> budget(new BitBudget(std::move(members), target, sdq.budgetWeight));
    budget->fixWhenMet();
    return std::unique_ptr<StepHook>(std::move(budget));
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
    takeWhatIsMissing(step, steps);
    fixWhenMet();
}

/// Widths that meet the budget are trained no further: from there on it is training at fixed bits.
void BitBudget::fixWhenMet() {
    if (meanBits() > m_target + kRounding) return;
    for (const Member& member : m_members)
        member.width->fix();
}

void BitBudget::takeWhatIsMissing(std::int64_t step, std::int64_t steps) {
    const auto met = [&] { return meanBits() <= m_target + kRounding; };
    if (met()) return;
    const Member& lowest = leastLikely();
    const bool undercuts = meanBits() - lowest.cost < m_target - kRounding;
    if (lowest.width->probability() < kThreshold && !undercuts) lowest.width->lower();
    if (met()) return;
    const std::int64_t left = steps - step + 1;  // this one included
    if (static_cast<double>(left) > kClosing * static_cast<double>(steps) && left > 1) return;
    const std::vector<Bitwidth*> missing = cheapestLowerings();
    const auto count = static_cast<std::int64_t>(missing.size());
    if (count == 0 || left % std::max<std::int64_t>(1, left / count) != 0) return;
    for (std::int64_t i = 0; i * left < count; ++i)
        missing[static_cast<std::size_t>(i)]->lower();
}

/// The open width that is least likely to stay; there is one while the mean is above 1.
const BitBudget::Member& BitBudget::leastLikely() const {
    return *std::ranges::min_element(m_members, {},
                                     [](const Member& member) { return member.width->probability(); });
}

double BitBudget::Member::lossOfLowering() const {
    double loss = 0;
    for (const BitChooser* layer : layers)
        loss += layer->lossOfLowering();
    return loss;
}

/// The bits to take, the cheapest first, so that the target is met with the least loss added.
std::vector<Bitwidth*> BitBudget::cheapestLowerings() const {
    std::vector<Bitwidth*> widths;
    std::vector<BitLoss> losses;
    for (const Member& member : m_members) {
        if (!member.width->isOpen()) continue;
        widths.push_back(member.width);
        losses.push_back({member.width->bits() - 1, member.cost, member.lossOfLowering()});
    }
    const std::vector<int> taken = leastLoss(losses, meanBits() - m_target);
    std::vector<std::pair<double, Bitwidth*>> priced;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        for (int bits = 0; bits < taken[i]; ++bits)
            priced.emplace_back(losses[i].ofNext(bits) / losses[i].cost, widths[i]);
    }
    std::ranges::stable_sort(priced, {}, &std::pair<double, Bitwidth*>::first);
    std::vector<Bitwidth*> lowerings;
    for (const auto& [price, width] : priced)
        lowerings.push_back(width);
    return lowerings;
}

}  // namespace bitloom::quant::sdq
