// RDHS and SGT in the training loop: what trains and what does not, updates streamed during backward, memory,
// and continuing to the bit.
#include <cmath>

#include <gmock/gmock.h>

#include "engine/quant/search/search_function.h"
#include "engine/train/caching_allocator.h"
#include "engine/train/parameter_groups.h"
#include "engine/train/state_layout.h"
#include "tests/train/small_training.h"

namespace bitloom::train {
namespace {

using quant::search::Choice;
using quant::search::Rule;
using ::testing::Contains;
using ::testing::Field;
using ::testing::Not;

struct SearchCase {
    const char* method;
    bool halfLogits;
    bool factored = false;
};

class SearchTraining : public ::testing::TestWithParam<SearchCase> {
  protected:
    SearchTraining() {
        m_small.quantizer.layer = {GetParam().method, 4};
        m_small.quantizer.search.halfLogits = GetParam().halfLogits;
        m_small.quantizer.search.factored = GetParam().factored;
        m_small.quantizer.search.gumbelNoise = 0.05;
        m_small.options.rates.alpha = 0.1;
    }

    static graph::StateDict finish(Trainer& trainer, KeepingSink& sink) {
        JobControl control;
        KeptCheckpoint kept;
        const Status status = trainer.run(sink, control, kept.callback());
        EXPECT_TRUE(status) << (status ? "" : status.error().message);
        return kept.state.tensors;
    }

    static Rule rule() { return GetParam().method == std::string("rdhs") ? Rule::Rdhs : Rule::Sgt; }

