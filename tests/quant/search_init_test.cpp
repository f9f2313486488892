// Value sets, the scale that fits them to weights, and the logits a search starts from.
#include "engine/quant/search/search_init.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "engine/base/random.h"
#include "engine/quant/search/value_set.h"

namespace bitloom::quant::search {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> normalWeights(std::size_t count, double deviation) {
    Random random({5});
    std::vector<float> weights(count);
    for (float& weight : weights)
        weight = static_cast<float>(deviation * random.normal());
    return weights;
}

double nearest(const std::vector<double>& values, double scale, double weight) {
    double best = scale * values.front();
    for (const double value : values) {
        if (std::abs(weight - scale * value) < std::abs(weight - best)) best = scale * value;
    }
    return best;
}

double squaredError(const std::vector<float>& weights, const std::vector<double>& values, double scale) {
    double sum = 0;
    for (const float weight : weights)
        sum += std::pow(weight - nearest(values, scale, weight), 2);
    return sum;
}

TEST(SearchValues, PublishedSetsByBits) {
    EXPECT_THAT(valuesOf({"rdhs", 2}), ElementsAre(-1, 1));
    EXPECT_THAT(valuesOf({"rdhs", 4}), ElementsAre(-1, -0.5, 0.5, 1));
    EXPECT_THAT(valuesOf({"sgt", 8}), ElementsAre(-1, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5, 1));
    EXPECT_THAT(valuesOf({"sgt", 3, {1, -2, 0}}), ElementsAre(-2, 0, 1));
}

TEST(SearchValues, BadSetsAreRefusedByName) {
    const auto message = [](const LayerOptions& layer) {
        const Status status = checkValues(layer, "quantizer");
        EXPECT_FALSE(status);
        EXPECT_EQ(status.error().kind, ErrorKind::Usage);
        return status ? std::string() : status.error().message;
    };
    EXPECT_THAT(message({"rdhs", 1, {1}}), HasSubstr("quantizer: values has 1 of them; list 2 to 256"));
    EXPECT_THAT(message({"rdhs", 2, {1, 1}}), HasSubstr("values has 1 twice"));
    EXPECT_THAT(message({"rdhs", 3, {1, -1, 1 + 1e-12}}), HasSubstr("twice"));
    EXPECT_THAT(message({"rdhs", 2, {0.0, -0.0}}), HasSubstr("twice"));
    EXPECT_THAT(message({"rdhs", 2, {1, std::nan("")}}), HasSubstr("values has nan"));
    EXPECT_THAT(message({"rdhs", 2, {1, std::numeric_limits<double>::infinity()}}), HasSubstr("inf"));
    EXPECT_THAT(message({"rdhs", 2, {1, 1e300}}), HasSubstr("1e+300"));
    std::vector<double> many(257);
    for (std::size_t i = 0; i < many.size(); ++i)
        many[i] = static_cast<double>(i);
    EXPECT_THAT(message({"rdhs", 257, many}), HasSubstr("values has 257"));
    EXPECT_THAT(message({"rdhs", 3}), HasSubstr("components = 3"));
    EXPECT_THAT(message({"rdhs", 32}), HasSubstr("components = 32"));
    many.pop_back();
    EXPECT_TRUE(checkValues({"rdhs", 256, many}, "quantizer"));
}

TEST(SearchScale, TwoValuesTakeTheMeanMagnitude) {
    const std::vector<float> weights = normalWeights(5000, 0.05);
    double sum = 0;
    for (const float weight : weights)
        sum += std::abs(weight);
    const auto scale = fitScale(weights, std::vector<double>{-1, 1});
    ASSERT_TRUE(scale.ok());
    EXPECT_NEAR(*scale, sum / 5000, 1e-9);
}

TEST(SearchScale, NoScaleOfAGridFitsBetter) {
    std::vector<float> weights = normalWeights(700, 0.05);
    for (const std::vector<double>& values :
         {std::vector<double>{-1, -0.5, 0.5, 1}, valuesOf({"rdhs", 8}), {-2, 0, 1}, {0.1, 3}}) {
        const auto scale = fitScale(weights, values);
        ASSERT_TRUE(scale.ok());
        const double error = squaredError(weights, values, *scale);
        for (int i = 1; i <= 400; ++i)
            EXPECT_LE(error, squaredError(weights, values, 0.25 * i / 400) * (1 + 1e-3)) << i;
    }
}

TEST(SearchScale, FewDistinctWeightsAreFittedExactly) {
    const auto eight = valuesOf({"rdhs", 8});
    const auto constant = fitScale(std::vector<float>(10, 0.3f), eight);
    ASSERT_TRUE(constant.ok());
    EXPECT_NEAR(squaredError(std::vector<float>(10, 0.3f), eight, *constant), 0, 1e-12);
    const std::vector<float> three{-0.2f, 0.1f, 0.1f, -0.2f, 0.05f};
    const auto scale = fitScale(three, eight);
    ASSERT_TRUE(scale.ok());
    EXPECT_NEAR(squaredError(three, eight, *scale), 0, 1e-12);
}

TEST(SearchScale, ZeroWeightsFitASetWithZero) {
    const std::vector<double> ternary{-1, 0, 1};
    const auto scale = fitScale(std::vector<float>(8, 0.0F), ternary);
    ASSERT_TRUE(scale.ok()) << scale.error().message;
    EXPECT_EQ(*scale, kSmallestScale);
}

TEST(SearchScale, WeightsNoScaleFitsAreAnError) {
    const std::vector<double> positive{0.5, 1};
    for (const auto& [weights, values] : {std::pair{std::vector<float>(8, 0.0f), std::vector<double>{-1, 1}},
                                          std::pair{std::vector<float>{-0.1f, -0.2f}, positive}}) {
        const auto scale = fitScale(weights, values);
        ASSERT_FALSE(scale.ok());
        EXPECT_THAT(scale.error().message, HasSubstr("quantizer.start"));
        EXPECT_THAT(scale.error().message, HasSubstr("quantizer.exclude"));
    }
}

TEST(SearchStart, PosteriorPrefersTheNearestValue) {
    const std::vector<float> weights = normalWeights(1000, 0.07);
    const std::vector<double> values{-1, -0.5, 0, 0.25, 2};
    std::vector<float> logits(4 * weights.size());
    for (const double spread : {0.1, 1.0, 5.0}) {
        posteriorLogits(weights, values, 0.06, spread, logits);
        for (std::size_t i = 0; i < weights.size(); ++i) {
            std::size_t best = 0;
            double bestLogit = 0;
            for (std::size_t k = 1; k < values.size(); ++k) {
                const double logit = logits[(k - 1) * weights.size() + i];
                if (logit > bestLogit) {
                    bestLogit = logit;
                    best = k;
                }
                const double exact = (std::pow(weights[i] / 0.06 - values[0], 2) -
                                      std::pow(weights[i] / 0.06 - values[k], 2)) /
                                     (2 * spread * spread);
                EXPECT_NEAR(logit, exact, 1e-5 * (1 + std::abs(exact)));
            }
            EXPECT_NEAR(0.06 * values[best], nearest(values, 0.06, weights[i]), 1e-12);
        }
    }
}

TEST(SearchStart, RandomIsUniformWithinThePublishedWidth) {
    constexpr std::int64_t kWeights = 20000;
    std::vector<float> logits(3 * kWeights);
    randomLogits(9, kWeights, logits);
    double squares = 0;
    for (const float logit : logits) {
        EXPECT_LE(std::abs(logit), 1e-5f);
        squares += static_cast<double>(logit) * logit;
    }
    EXPECT_NEAR(squares / static_cast<double>(logits.size()), 1e-10 / 6, 1e-12);  // a difference of uniforms
    std::vector<float> again(logits.size());
    randomLogits(9, kWeights, again);
    EXPECT_EQ(logits, again);
    randomLogits(10, kWeights, again);
    EXPECT_NE(logits, again);
}

}  // namespace
}  // namespace bitloom::quant::search
