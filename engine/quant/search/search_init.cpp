#include "engine/quant/search/search_init.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "engine/base/random.h"

namespace bitloom::quant::search {
namespace {

constexpr double kRandomWidth = 1e-5;

/// Sums of a layer's weights in ascending order: what one iteration needs of a range of them.
class SortedWeights {
  public:
    explicit SortedWeights(std::span<const float> weights) : m_weights(weights.begin(), weights.end()) {
        std::ranges::sort(m_weights);
        m_sums.reserve(m_weights.size() + 1);
        m_sums.push_back(0);
        for (const float weight : m_weights)
            m_sums.push_back(m_sums.back() + weight);
    }
    [[nodiscard]] double largest() const { return std::max(-m_weights.front(), m_weights.back()); }

    [[nodiscard]] bool areZero() const { return m_weights.front() == 0 && m_weights.back() == 0; }

    /// sum w q and sum q^2 over the weights, q the value nearest to w / scale.
    struct Fit {
        double products = 0;
        double squares = 0;
        /// What the best scale of this assignment takes off sum w^2.
        [[nodiscard]] double gain() const { return products > 0 ? products * products / squares : 0; }
    };
    [[nodiscard]] Fit fit(std::span<const double> values, double scale) const {
        Fit fit;
        std::size_t begin = 0;
        for (std::size_t k = 0; k < values.size(); ++k) {
            std::size_t end = m_weights.size();
            if (k + 1 < values.size()) {
                const auto boundary = static_cast<float>(scale * (values[k] + values[k + 1]) / 2);
                end = static_cast<std::size_t>(std::ranges::upper_bound(m_weights, boundary) -
                                               m_weights.begin());
            }
            fit.products += values[k] * (m_sums[end] - m_sums[begin]);
            fit.squares += values[k] * values[k] * static_cast<double>(end - begin);
            begin = end;
        }
        return fit;
    }

  private:
    std::vector<float> m_weights;
    std::vector<double> m_sums;
};

}  // namespace

Result<double> fitScale(std::span<const float> weights, std::span<const double> values) {
    assert(!weights.empty() && values.size() >= 2);
    const SortedWeights sorted(weights);
    if (sorted.areZero() && std::ranges::find(values, 0.0) != values.end()) return kSmallestScale;
    const double largestValue = std::max(std::abs(values.front()), std::abs(values.back()));
    constexpr int kStarts = 24;
    constexpr int kIterations = 50;
    double best = 0;
    double bestGain = 0;
    for (int start = 1; start <= kStarts; ++start) {
        double scale = 1.25 * sorted.largest() / largestValue * start / kStarts;
        SortedWeights::Fit fit;
        for (int i = 0; i < kIterations && scale > 0; ++i) {
            fit = sorted.fit(values, scale);
            const double next = fit.products > 0 ? fit.products / fit.squares : 0;
            if (std::abs(next - scale) <= 1e-12 * scale) break;
            scale = next;
        }
        if (fit.gain() > bestGain && scale > 0) {
            bestGain = fit.gain();
            best = scale;
        }
    }
    if (best > 0 && std::isnormal(static_cast<float>(best))) return best;
    return fail(
        "no scale fits the values to its weights, which lie in [{}, {}]; leave the layer out "
        "(quantizer.exclude), choose other quantizer.values, or take quantizer.start = \"random\"",
        std::ranges::min(weights), std::ranges::max(weights));
}

void posteriorLogits(std::span<const float> weights, std::span<const double> values, double scale,
                     double spread, std::span<float> logits) {
    assert(logits.size() == weights.size() * (values.size() - 1) && scale > 0 && spread > 0);
    // -(w/s - q_k)^2 / 2 spread^2 + (w/s - q_0)^2 / 2 spread^2
    for (std::size_t k = 1; k < values.size(); ++k) {
        const double slope = (values[k] - values[0]) / (spread * spread);
        const double middle = (values[k] + values[0]) / 2;
        float* plane = logits.data() + (k - 1) * weights.size();
        for (std::size_t i = 0; i < weights.size(); ++i)
            plane[i] = static_cast<float>(slope * (weights[i] / scale - middle));
    }
}

void factoredPosterior(std::span<const float> weights, std::span<const double> values, double scale,
                       double spread, std::span<float> logits) {
    const std::size_t half = values.size() / 2;
    assert(logits.size() == weights.size() * half);
    constexpr std::array kSigns = {-1.0, 1.0};
    posteriorLogits(weights, kSigns, scale, spread, logits.first(weights.size()));
    std::vector<float> sizes(weights.size());
    std::ranges::transform(weights, sizes.begin(), [](float weight) { return std::abs(weight); });
    posteriorLogits(sizes, values.subspan(half), scale, spread, logits.subspan(weights.size()));
}

void randomLogits(std::uint64_t seed, std::int64_t weights, std::span<float> logits) {
    const auto count = static_cast<std::size_t>(weights);
    const std::size_t planes = logits.size() / count;
    Random random({seed});
    for (std::size_t i = 0; i < count; ++i) {
        const double first = random.uniform();
        for (std::size_t k = 0; k < planes; ++k)
            logits[k * count + i] = static_cast<float>(kRandomWidth * (random.uniform() - first));
    }
}

}  // namespace bitloom::quant::search
