// The bits that a budget takes, against every way there is to take them.
#include "engine/quant/sdq/least_loss.h"

#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "engine/base/random.h"

namespace bitloom::quant::sdq {
namespace {

using ::testing::ElementsAre;

struct Taken {
    double saved = 0;
    double loss = 0;
};

Taken sumOf(const std::vector<BitLoss>& widths, const std::vector<int>& taken) {
    Taken sum;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        sum.saved += taken[i] * widths[i].cost;
        for (int bit = 0; bit < taken[i]; ++bit)
            sum.loss += widths[i].ofNext(bit);
    }
    return sum;
}

/// The least loss of all ways that save enough.
double leastOfAll(const std::vector<BitLoss>& widths, double missing) {
    double least = std::numeric_limits<double>::infinity();
    std::vector<int> taken(widths.size());
    while (true) {
        const Taken sum = sumOf(widths, taken);
        if (sum.saved >= missing) least = std::min(least, sum.loss);
        std::size_t i = 0;
        while (i < widths.size() && taken[i] == widths[i].most)
            taken[i++] = 0;
        if (i == widths.size()) return least;
        ++taken[i];
    }
}

TEST(LeastLoss, IsAsGoodAsTheBestOfAllWays) {
    Random random({3});
    for (int round = 0; round < 60; ++round) {
        std::vector<BitLoss> widths(1 + random.below(6));
        double all = 0;
        for (BitLoss& width : widths) {
            width.most = 1 + static_cast<int>(random.below(3));
            width.cost = 0.01 + random.uniform();
            width.loss = random.uniform();
            all += width.most * width.cost;
        }
        const double missing = all * (0.05 + 0.9 * random.uniform());
        const std::vector<int> taken = leastLoss(widths, missing);
        const Taken sum = sumOf(widths, taken);
        EXPECT_GE(sum.saved, missing * (1 - 1e-9)) << round;
        for (std::size_t i = 0; i < widths.size(); ++i)
            EXPECT_LE(taken[i], widths[i].most);
        // What the steps of savings leave is less than a thousandth; a little less missing is no dearer.
        EXPECT_LE(sum.loss, leastOfAll(widths, missing * 1.001) * (1 + 1e-6)) << round;
    }
}

/// The cheapest bit for what it saves is of the large layer; the two small ones add less and save enough.
TEST(LeastLoss, ALargeLayerDoesNotPayForALittle) {
    const std::vector<BitLoss> widths{{3, 0.5, 1.0}, {3, 0.06, 0.2}, {3, 0.05, 0.2}};
    EXPECT_THAT(leastLoss(widths, 0.1), ElementsAre(0, 1, 1));
    EXPECT_THAT(leastLoss(widths, 0.4), ElementsAre(1, 0, 0));
}

TEST(LeastLoss, OfEqualLossesTheSmallerSaving) {
    const std::vector<BitLoss> widths{{7, 0.4, 0}, {7, 0.2, 0}, {7, 0.3, 0}};
    EXPECT_THAT(leastLoss(widths, 0.19), ElementsAre(0, 1, 0));
}

TEST(LeastLoss, TakesEverythingWhereThatIsTooLittle) {
    const std::vector<BitLoss> widths{{2, 0.4, 1}, {1, 0.6, 1}};
    EXPECT_THAT(leastLoss(widths, 1.4), ElementsAre(2, 1));
    EXPECT_THAT(leastLoss(widths, 5), ElementsAre(2, 1));
}

}  // namespace
}  // namespace bitloom::quant::sdq