    SmallTraining m_small;
};

INSTANTIATE_TEST_SUITE_P(Methods, SearchTraining,
                         ::testing::Values(SearchCase{"rdhs", false}, SearchCase{"rdhs", true},
                                           SearchCase{"sgt", false}, SearchCase{"sgt", true},
                                           SearchCase{"rdhs", true, true}, SearchCase{"sgt", true, true}),
                         [](const auto& test) {
                             return test.param.method + std::string(test.param.halfLogits ? "Half" : "") +
                                    (test.param.factored ? "Factored" : "");
                         });

TEST_P(SearchTraining, LearnsWithoutLatentWeights) {
    m_small.options.epochs = 6;
    const auto trainer = m_small.make();
    KeepingSink sink;
    const graph::StateDict state = finish(*trainer, sink);
    EXPECT_GT(trainer->lastEvaluation().top1Hard, 40) << "four classes: 25 % is chance";
    EXPECT_FALSE(state.contains("optimizer/weight/conv2.weight")) << "no momentum for what does not train";
    EXPECT_TRUE(state.contains("optimizer/alpha/conv2.alpha"));
    const auto model = trainer->quantizedModel();
    ASSERT_TRUE(model.ok());
    EXPECT_EQ(model->layers.at("conv2").dequantize(), state.at("model/conv2.weight").toFloats())
        << "the network holds the deployed weights";
    ASSERT_FALSE(sink.metrics.empty());
    EXPECT_GT(sink.metrics.back().quantMse, 0);
    EXPECT_EQ(sink.metrics.back().top1Soft, sink.metrics.back().top1Soft);
}

TEST_P(SearchTraining, TheQuantizedWeightIsInNoGroup) {
    auto executor = Executor::create(smallGraph(), "cpu");
    ASSERT_TRUE(executor.ok());
    (*executor)->initialize(1);
    auto quantizers = quant::makeQuantizers((*executor)->graph(), (*executor)->state(), m_small.quantizer, 1);
    ASSERT_TRUE(quantizers.ok()) << quantizers.error().message;
    const auto groups = makeParameterGroups(**executor, *quantizers, m_small.options);
    ASSERT_TRUE(groups.ok());
    EXPECT_FALSE((*executor)->weight("conv2").requires_grad());
    EXPECT_TRUE((*executor)->weight("conv1").requires_grad());
    for (const ParameterGroup& group : *groups) {
        EXPECT_NE(group.name, "weight");
        EXPECT_THAT(group.tensors, Not(Contains(Field(&NamedTensor::name, "conv2.weight"))));
    }
}

TEST_P(SearchTraining, ARestoredRunEndsWithTheSameBits) {
    m_small.quantizer.search.temperatureRate = 0.5;
    const auto whole = m_small.make();
    KeepingSink sink;
    static_cast<void>(finish(*whole, sink));

    const auto first = m_small.make();
    JobControl control;
    KeepingSink stopper;
    stopper.onMetric = [&](const report::MetricSample& sample) {
        if (sample.step == 8) control.stop();
    };
    KeptCheckpoint kept;
    EXPECT_FALSE(first->run(stopper, control, kept.callback()));
    EXPECT_LT(kept.state.step, whole->lastStep());
    const auto second = m_small.make(partOf(kept.state.tensors, kModelPart));
    const Status restored = second->restore(kept.state);
    ASSERT_TRUE(restored) << restored.error().message;
    KeepingSink rest;
    static_cast<void>(finish(*second, rest));
    const auto expected = whole->save();
    const auto actual = second->save();
    ASSERT_TRUE(expected.ok() && actual.ok());
    EXPECT_EQ(trainedHash(*actual), trainedHash(*expected));
    EXPECT_EQ(rest.layers.back()->mse, sink.layers.back()->mse) << "the temperature goes on, too";
}

/// A layer large enough that its tensors are seen by the allocator, which counts blocks from 64 KB up.
struct LargeLayer {
    static constexpr std::int64_t kWeights = 1 << 20;
    explicit LargeLayer(std::int64_t planes, torch::Dtype dtype = torch::kFloat32)
        : logits(quant::search::emptyLogits({64, 1 << 14}, planes, dtype)),
          weight(torch::zeros({64, 1 << 14})),
          upstream(torch::randn({64, 1 << 14})) {
        logits.normal_();
        logits.set_requires_grad(true);
    }
    torch::Tensor logits;
    torch::Tensor weight;
    torch::Tensor upstream;
};

/// A layer whose steps are streamed.
struct StreamedLayer : LargeLayer {
    StreamedLayer(std::int64_t planes, torch::Dtype dtype, double rate, double decay, bool nesterov)
        : LargeLayer(planes, dtype), optimizer({{"alpha", rate, decay, {{"a", logits, stream}}}}, nesterov) {}
    std::shared_ptr<quant::GradientStream> stream = std::make_shared<quant::GradientStream>();
    std::shared_ptr<quant::search::LastPass> last = std::make_shared<quant::search::LastPass>();
    Sgd optimizer;

