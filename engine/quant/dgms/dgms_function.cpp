#include "engine/quant/dgms/dgms_function.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/Parallel.h>

#include "engine/quant/dgms/dgms_kernel.h"
#include "engine/quant/dgms/mixture_reader.h"
#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::dgms {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// How a layer's weights, in memory order, split into blocks: `perGroup` blocks for each mixture.
struct Blocks {
    Blocks(std::int64_t count, std::int64_t groupCount)
        : groups(groupCount), groupSize(count / groupCount), perGroup((groupSize + kSize - 1) / kSize) {}
    static constexpr auto kSize = static_cast<std::int64_t>(kBlockSize);
    std::int64_t groups;
    std::int64_t groupSize;
    std::int64_t perGroup;
    [[nodiscard]] std::int64_t total() const { return groups * perGroup; }
    [[nodiscard]] std::int64_t group(std::int64_t block) const { return block / perGroup; }
    [[nodiscard]] std::int64_t begin(std::int64_t block) const {
        return group(block) * groupSize + (block % perGroup) * kSize;
    }
    [[nodiscard]] std::int64_t size(std::int64_t block) const {
        return std::min(kSize, groupSize - (block % perGroup) * kSize);
    }
    [[nodiscard]] std::int64_t grain() const {
        return std::max<std::int64_t>(1, kParallelGrain / std::min(kSize, groupSize));
    }
};

/// What backward needs beside the weights.
struct SavedTables : torch::CustomClassHolder {
    std::vector<MixtureTable> tables;  // one per group
    WeightGradient weightGradient = WeightGradient::Exact;
    torch::Device device = torch::kCPU;
    std::array<torch::TensorOptions, 4> parameterOptions;
    std::array<std::vector<std::int64_t>, 4> parameterSizes;
};

/// `tensor` on the CPU with its elements in one piece, a group's elements adjacent. Any such order will do:
/// Phi is elementwise, and channels-last weights need no copy.
torch::Tensor inOnePiece(const torch::Tensor& tensor, std::int64_t groups) {
    const torch::Tensor local = tensor.detach().to(torch::kCPU);
    const bool groupsAdjacent = groups == 1 || local.stride(0) * local.size(0) == local.numel();
    return local.is_non_overlapping_and_dense() && groupsAdjacent ? local : local.contiguous();
}

/// Building costs time per cell, and more cells leave fewer weights in segments: the sum is least near the
/// square root.
int cellsFor(std::int64_t weights, int components) {
    const double balanced = 4 * std::sqrt(static_cast<double>(weights));
    return static_cast<int>(std::min<double>(balanced, std::max(2048, 16 * components)));
}

template <class T>
std::vector<WeightRange> groupRanges(const torch::Tensor& weight, const Blocks& blocks) {
    const T* data = weight.data_ptr<T>();
    std::vector<WeightRange> ofBlocks(static_cast<std::size_t>(blocks.total()));
    at::parallel_for(0, blocks.total(), blocks.grain(), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t block = first; block < last; ++block) {
            ofBlocks[block] =
                rangeOf(data + blocks.begin(block), static_cast<std::size_t>(blocks.size(block)));
        }
    });
    std::vector<WeightRange> ofGroups;
    for (std::int64_t block = 0; block < blocks.total(); ++block) {
        const WeightRange& range = ofBlocks[block];
        if (block % blocks.perGroup == 0) ofGroups.push_back(range);
        WeightRange& group = ofGroups.back();
        group = {std::min(group.low, range.low), std::max(group.high, range.high),
                 group.finite && range.finite};
    }
    return ofGroups;
}

