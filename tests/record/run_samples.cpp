#include "tests/record/run_samples.h"

#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "engine/base/hash.h"
#include "engine/base/random.h"

namespace bitloom::testing {
namespace {

std::uint64_t keyOf(const std::string& name) {
    return hashBytes(std::as_bytes(std::span(name)));
}

report::Histogram sampleHistogram(Random& random, int bins) {
    report::Histogram histogram;
    histogram.low = -1.25;
    histogram.high = 1.5;
    for (int bin = 0; bin < bins; ++bin)
        histogram.counts.push_back(static_cast<std::uint32_t>(random.below(5000)));
    histogram.below = random.below(10);
    histogram.above = (std::uint64_t{1} << 40) + random.below(10);
    return histogram;
}

/// Compares fields one by one and keeps the name of the first that differs.
class Comparison {
  public:
    template <class Value>
    void field(const std::string& name, const Value& a, const Value& b) {
        if (m_first.empty() && !(a == b)) m_first = name;
    }
    void field(const std::string& name, double a, double b) {
        const bool equal = std::isnan(a) ? std::isnan(b)
                                         : std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
        if (m_first.empty() && !equal) m_first = fmt::format("{}: {} and {}", name, a, b);
    }
    void histogram(const std::string& name, const report::Histogram& a, const report::Histogram& b) {
        field(name + ".low", a.low, b.low);
        field(name + ".high", a.high, b.high);
        field(name + ".counts", a.counts, b.counts);
        field(name + ".below", a.below, b.below);
        field(name + ".above", a.above, b.above);
    }
    [[nodiscard]] const std::string& first() const { return m_first; }

  private:
    std::string m_first;
};

}  // namespace

std::vector<record::LayerLayout> sampleLayouts() {
    return {{"conv1", 1, 0, 256},
            {"layer1.0.conv1", 1, 16, 256},
            {"layer1.0.conv2", 24, 4, 64},
            {"features/3/Conv_100%", 1, 256, 512},
            {".", 1, 2, 8}};
}

std::vector<record::LayerLayout> uniformLayouts(int count) {
    std::vector<record::LayerLayout> layouts;
    layouts.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i)
        layouts.push_back({fmt::format("layer{}.conv", i), 1, 16, 256});
    return layouts;
}

report::RunInfo sampleInfo() {
    report::RunInfo info;
    info.jobToml = "[model]\narch = \"resnet20\"  # größer \u2265 kleiner\n";
    info.command = "bitloom train job.toml --set quantizer.bits=4";
    info.graphJson = R"({"nodes": []})";
    info.version = "0.1.0";
    info.host = "プリンタ";
    info.started = "2024-05-06T07:08:09Z";
    info.seed = -7;
    info.totalSteps = 3910;
    info.stepsPerEpoch = 391;
    info.network.arch = "resnet20";
    info.network.parameters = 272474;
    info.network.macs = 40813184;
    info.network.layers = {{"conv1", "conv 3x3", {16, 3, 3, 3}, 432, 442368, false, 32},
                           {"layer1.0.conv1", "conv 3x3", {16, 16, 3, 3}, 2304, 2359296, true, 4}};
    return info;
}

report::MetricSample sampleMetric(std::int64_t step) {
    const auto value = static_cast<double>(step);
    report::MetricSample sample;
    sample.step = step;
    sample.epoch = value / 391;
    sample.loss = 2.3 / (1 + value);
    sample.learningRate = 0.01;
    if (step % 10 == 0) sample.top1Hard = 10 + value / 1000;
    sample.stepSeconds = 0.25;
    return sample;
}

report::RunEvent sampleEvent(std::int64_t step) {
    return {step, report::EventKind::Epoch, fmt::format("épocha {} – готово", step)};
}

report::LayerSnapshot sampleSnapshot(const record::LayerLayout& layout, std::int64_t step) {
    Random random({keyOf(layout.name), static_cast<std::uint64_t>(step)});
    report::LayerSnapshot snapshot;
    snapshot.layer = layout.name;
    snapshot.step = step;
    snapshot.weights = sampleHistogram(random, layout.bins);
    snapshot.sparsity = random.uniform();
    snapshot.mse = random.uniform();
    snapshot.softHardGap = random.uniform();
    snapshot.gradients.weight = random.uniform();
    if (layout.components == 0) return snapshot;
    snapshot.bits = std::log2(layout.components);
    snapshot.softWeights = sampleHistogram(random, layout.bins);
    snapshot.gradients.tau = random.normal();
    if (step % 3 != 0) snapshot.choice = {random.uniform(), random.normal(), step % 2 == 0};
    for (int m = 0; m < layout.mixtures; ++m) {
        report::Mixture mixture;
        mixture.temperature = random.uniform();
        for (int k = 0; k < layout.components; ++k) {
            mixture.components.push_back({random.uniform(), random.normal(), random.uniform(),
                                          static_cast<std::int64_t>(random.below(100000))});
        }
        snapshot.mixtures.push_back(std::move(mixture));
    }
    return snapshot;
}