    /// One step with `upstream`; the weights that it started from.
    torch::Tensor step(Choice choice, double momentum) {
        choice.seed = ++passes;
        const torch::Tensor chosen = chooseWeights(weight, logits, choice, stream, last);
        torch::Tensor before = chosen.detach().clone();
        optimizer.beginStep(0.5, momentum);
        chosen.backward(upstream);
        optimizer.step(0.5, momentum);
        EXPECT_FALSE(logits.grad().defined());
        EXPECT_FALSE(stream->active()) << "streaming ends with the step";
        EXPECT_EQ(last->chosen, weight.data_ptr());
        return before;
    }
    std::uint64_t passes = 0;
};

std::size_t liveBytes() {
    return cacheStatistics().liveBytes;
}

const std::vector<double> kThreeBits{-1, -0.5, -0.25, -0.125, 0.125, 0.25, 0.5, 1};

TEST_P(SearchTraining, BackwardNeedsAtMostAByteAWeightFromForward) {
    if (GetParam().halfLogits)
        GTEST_SKIP() << "half-precision logits have no backward pass but the streamed one";
    installCachingAllocator();
    const LargeLayer layer(7);
    const Choice choice{rule(), kThreeBits};
    const std::size_t before = liveBytes();
    const torch::Tensor chosen = chooseWeights(layer.weight, layer.logits, choice, nullptr, nullptr);
    EXPECT_LE(liveBytes() - before, static_cast<std::size_t>(LargeLayer::kWeights));
    chosen.backward(layer.upstream);
    EXPECT_TRUE(layer.logits.grad().defined());
}

TEST_P(SearchTraining, StreamedUpdatesAreTheOptimizersOwnToTheBit) {
    if (GetParam().halfLogits) GTEST_SKIP() << "half-precision logits have no other update";
    const Choice choice{rule(), {-1, -0.5, 0.5, 1}, 0.5};
    for (const bool nesterov : {false, true}) {
        torch::manual_seed(2);
        LargeLayer stored(3);
        torch::manual_seed(2);
        StreamedLayer streamed(3, torch::kFloat32, 0.1, 1e-3, nesterov);
        Sgd plain({{"alpha", 0.1, 1e-3, {{"a", stored.logits}}}}, nesterov);
        for (int step = 0; step < 3; ++step) {
            plain.clearGradients();
            chooseWeights(stored.weight, stored.logits, choice, nullptr, nullptr).backward(stored.upstream);
            plain.step(0.5, 0.9);
            EXPECT_TRUE(streamed.step(choice, 0.9).equal(stored.weight))
                << "chosen while the update had it in the cache";
        }
        streamed.weight.zero_();
        const torch::Tensor again =
            chooseWeights(streamed.weight, streamed.logits, choice, streamed.stream, streamed.last);
        EXPECT_FALSE(again.eq(0).any().item<bool>()) << "weights that somebody else wrote are chosen anew";
        EXPECT_TRUE(stored.logits.equal(streamed.logits));
        EXPECT_EQ(graph::hashState(plain.state()), graph::hashState(streamed.optimizer.state()));
    }
}

/// Where choices stay (SGT: winners far ahead) and y hardly changes (RDHS: a high temperature), momentum of
/// the weight's gradient is momentum of each logit's, and what differs is rounding.
TEST_P(SearchTraining, HalfLogitsFollowThePublishedOnes) {
    if (!GetParam().halfLogits) GTEST_SKIP() << "compared with by the other case";
    const bool rdhs = rule() == Rule::Rdhs;
    const Choice choice{rule(), kThreeBits, 8};
    const double rate = rdhs ? 0.1 : 2e-3;
    const double decay =
        1e-4;  // higher: the first steps differ, when the published momentum has not gathered it
    for (const bool nesterov : {false, true}) {
        torch::manual_seed(2);
        StreamedLayer half(7, torch::kHalf, rate, decay, nesterov);
        StreamedLayer published(7, torch::kFloat32, rate, decay, nesterov);
        {
            const torch::NoGradGuard guard;
            if (!rdhs) half.logits.select(0, 2).add_(20);
            published.logits.copy_(half.logits);
        }
        published.upstream.copy_(half.upstream);
        const torch::Tensor start = published.logits.detach().clone();
        for (int step = 0; step < 40; ++step) {
            half.step(choice, 0.9);
            published.step(choice, 0.9);
        }
        const torch::Tensor moved = published.logits.detach() - start;
        const torch::Tensor other = half.logits.detach().to(torch::kFloat32) - start;
        ASSERT_GT(moved.norm().item<double>(), 0.1 * std::sqrt(moved.numel()));
        EXPECT_LE((other - moved).norm().item<double>(), 0.05 * moved.norm().item<double>());
    }
}

TEST_P(SearchTraining, StateTakesFewBytesAWeight) {
    installCachingAllocator();
    const torch::Dtype dtype = GetParam().halfLogits ? torch::kHalf : torch::kFloat32;
    const std::size_t before = liveBytes();
    const std::size_t planes = GetParam().factored ? 4 : 7;  // of 8 values
    const StreamedLayer layer(static_cast<std::int64_t>(planes), dtype, 0.1, 0, false);
    // Hard weights and the test's gradient: 4 bytes each.
    const std::size_t state = (liveBytes() - before) / LargeLayer::kWeights - 8;
    EXPECT_EQ(state, GetParam().halfLogits ? planes * 2 + 2 : planes * 4 + planes * 4);
}

}  // namespace
}  // namespace bitloom::train