/// The certified cells of every group. Weights that are not finite get the dense evaluation, which passes NaN
/// on.
template <class T>
std::vector<MixtureTable> makeTables(std::vector<Components> components, const torch::Tensor& weight,
                                     bool prune) {
    const Blocks blocks(weight.numel(), static_cast<std::int64_t>(components.size()));
    const std::vector<WeightRange> ranges = groupRanges<T>(weight, blocks);
    const Tolerance tolerance = sizeof(T) == 4 ? Tolerance::forFloat() : Tolerance::forDouble();
    std::vector<MixtureTable> tables(components.size());
    at::parallel_for(0, blocks.groups, blocks.grain(), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t g = first; g < last; ++g) {
            const WeightRange& range = ranges[g];
            const int cells = prune && range.finite ? cellsFor(blocks.groupSize, components[g].size()) : 1;
            tables[g].cells = buildCells(components[g], range.low, range.high, cells, tolerance);
            tables[g].components = std::move(components[g]);
        }
    });
    return tables;
}

template <class T>
void runForward(const std::vector<MixtureTable>& tables, const torch::Tensor& weight, bool hard,
                torch::Tensor& result) {
    const Blocks blocks(weight.numel(), static_cast<std::int64_t>(tables.size()));
    const T* source = weight.data_ptr<T>();
    T* target = result.data_ptr<T>();
    at::parallel_for(0, blocks.total(), blocks.grain(), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t block = first; block < last; ++block) {
            const std::int64_t begin = blocks.begin(block);
            const auto size = static_cast<std::size_t>(blocks.size(block));
            const MixtureTable& table = tables[blocks.group(block)];
            hard ? hardForward(table, source + begin, size, target + begin)
                 : softForward(table, source + begin, size, target + begin);
        }
    });
}

/// Sums of every block, then added in block order: [groups] rows.
template <class T>
std::vector<std::vector<double>> runBackward(const std::vector<MixtureTable>& tables,
                                             const torch::Tensor& weight, const torch::Tensor& gradient,
                                             T* weightGradients) {
    const Blocks blocks(weight.numel(), static_cast<std::int64_t>(tables.size()));
    const T* source = weight.data_ptr<T>();
    const T* upstream = gradient.data_ptr<T>();
    std::vector<std::vector<double>> rows(static_cast<std::size_t>(blocks.total()));
    at::parallel_for(0, blocks.total(), blocks.grain(), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t block = first; block < last; ++block) {
            const std::int64_t begin = blocks.begin(block);
            const MixtureTable& table = tables[blocks.group(block)];
            rows[block].assign(SumLayout(table).size(), 0.0);
            softBackward(table, source + begin, upstream + begin,
                         static_cast<std::size_t>(blocks.size(block)), rows[block].data(),
                         weightGradients ? weightGradients + begin : nullptr);
        }
    });
    std::vector<std::vector<double>> totals;
    for (std::int64_t block = 0; block < blocks.total(); ++block) {
        std::vector<double>& row = rows[block];
        if (block % blocks.perGroup == 0) {
            totals.push_back(std::move(row));
        } else {
            for (std::size_t i = 0; i < row.size(); ++i)
                totals.back()[i] += row[i];
        }
    }
    return totals;
}

/// Gradients of one group's parameters from its sums, dgms/README.md section 3. Pointers to the group's rows.
void finishGroup(const MixtureTable& table, std::vector<double> sums, double* mu, double* logSigma,
                 double* logPi, double& tau) {
    const SumLayout at(table);
    for (std::size_t s = 0; s < at.segments; ++s) {
        const double share = sums[at.far() + s];
        if (share == 0) continue;
        const std::vector<std::int32_t>& near = table.cells.segments[s].near;
        auto next = near.begin();
        for (std::size_t k = 0; k < at.components; ++k) {
            if (next != near.end() && static_cast<std::size_t>(*next) == k) {
                ++next;
            } else {
                sums[k] += share;
            }
        }
    }
    double allA0 = 0;
    for (std::size_t k = 0; k < at.components; ++k)
        allA0 += sums[at.a0() + k];
    for (std::size_t k = 0; k < at.components; ++k) {
        if (k > 0) mu[k - 1] = sums[k] + sums[at.a1() + k] * table.components.inverseSigma[k];
        logSigma[k] = sums[at.a2() + k] - sums[at.a0() + k];
        logPi[k] = sums[at.a0() + k] - table.components.pi[k] * allA0;
    }
    tau -= sums[at.c()] / (table.components.temperature * table.components.temperature);
}

