// Closed-form gradients of RDHS and SGT against float64 autograd of the published formulas and of a sign
// times a magnitude, the two-value oracles, and training over relative logits against training over all m.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "engine/quant/search/value_set.h"
#include "tests/quant/search_reference.h"

namespace bitloom::quant::search {
namespace {

const std::vector<std::int64_t> kShape{5, 7, 3, 3};

struct Case {
    Rule rule = Rule::Rdhs;
    std::vector<double> values;
    double temperature = 1;
    bool gradientSign = false;
    double spread = 1;  ///< of the logits
    double scale = 1;
};

std::string nameOf(const ::testing::TestParamInfo<Case>& info) {
    const Case& c = info.param;
    return std::string(c.rule == Rule::Rdhs ? "Rdhs" : "Sgt") + std::to_string(c.values.size()) + "Values" +
           (c.gradientSign ? "Sign" : "") + "Tau" + std::to_string(std::lround(c.temperature * 1000)) +
           "Spread" + std::to_string(std::lround(c.spread * 1000)) + (c.scale != 1 ? "Scaled" : "");
}

double relativeError(const torch::Tensor& value, const torch::Tensor& reference) {
    return ((value.to(torch::kFloat64) - reference).norm() / reference.norm()).item<double>();
}

class SearchGradient : public ::testing::TestWithParam<Case> {
  protected:
    static Choice choiceOf(const Case& c) {
        Choice choice{c.rule, c.values, c.temperature, c.gradientSign};
        choice.scale = c.scale;
        return choice;
    }
    /// Logits that both types hold, so that rounding them is no part of the error.
    static torch::Tensor exactAlpha(std::int64_t count) {
        return testing::randomAlpha(count, kShape, GetParam().spread, 3).mul(64).round().div(64);
    }
    static torch::Tensor upstreamGradient() {
        return testing::randomAlpha(1, kShape, 1, 4)[0].to(torch::kFloat32);
    }
    static void compare(torch::Dtype dtype, double tolerance) {
        const Choice choice = choiceOf(GetParam());
        const torch::Tensor alpha = exactAlpha(std::ssize(choice.values));
        const torch::Tensor upstream = upstreamGradient();
        const auto pass = testing::runPass(testing::relativeLogits(alpha, dtype), choice, upstream);
        const torch::Tensor published =
            testing::publishedGradient(alpha, choice, upstream.to(torch::kFloat64));
        const torch::Tensor expected = published.slice(0, 1) - published[0];
        ASSERT_GT(expected.norm().item<double>(), 0) << "the test would compare nothing";
        EXPECT_EQ(pass.gradient.scalar_type(), dtype);
        EXPECT_LE(relativeError(pass.gradient, expected), tolerance);
    }
};

class FactoredGradient : public SearchGradient {
  protected:
    static void compareFactored(torch::Dtype dtype, double tolerance) {
        const Case& c = GetParam();
        const Choice choice = choiceOf(c);
        const torch::Tensor alpha = exactAlpha(std::ssize(c.values) / 2 + 2);
        const torch::Tensor upstream = upstreamGradient();
        const torch::Tensor logits = testing::factoredLogits(alpha, dtype);
        const auto pass = testing::runPass(logits, choice, upstream);
        const torch::Tensor full = testing::factoredGradient(alpha, choice, upstream.to(torch::kFloat64));
        const torch::Tensor expected =
            torch::cat({full.slice(0, 1, 2) - full[0], full.slice(0, 3) - full[2]});
        ASSERT_GT(expected.norm().item<double>(), 0) << "the test would compare nothing";
        EXPECT_LE(relativeError(pass.gradient, expected), tolerance);
        const std::vector<double> sizes(c.values.end() - alpha.size(0) + 2, c.values.end());
        const torch::Tensor chosen = torch::tensor({-1.0, 1.0}).take(alpha.slice(0, 0, 2).argmax(0)) *
                                     torch::tensor(sizes).take(alpha.slice(0, 2).argmax(0)) * c.scale;
        EXPECT_TRUE(torch::allclose(pass.weights.to(torch::kFloat64), chosen.to(torch::kFloat64), 1e-6, 0));
        const torch::Tensor indices = chosenIndices(logits.detach(), std::ssize(c.values)).to(torch::kInt64);
        EXPECT_TRUE(torch::allclose(torch::tensor(c.values, torch::kFloat64).take(indices) * c.scale,
                                    chosen.to(torch::kFloat64), 1e-6, 0));
    }
};

TEST_P(FactoredGradient, MatchesAutogradInFloat32) {
    compareFactored(torch::kFloat32, 1e-5);
}
TEST_P(FactoredGradient, MatchesAutogradInFloat64) {
    compareFactored(torch::kFloat64, 1e-10);
}

TEST_P(SearchGradient, MatchesAutogradInFloat32) {
    compare(torch::kFloat32, 1e-5);
}
TEST_P(SearchGradient, MatchesAutogradInFloat64) {
    compare(torch::kFloat64, 1e-10);
}

std::vector<Case> allCases() {
    const std::vector<std::vector<double>> sets{{-1, 1},
                                                {-1, -0.5, 0.5, 1},
                                                {-1, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5, 1},
                                                {-0.7, 0, 0.9},
                                                {-2, -1.5, 0, 1e-3, 40}};
    std::vector<Case> cases;
    for (const auto& values : sets) {
        for (const double temperature : {1.0, 0.1, 0.02})
            cases.push_back({Rule::Rdhs, values, temperature, false, 1});
        cases.push_back({Rule::Rdhs, values, 1.0, false, 20});  // saturated: y of the winner is 1 in float32
        cases.push_back({Rule::Sgt, values});
        cases.push_back({Rule::Sgt, values, 1, true});
        for (const Rule rule : {Rule::Rdhs, Rule::Sgt})
            cases.push_back({rule, values, 0.5, false, 2, 0.07});
    }
    return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, SearchGradient, ::testing::ValuesIn(allCases()), nameOf);

std::vector<Case> factoredCases() {
    std::vector<Case> cases;
    for (const Case& c : allCases()) {
        if (isSignedSet(c.values)) cases.push_back(c);
    }
    return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, FactoredGradient, ::testing::ValuesIn(factoredCases()), nameOf);

/// v = alpha_+ - alpha_- is the only logit of two values.
TEST(SearchOracle, RdhsMovesTheDifferenceByTheSquaredSecant) {
    const torch::Tensor v = testing::relativeLogits(testing::randomAlpha(2, kShape, 2, 7), torch::kFloat64);
    const torch::Tensor upstream = testing::randomAlpha(1, kShape, 1, 8)[0];
    for (const double tau : {1.0, 0.3, 0.05}) {
        const auto pass = testing::runPass(v, {Rule::Rdhs, {-1, 1}, tau}, upstream);
        const torch::Tensor expected = upstream / tau / (v.detach()[0] / (2 * tau)).cosh().square();
        EXPECT_LE(relativeError(pass.gradient[0], expected), 1e-12) << tau;
        EXPECT_TRUE(pass.weights.equal(torch::where(v.detach()[0] > 0, 1.0, -1.0)));
    }
}

TEST(SearchOracle, SgtMovesTheDifferenceByTheGradient) {
    const torch::Tensor v = testing::relativeLogits(testing::randomAlpha(2, kShape, 2, 7), torch::kFloat32);
    const torch::Tensor upstream = testing::randomAlpha(1, kShape, 1, 8)[0].to(torch::kFloat32);
    EXPECT_TRUE(testing::runPass(v, {Rule::Sgt, {-1, 1}}, upstream).gradient[0].equal(upstream));
    EXPECT_TRUE(
        testing::runPass(v, {Rule::Sgt, {-1, 1}, 1, true}, upstream).gradient[0].equal(upstream.sign()));
    const torch::Tensor zero = torch::zeros_like(upstream);
    EXPECT_TRUE(testing::runPass(v, {Rule::Sgt, {-1, 1}, 1, true}, zero).gradient[0].equal(zero));
}

/// SGD is linear in what it keeps, and the rules read differences only: training alpha_k - alpha_0 is
/// training all alpha_k.
TEST(SearchOracle, RelativeLogitsTrainLikeAllOfThem) {
    constexpr double kRate = 0.3;
    constexpr double kMomentum = 0.9;
    constexpr double kDecay = 0.01;
    for (const Rule rule : {Rule::Rdhs, Rule::Sgt}) {
        for (const bool nesterov : {false, true}) {
            const Choice choice{rule, {-1, -0.25, 0.5, 1}, 0.7};
            torch::Tensor alpha = testing::randomAlpha(4, kShape, 1, 20);
            torch::Tensor buffer = torch::zeros_like(alpha);
            torch::Tensor logits = testing::relativeLogits(alpha, torch::kFloat64);
            torch::Tensor relativeBuffer = torch::zeros_like(logits.detach());
            const auto update = [&](torch::Tensor parameter, torch::Tensor momentum, torch::Tensor gradient) {
                const torch::NoGradGuard guard;
                const torch::Tensor direction = gradient + kDecay * parameter;
                momentum.mul_(kMomentum).add_(direction);
                parameter.sub_(kRate * (nesterov ? direction + kMomentum * momentum : momentum));
            };
            for (std::uint64_t step = 0; step < 30; ++step) {
                const torch::Tensor upstream = testing::randomAlpha(1, kShape, 1, 30 + step)[0];
                const auto pass = testing::runPass(logits, choice, upstream);
                const torch::Tensor chosen =
                    torch::tensor(choice.values, torch::kFloat64).take(alpha.argmax(0));
                ASSERT_TRUE(pass.weights.equal(chosen)) << step;
                update(alpha, buffer, testing::publishedGradient(alpha, choice, upstream));
                update(logits, relativeBuffer, pass.gradient);
            }
            EXPECT_LE(relativeError(logits.detach(), alpha.slice(0, 1) - alpha[0]), 1e-12);
        }
    }
}

}  // namespace
}  // namespace bitloom::quant::search
