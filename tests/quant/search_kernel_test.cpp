// The kernels at every length around a vector's, against plain loops; ties, saturation, NaN.
#include "engine/quant/search/search_kernel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <c10/util/Half.h>
#include <gtest/gtest.h>

#include "engine/base/random.h"

namespace bitloom::quant::search {
namespace {

constexpr std::uint64_t kSeed = 12;

template <class T>
class SearchKernel : public ::testing::Test {
  protected:
    /// Rows with a guard behind each: an element more than `count`, which nobody may touch.
    struct Block {
        Block(std::size_t values, std::size_t size)
            : count(size), logits((values - 1) * (size + 1)), upstream(size), result(logits.size(), kGuard) {
            Random random({kSeed, values, size});
            for (T& logit : logits)
                logit = static_cast<T>(random.normal());
            for (T& gradient : upstream)
                gradient = static_cast<T>(random.normal());
        }
        [[nodiscard]] Rows<const T> rows() const { return {logits.data(), count + 1}; }
        [[nodiscard]] Rows<T> target() { return {result.data(), count + 1}; }
        [[nodiscard]] double logit(std::size_t k, std::size_t i) const {
            return k == 0 ? 0 : logits[(k - 1) * (count + 1) + i];
        }
        std::size_t count;
        std::vector<T> logits;
        std::vector<T> upstream;
        std::vector<T> result;
    };

    static std::size_t winner(const Block& block, std::size_t values, std::size_t i) {
        std::size_t best = 0;
        for (std::size_t k = 1; k < values; ++k) {
            if (block.logit(k, i) > block.logit(best, i)) best = k;
        }
        return best;
    }

    static std::vector<T> values(std::size_t count) {
        std::vector<T> result(count);
        for (std::size_t k = 0; k < count; ++k)
            result[k] = static_cast<T>(-1 + 2.0 * static_cast<double>(k) / static_cast<double>(count - 1));
        return result;
    }

    static constexpr T kGuard = 77;
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SearchKernel, Types);

TYPED_TEST(SearchKernel, EveryLengthAndNothingBeyond) {
    using T = TypeParam;
    for (const std::size_t count : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 101}) {
        for (const std::size_t m : {2, 3, 8, 256}) {
            typename TestFixture::Block block(m, count);
            const std::vector<T> values = TestFixture::values(m);
            std::vector<T> chosen(count + 1, TestFixture::kGuard);
            choose(block.rows(), std::span<const T>(values), count, chosen.data());
            EXPECT_EQ(chosen[count], TestFixture::kGuard);
            sgtGradient(block.rows(), m, T(1), false, block.upstream.data(), count, block.target());
            std::vector<T> mean(count + 1, TestFixture::kGuard);
            expect(block.rows(), std::span<const T>(values), T(0.5), count, mean.data());
            EXPECT_EQ(mean[count], TestFixture::kGuard);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t best = TestFixture::winner(block, m, i);
                ASSERT_EQ(chosen[i], values[best]) << m << " values, weight " << i;
                double total = 0;
                double weighted = 0;
                for (std::size_t k = 0; k < m; ++k) {
                    const double share = std::exp(2 * block.logit(k, i));
                    total += share;
                    weighted += share * static_cast<double>(values[k]);
                }
                EXPECT_NEAR(mean[i], weighted / total, 1e-5);
                const double first = best == 0 ? 0 : -1;
                for (std::size_t k = 1; k < m; ++k) {
                    const double sign = k > best ? 1 : (k < best ? -1 : 0);
                    EXPECT_EQ(block.result[(k - 1) * (count + 1) + i],
                              static_cast<T>(sign - first) * block.upstream[i]);
                }
            }
            for (std::size_t k = 1; k < m; ++k)
                EXPECT_EQ(block.result[(k - 1) * (count + 1) + count], TestFixture::kGuard);
        }
    }
}

