// The kernels at every length around a vector's, against plain loops; ties, saturation, NaN.
#include "engine/quant/search/search_kernel.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

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

}  // namespace
}  // namespace bitloom::quant::search