report::RunSummary sampleSummary() {
    report::RunSummary summary;
    summary.top1Fp32 = 92.6;
    summary.top1Soft = 92.5;
    summary.top1Hard = 92.4;
    summary.top5Soft = 99.7;
    summary.top5Hard = 99.8;
    summary.bits = 4;
    summary.sparsity = 0.25;
    summary.nonzeroParameters = 198'765;
    summary.compressionRate = 9.5;
    summary.weightCompression = 8;
    summary.bitOps = 5.2e9;
    summary.meanBitsBytes = 135'337;
    summary.meanBitsBitOps = 4.9e9;
    summary.fileBytes = 140'001;
    summary.mse = 1.5e-5;
    summary.steps = 932;
    summary.accuracyStep = 900;
    summary.hash = "cbf29ce484222325";
    summary.status = report::RunStatus::Finished;
    return summary;
}

Status appendStep(record::RunWriter& writer, const std::vector<record::LayerLayout>& layouts,
                  std::int64_t step) {
    BITLOOM_RETURN_IF_ERROR(writer.appendMetric(sampleMetric(step)));
    for (const record::LayerLayout& layout : layouts) {
        BITLOOM_RETURN_IF_ERROR(writer.appendLayer(sampleSnapshot(layout, step)));
    }
    if (step % 10 == 0) BITLOOM_RETURN_IF_ERROR(writer.appendEvent(sampleEvent(step)));
    return writer.flush();
}

std::string difference(const report::LayerSnapshot& a, const report::LayerSnapshot& b) {
    Comparison comparison;
    comparison.field("layer", a.layer, b.layer);
    comparison.field("step", a.step, b.step);
    comparison.field("bits", a.bits, b.bits);
    comparison.field("sparsity", a.sparsity, b.sparsity);
    comparison.field("choice.probability", a.choice.probability, b.choice.probability);
    comparison.field("choice.gradient", a.choice.gradient, b.choice.gradient);
    comparison.field("choice.open", a.choice.open, b.choice.open);
    comparison.field("mse", a.mse, b.mse);
    comparison.field("softHardGap", a.softHardGap, b.softHardGap);
    comparison.field("gradients.weight", a.gradients.weight, b.gradients.weight);
    comparison.field("gradients.mu", a.gradients.mu, b.gradients.mu);
    comparison.field("gradients.sigma", a.gradients.sigma, b.gradients.sigma);
    comparison.field("gradients.pi", a.gradients.pi, b.gradients.pi);
    comparison.field("gradients.tau", a.gradients.tau, b.gradients.tau);
    comparison.histogram("weights", a.weights, b.weights);
    comparison.histogram("softWeights", a.softWeights, b.softWeights);
    comparison.field("mixtures", a.mixtures.size(), b.mixtures.size());
    for (std::size_t m = 0; m < std::min(a.mixtures.size(), b.mixtures.size()); ++m) {
        const report::Mixture& x = a.mixtures[m];
        const report::Mixture& y = b.mixtures[m];
        comparison.field("temperature", x.temperature, y.temperature);
        comparison.field("components", x.components.size(), y.components.size());
        for (std::size_t k = 0; k < std::min(x.components.size(), y.components.size()); ++k) {
            comparison.field(fmt::format("pi[{}]", k), x.components[k].pi, y.components[k].pi);
            comparison.field(fmt::format("mu[{}]", k), x.components[k].mu, y.components[k].mu);
            comparison.field(fmt::format("sigma[{}]", k), x.components[k].sigma, y.components[k].sigma);
            comparison.field(fmt::format("count[{}]", k), x.components[k].count, y.components[k].count);
        }
    }
    return comparison.first();
}

std::string difference(const report::MetricSample& a, const report::MetricSample& b) {
    Comparison comparison;
    comparison.field("step", a.step, b.step);
    comparison.field("epoch", a.epoch, b.epoch);
    comparison.field("loss", a.loss, b.loss);
    comparison.field("learningRate", a.learningRate, b.learningRate);
    comparison.field("top1Soft", a.top1Soft, b.top1Soft);
    comparison.field("top1Hard", a.top1Hard, b.top1Hard);
    comparison.field("top5Soft", a.top5Soft, b.top5Soft);
    comparison.field("top5Hard", a.top5Hard, b.top5Hard);
    comparison.field("quantMse", a.quantMse, b.quantMse);
    comparison.field("stepSeconds", a.stepSeconds, b.stepSeconds);
    return comparison.first();
}

}  // namespace bitloom::testing
