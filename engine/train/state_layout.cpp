#include "engine/train/state_layout.h"

#include <cstring>
#include <utility>

namespace bitloom::train {
namespace {

constexpr const char* kEvaluationRow = "trainer/evaluation";

}  // namespace

void addPart(graph::StateDict& state, const std::string& prefix, graph::StateDict&& part) {
    for (auto& [name, tensor] : part)
        state.insert_or_assign(prefix + name, std::move(tensor));
}

graph::StateDict partOf(const graph::StateDict& state, std::string_view prefix) {
    graph::StateDict part;
    for (auto entry = state.lower_bound(prefix); entry != state.end() && entry->first.starts_with(prefix);
         ++entry) {
        part.emplace(entry->first.substr(prefix.size()), entry->second);
    }
    return part;
}

graph::Tensor fromDoubles(const std::vector<double>& values) {
    graph::Tensor tensor{graph::DType::F64, {static_cast<std::int64_t>(values.size())}, {}};
    tensor.bytes.resize(values.size() * sizeof(double));
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
    return tensor;
}

std::vector<double> toDoubles(const graph::Tensor& tensor) {
    if (tensor.dtype != graph::DType::F64) return {};
    std::vector<double> values(tensor.bytes.size() / sizeof(double));
    std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(double));
    return values;
}

int stageOf(const graph::StateDict& state) {
    const auto found = state.find(kStageName);
    const std::vector<double> values =
        found == state.end() ? std::vector<double>() : toDoubles(found->second);
    return values.size() == 1 && values[0] > 0 ? static_cast<int>(values[0]) : 0;
}

void writeEvaluation(graph::StateDict& state, const report::MetricSample& row) {
    state.insert_or_assign(
        kEvaluationRow,
        fromDoubles({static_cast<double>(row.step), row.epoch, row.loss, row.learningRate, row.top1Soft,
                     row.top1Hard, row.top5Hard, row.quantMse, row.stepSeconds, row.top5Soft}));
}

report::MetricSample readEvaluation(const graph::StateDict& state) {
    report::MetricSample row;
    row.step = -1;
    const auto found = state.find(kEvaluationRow);
    if (found == state.end()) return row;
    const std::vector<double> values = toDoubles(found->second);
    if (values.size() != 10) return row;
    row.step = static_cast<std::int64_t>(values[0]);
    row.epoch = values[1];
    row.loss = values[2];
    row.learningRate = values[3];
    row.top1Soft = values[4];
    row.top1Hard = values[5];
    row.top5Hard = values[6];
    row.quantMse = values[7];
    row.stepSeconds = values[8];
    row.top5Soft = values[9];
    return row;
}

}  // namespace bitloom::train