TYPED_TEST(SearchKernel, TiesTakeTheLowestIndex) {
    using T = TypeParam;
    constexpr std::size_t kCount = 20;
    const std::vector<T> values{-3, 5, 7, 9};
    const auto chosenFor = [&](std::vector<T> column) {
        std::vector<T> logits;
        for (const T logit : column)
            logits.insert(logits.end(), kCount, logit);
        std::vector<T> chosen(kCount);
        choose({logits.data(), kCount}, std::span<const T>(values), kCount, chosen.data());
        for (const T value : chosen)
            EXPECT_EQ(value, chosen.front());
        return chosen.front();
    };
    EXPECT_EQ(chosenFor({0, 0, 0}), -3);
    EXPECT_EQ(chosenFor({1, 1, 1}), 5);
    EXPECT_EQ(chosenFor({-1, 2, 2}), 7);
    EXPECT_EQ(chosenFor({-1, -2, 0}), -3);
    EXPECT_EQ(chosenFor({-1, -2, T(1e-30)}), 9);
    const T nan = std::numeric_limits<T>::quiet_NaN();
    EXPECT_EQ(chosenFor({nan, nan, nan}), -3);
    EXPECT_EQ(chosenFor({nan, 2, nan}), 7);
}

/// Far from a tie y is 0 and 1 to the last bit, and what is left of the gradient must still be right.
TYPED_TEST(SearchKernel, SaturatedGradientsKeepTheirDigits) {
    using T = TypeParam;
    const std::vector<T> values{-1, 1};
    for (const double v : {20.0, -20.0, 60.0}) {
        const T logit = static_cast<T>(v);
        const T upstream = 1;
        T gradient = 0;
        rdhsGradient({&logit, 1}, std::span<const T>(values), T(1), &upstream, 1, {&gradient, 1});
        const double exact = 1 / std::pow(std::cosh(v / 2), 2);
        EXPECT_NEAR(gradient / exact, 1, sizeof(T) == 4 ? 1e-5 : 1e-12) << v;
    }
    const T far = std::numeric_limits<T>::max() / 4;
    const T upstream = 1;
    T gradient = -1;
    rdhsGradient({&far, 1}, std::span<const T>(values), T(0.5), &upstream, 1, {&gradient, 1});
    EXPECT_EQ(gradient, 0);
}

/// Two values are a case of their own; a third that is never chosen makes the general rule compute the same.
TYPED_TEST(SearchKernel, TwoValuesFollowTheGeneralRule) {
    using T = TypeParam;
    for (const std::size_t count : {1, 3, 7, 16, 33, 101}) {
        typename TestFixture::Block block(2, count);
        const std::vector<T> two{T(-0.5), T(2)};
        std::vector<T> mean(count);
        rdhsGradient(block.rows(), std::span<const T>(two), T(0.7), block.upstream.data(), count,
                     block.target(), mean.data());
        EXPECT_EQ(block.result[count], TestFixture::kGuard);
        const std::vector<T> three{T(-0.5), T(2), T(5)};
        std::vector<T> logits(block.logits.begin(),
                              block.logits.begin() + static_cast<std::ptrdiff_t>(count));
        logits.insert(logits.end(), count, T(-1000));
        std::vector<T> expected(2 * count);
        std::vector<T> expectedMean(count);
        rdhsGradient({logits.data(), count}, std::span<const T>(three), T(0.7), block.upstream.data(), count,
                     {expected.data(), count}, expectedMean.data());
        const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14;
        for (std::size_t i = 0; i < count; ++i) {
            EXPECT_NEAR(block.result[i], expected[i], tolerance) << i;
            EXPECT_NEAR(mean[i], expectedMean[i], tolerance) << i;
        }
    }
}

