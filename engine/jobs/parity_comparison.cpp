#include "engine/jobs/parity_comparison.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "engine/qsimd/runtime/hashes.h"

namespace bitloom::jobs {
namespace {

/// Of a float step against libtorch, which adds in another order: a hundred times what 20 layers differ by, a
/// hundredth of what a wrong weight does.
constexpr double kBound = 1e-4;

int classOf(std::span<const float> scores) {
    return static_cast<int>(std::ranges::max_element(scores) - scores.begin());
}

double relativeError(const std::vector<float>& values, const std::vector<float>& expected) {
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        difference += std::pow(static_cast<double>(values[i]) - expected[i], 2);
        norm += std::pow(static_cast<double>(expected[i]), 2);
    }
    return std::sqrt(difference / std::max(norm, 1e-30));
}

/// A later step completes what this one writes.
bool isPart(const qsimd::Network& network, std::size_t step) {
    for (std::size_t later = step + 1; later < network.model().steps.size(); ++later)
        if (network.outputOf(later) == network.outputOf(step)) return true;
    return false;
}

}  // namespace

ParityComparison::ParityComparison(const qsimd::Model& model, const std::string& family)
    : m_network(model, {}, 1) {
    m_result.family = family;
    if (family != "k2") m_result.bound = kBound;
}

Status ParityComparison::compareSteps(const train::Image& image, train::ReferenceNetwork& reference,
                                      const std::string& printed) {
    BITLOOM_ASSIGN_OR_RETURN(const auto expected, reference.outputs(image));
    m_network.trace(image.data(), [&](std::size_t step) {
        report::ParityStep& compared = m_result.steps.emplace_back();
        const qsimd::BufferIndex output = m_network.outputOf(step);
        const auto found = expected.find(m_network.model().buffers[static_cast<std::size_t>(output)].name);
        if (found == expected.end() || isPart(m_network, step)) return;
        compared.error = relativeError(m_network.values(output), found->second);
    });
    const std::vector<qsimd::StepHashes> here = qsimd::hashesOf(m_network, image.data());
    try {
        const auto there = nlohmann::json::parse(printed);
        if (there.size() != here.size())
            return fail("The runner computed {} of {} steps", there.size(), here.size());
        for (std::size_t i = 0; i < here.size(); ++i) {
            report::ParityStep& step = m_result.steps[i];
            const std::string sums = here[i].sums ? qsimd::hashText(*here[i].sums) : std::string();
            step.name = here[i].name;
            step.sameOutput = there[i].at("output") == qsimd::hashText(here[i].output);
            step.sameSums = there[i].at("sums") == sums;
            if (m_result.diverges.empty() && !(step.sameOutput && step.sameSums))
                m_result.diverges = step.name;
            if (m_result.exceeds.empty() && step.error > m_result.bound) m_result.exceeds = step.name;
        }
    } catch (const nlohmann::json::exception& error) {
        return fail("The runner printed what cannot be read: {}", error.what());
    }
    return {};
}

Status ParityComparison::compareImages(std::span<const train::Image> images, std::span<const int> labels,
                                       std::span<const int> classes, std::span<const float> scores) {
    std::vector<float> own(m_network.values(m_network.model().output).size());
    if (scores.size() != own.size() * images.size())
        return fail("The runner wrote {} scores instead of {}", scores.size(), own.size() * images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
        m_network.run(images[i].data(), own.data());
        const std::span<const float> theirs = scores.subspan(i * own.size(), own.size());
        m_result.sameOutputs += std::ranges::equal(theirs, own) ? 1 : 0;
        m_result.sameClass += classOf(theirs) == classes[i] ? 1 : 0;
        m_right += classOf(theirs) == labels[i] ? 1 : 0;
        m_referenceRight += classes[i] == labels[i] ? 1 : 0;
        ++m_result.images;
    }
    return {};
}

report::ParityNetwork ParityComparison::result() const {
    report::ParityNetwork result = m_result;
    const auto count = static_cast<double>(std::max<std::int64_t>(result.images, 1));
    result.top1Device = 100.0 * static_cast<double>(m_right) / count;
    result.top1Reference = 100.0 * static_cast<double>(m_referenceRight) / count;
    return result;
}

bool passed(const report::ParityNetwork& network) {
    return network.diverges.empty() && network.exceeds.empty() && network.sameOutputs == network.images;
}

}  // namespace bitloom::jobs
