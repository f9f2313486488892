#include "engine/quant/sdq/least_loss.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

namespace bitloom::quant::sdq {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::size_t kSteps = 16'384;

/// The knapsack problem with several choices an item, by dynamic programming over savings in kSteps steps.
class Knapsack {
  public:
    explicit Knapsack(double missing) : m_step(missing / kSteps), m_least(kSteps + 1, kNever) {
        m_least[0] = 0;
    }

    void add(const BitLoss& width, double losses) {
        std::vector<double> least = m_least;
        std::vector<Choice>& choices = m_choices.emplace_back(kSteps + 1);
        for (std::size_t i = 0; i <= kSteps; ++i)
            choices[i].from = i;
        double loss = 0;
        for (int bits = 1; bits <= width.most; ++bits) {
            // Of equal losses, none for example, the smaller saving.
            loss += width.ofNext(bits - 1) + 1e-9 * losses * width.cost;
            const auto saved =
                static_cast<std::size_t>(std::min<double>(std::round(bits * width.cost / m_step), kSteps));
            for (std::size_t i = 0; i <= kSteps; ++i) {
                const std::size_t place = std::min(i + saved, kSteps);
                if (m_least[i] + loss >= least[place]) continue;
                least[place] = m_least[i] + loss;
                choices[place] = {i, bits};
            }
        }
        m_least = std::move(least);
    }

    /// Of the largest saving there is, at most all of it.
    [[nodiscard]] std::vector<int> best() const {
        std::size_t place = kSteps;
        while (m_least[place] == kNever)
            --place;
        std::vector<int> bits(m_choices.size());
        for (std::size_t i = bits.size(); i-- > 0;) {
            bits[i] = m_choices[i][place].bits;
            place = m_choices[i][place].from;
        }
        return bits;
    }

  private:
    struct Choice {
        std::size_t from = 0;
        int bits = 0;
    };
    double m_step;
    std::vector<double> m_least;  ///< by savings, of the widths so far
    std::vector<std::vector<Choice>> m_choices;
};

}  // namespace

std::vector<int> leastLoss(std::span<const BitLoss> widths, double missing) {
    double losses = 0;
    for (const BitLoss& width : widths)
        losses += width.loss;
    Knapsack knapsack(missing);
    for (const BitLoss& width : widths)
        knapsack.add(width, losses > 0 ? losses : 1);
    std::vector<int> taken = knapsack.best();
    double left = missing;
    for (std::size_t i = 0; i < widths.size(); ++i)
        left -= taken[i] * widths[i].cost;
    const auto lossOfNext = [&](std::size_t i) {
        return taken[i] < widths[i].most ? widths[i].ofNext(taken[i]) : kNever;
    };
    std::vector<std::size_t> places(widths.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    while (left > 1e-9 * missing) {  // what rounding to steps left
        const auto next = std::ranges::min_element(places, {}, lossOfNext);
        if (next == places.end() || taken[*next] == widths[*next].most) break;
        ++taken[*next];
        left -= widths[*next].cost;
    }
    return taken;
}

}  // namespace bitloom::quant::sdq