TYPED_TEST(SearchKernel, MultipliesInPlaceAndNothingBeyond) {
    using T = TypeParam;
    for (const std::size_t count : {1, 8, 17, 101}) {
        std::vector<T> target(count + 1, T(3));
        std::vector<T> factors(count);
        std::iota(factors.begin(), factors.end(), T(-4));
        multiply(factors.data(), count, target.data());
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_EQ(target[i], 3 * factors[i]);
        EXPECT_EQ(target[count], 3);
    }
}

TEST(SearchSums, SquaresAddUpInDouble) {
    for (const std::size_t count : {0, 1, 7, 15, 16, 33, 101}) {
        std::vector<float> values(count);
        double expected = 0;
        Random random({kSeed, count});
        for (float& value : values) {
            value = static_cast<float>(random.normal()) * 1e25F;
            expected += static_cast<double>(value) * static_cast<double>(value);
        }
        EXPECT_NEAR(sumOfSquares(values.data(), count) / std::max(expected, 1.0), count == 0 ? 0 : 1, 1e-14);
    }
}

/// Against the same average kept in double: each step's rounding is 2^-9 at most, and fades with the average.
TEST(SearchSums, MomentumIsThatOfFloatsRounded) {
    constexpr std::size_t kCount = 101;
    constexpr double kMomentum = 0.9;
    for (const bool nesterov : {false, true}) {
        std::vector<BFloat16Bits> average(kCount + 1, 0);
        std::vector<double> exact(kCount, 0);
        Random random({kSeed, 5});
        for (int step = 0; step < 20; ++step) {
            std::vector<float> gradients(kCount);
            for (float& gradient : gradients)
                gradient = static_cast<float>(1 + 0.1 * random.normal());
            std::vector<float> direction(kCount + 1, -7);
            smooth(gradients.data(), average.data(), static_cast<float>(kMomentum), nesterov, kCount,
                   direction.data());
            EXPECT_EQ(direction[kCount], -7);
            EXPECT_EQ(average[kCount], 0);
            for (std::size_t i = 0; i < kCount; ++i) {
                exact[i] = kMomentum * exact[i] + gradients[i];
                const double expected = nesterov ? gradients[i] + kMomentum * exact[i] : exact[i];
                ASSERT_NEAR(direction[i] / expected, 1, 0x1p-9 / (1 - kMomentum)) << "step " << step;
            }
        }
    }
}

class HalfLogits : public ::testing::Test {
  protected:
    static Half halfOf(float value) { return std::bit_cast<Half>(c10::Half(value)); }
    static float wideOf(Half half) { return std::bit_cast<c10::Half>(half); }
    static std::vector<float> wide(const std::vector<Half>& logits) {
        std::vector<float> result(logits.size());
        widen(logits.data(), logits.size(), result.data());
        return result;
    }
};

TEST_F(HalfLogits, EveryNumberWidensToItself) {
    std::vector<Half> all;
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        if ((bits & 0x7C00) != 0x7C00) all.push_back(static_cast<Half>(bits));  // finite
    }
    const std::vector<float> values = wide(all);
    for (std::size_t i = 0; i < all.size(); ++i)
        ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(wideOf(all[i])));
}

TEST_F(HalfLogits, AStepEndsOnOneOfTheTwoNearestNumbersAtEveryLength) {
    for (const std::size_t count : {1, 2, 3, 5, 8, 9, 15, 16, 17, 31, 33, 101}) {
        Random random({kSeed, count});
        std::vector<Half> logits(count + 1, halfOf(1));
        std::vector<float> gradients(count);
        for (std::size_t i = 0; i < count; ++i) {
            logits[i] = halfOf(static_cast<float>(random.normal()));
            gradients[i] = static_cast<float>(random.normal());
        }
        const std::vector<float> before = wide(logits);
        descend({logits.data(), 0}, {gradients.data(), 0}, 1, 0.25F, 0.5F, 3, count);
        EXPECT_EQ(logits[count], halfOf(1)) << "nothing beyond";
        for (std::size_t i = 0; i < count; ++i) {
            const double exact = before[i] - 0.25 * (gradients[i] + 0.5 * before[i]);
            const double step = std::max(std::abs(exact) * 0x1p-10, 0x1p-24);
            ASSERT_NEAR(wideOf(logits[i]), exact, step) << count << " logits, number " << i;
        }
    }
}