variable_list parameterGradients(const SavedTables& saved, std::vector<std::vector<double>> sums) {
    std::array<torch::Tensor, 4> gradients;
    for (std::size_t i = 0; i < 4; ++i)
        gradients[i] = torch::zeros(saved.parameterSizes[i], torch::kFloat64);
    const std::int64_t components = saved.parameterSizes[1].back();
    double* mu = gradients[0].data_ptr<double>();
    double* logSigma = gradients[1].data_ptr<double>();
    double* logPi = gradients[2].data_ptr<double>();
    double& tau = *gradients[3].data_ptr<double>();
    for (std::size_t g = 0; g < sums.size(); ++g) {
        finishGroup(saved.tables[g], std::move(sums[g]), mu, logSigma, logPi, tau);
        mu += components - 1;
        logSigma += components;
        logPi += components;
    }
    variable_list result;
    for (std::size_t i = 0; i < 4; ++i)
        result.push_back(gradients[i].to(saved.parameterOptions[i]));
    return result;
}

class SoftFunction : public torch::autograd::Function<SoftFunction> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& weight,
                                 const torch::Tensor& mu, const torch::Tensor& logSigma,
                                 const torch::Tensor& logPi, const torch::Tensor& tau,
                                 const SoftOptions& options) {
        const MixtureTensors mixture{mu, logSigma, logPi, tau};
        const torch::Tensor local = inOnePiece(weight, mixture.groups());
        auto saved = c10::make_intrusive<SavedTables>();
        torch::Tensor soft = torch::empty_like(local);
        AT_DISPATCH_FLOATING_TYPES(local.scalar_type(), "dgms_soft", [&] {
            saved->tables =
                makeTables<scalar_t>(readComponents(mixture, options.parity), local, options.prune);
            runForward<scalar_t>(saved->tables, local, options.hardForward, soft);
        });
        saved->weightGradient = options.weightGradient;
        saved->device = weight.device();
        const std::array<torch::Tensor, 4> parameters{mu, logSigma, logPi, tau};
        for (std::size_t i = 0; i < 4; ++i) {
            saved->parameterOptions[i] = parameters[i].options();
            saved->parameterSizes[i] = parameters[i].sizes().vec();
        }
        context->save_for_backward({local});
        context->saved_data["tables"] = c10::IValue::make_capsule(saved);
        return soft.to(weight.device());
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const torch::Tensor weight = context->get_saved_variables()[0];
        const auto holder = context->saved_data["tables"].toCapsule();
        const auto& saved = static_cast<const SavedTables&>(*holder);
        const torch::Tensor gradient = arrangedLike(outputs[0], weight);
        const bool exact = saved.weightGradient == WeightGradient::Exact && context->needs_input_grad(0);
        torch::Tensor weightGradient = exact ? torch::empty_like(weight) : gradient;
        variable_list result;
        AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "dgms_soft_backward", [&] {
            scalar_t* target = exact ? weightGradient.data_ptr<scalar_t>() : nullptr;
            result = parameterGradients(saved, runBackward<scalar_t>(saved.tables, weight, gradient, target));
        });
        result.insert(result.begin(), weightGradient.to(saved.device));
        result.emplace_back();  // options
        return result;
    }
};

}  // namespace

torch::Tensor softWeights(const torch::Tensor& weight, const MixtureTensors& mixture,
                          const SoftOptions& options) {
    return SoftFunction::apply(weight, mixture.mu, mixture.logSigma, mixture.logPi, mixture.tau, options);
}

}  // namespace bitloom::quant::dgms