/// Rows two by two share random numbers, and round each for itself all the same.
TEST_F(HalfLogits, RowsRoundIndependently) {
    constexpr std::size_t kCount = 4096;
    constexpr std::size_t kRows = 3;
    std::vector<Half> logits(kRows * kCount, halfOf(1.5F));
    const std::vector<float> gradients(kRows * kCount, 0x1p-11F);  // half of the distance to the next number
    descend({logits.data(), kCount}, {gradients.data(), kCount}, kRows, 1, 0, 9, kCount);
    const std::vector<float> after = wide(logits);
    const auto moved = [&](std::size_t row, std::size_t i) { return after[row * kCount + i] != 1.5F; };
    for (std::size_t row = 0; row < kRows; ++row) {
        std::size_t count = 0;
        std::size_t both = 0;
        for (std::size_t i = 0; i < kCount; ++i) {
            count += moved(row, i) ? 1 : 0;
            both += moved(row, i) && moved((row + 1) % kRows, i) ? 1 : 0;
        }
        // Five standard deviations of binomials with p = 1/2 and 1/4.
        EXPECT_NEAR(static_cast<double>(count), kCount / 2.0, 160);
        EXPECT_NEAR(static_cast<double>(both), kCount / 4.0, 139);
    }
}

/// Steps of a hundredth of what half precision resolves at 1, far below what rounding to nearest would keep.
TEST_F(HalfLogits, SmallStepsAddUpInTheMean) {
    constexpr std::size_t kCount = 4096;
    constexpr int kSteps = 500;
    std::vector<Half> logits(kCount, halfOf(1.5F));
    const std::vector<float> gradients(kCount, 1e-5F);
    for (int step = 0; step < kSteps; ++step)
        descend({logits.data(), 0}, {gradients.data(), 0}, 1, 1, 0, static_cast<std::uint32_t>(step) * 7919U,
                kCount);
    const std::vector<float> after = wide(logits);
    const double mean = std::accumulate(after.begin(), after.end(), 0.0) / kCount;
    // A step goes down by 2^-10 with probability p = 1e-5 * 2^10; four standard errors of the mean.
    const double p = 1e-5 * 0x1p10;
    const double deviation = 0x1p-10 * std::sqrt(kSteps * p * (1 - p) / kCount);
    EXPECT_NEAR(mean, 1.5 - kSteps * 1e-5, 4 * deviation);
}

TEST_F(HalfLogits, TheSameSeedRoundsAlikeAndAnotherDoesNot) {
    const std::vector<float> gradients(100, 0.3F);
    std::vector<Half> first(100, halfOf(0.7F));
    std::vector<Half> second = first;
    std::vector<Half> other = first;
    descend({first.data(), 0}, {gradients.data(), 0}, 1, 0.1F, 0, 5, first.size());
    descend({second.data(), 0}, {gradients.data(), 0}, 1, 0.1F, 0, 5, second.size());
    descend({other.data(), 0}, {gradients.data(), 0}, 1, 0.1F, 0, 6, other.size());
    EXPECT_EQ(first, second);
    EXPECT_NE(first, other);
}

TEST_F(HalfLogits, NothingLeavesTheRange) {
    std::vector<Half> logits{halfOf(65000), halfOf(-65000), halfOf(65504), halfOf(0)};
    const std::vector<float> gradients{-1e9F, 1e9F, -1, -1e30F};
    descend({logits.data(), 0}, {gradients.data(), 0}, 1, 1, 0, 1, logits.size());
    EXPECT_EQ(wide(logits), (std::vector<float>{65504, -65504, 65504, 65504}));
}

}  // namespace
}  // namespace bitloom::quant::search
