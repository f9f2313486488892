// How the bits of layers went: thinning, stalls, totals.
#include "engine/report/bitwidths.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>

namespace bitloom::report {
namespace {

using ::testing::ElementsAre;

BitwidthPoint learned(std::int64_t step, double bits, double probability, double gradient = 0.1) {
    return {step, bits, {probability, gradient, bits > 1}};
}

/// Bits go from 8 to 1, probability and gradient wander with a spike each.
std::vector<BitwidthPoint> longTrack(std::int64_t count) {
    std::vector<BitwidthPoint> points;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<double>(i);
        points.push_back(learned(i, 8 - std::floor(7.999 * at / static_cast<double>(count)),
                                 0.5 + 0.3 * std::sin(at / 50), std::cos(at / 30)));
    }
    points[static_cast<std::size_t>(count / 3)].choice.gradient = 40;
    points[static_cast<std::size_t>(count / 3)].choice.probability = 0.001;
    return points;
}

TEST(Bitwidths, AShortTrackIsNotThinned) {
    EXPECT_EQ(thinned(longTrack(1000)).size(), 1000u);
    EXPECT_TRUE(thinned({}).empty());
}

TEST(Bitwidths, ThinningKeepsEndsChangesAndSpikes) {
    const std::vector<BitwidthPoint> all = longTrack(20'000);
    const std::vector<BitwidthPoint> kept = thinned(all);
    EXPECT_LE(kept.size(), kTrackPoints + std::size_t{2} * 8 + 2);
    EXPECT_GE(kept.size(), kTrackPoints / 4);
    EXPECT_EQ(kept.front().step, 0);
    EXPECT_EQ(kept.back().step, 19'999);
    double largest = 0;
    double least = 1;
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const BitwidthPoint& original = all[static_cast<std::size_t>(kept[i].step)];
        EXPECT_EQ(kept[i].bits, original.bits);
        EXPECT_EQ(kept[i].choice.probability, original.choice.probability) << "nothing is averaged";
        largest = std::max(largest, kept[i].choice.gradient);
        least = std::min(least, kept[i].choice.probability);
        if (i == 0) continue;
        EXPECT_LT(kept[i - 1].step, kept[i].step);
        if (kept[i - 1].bits != kept[i].bits) {
            EXPECT_EQ(kept[i - 1].step + 1, kept[i].step) << "a change of bits keeps its step";
        }
    }
    EXPECT_EQ(largest, 40);
    EXPECT_EQ(least, 0.001);
}

TEST(Bitwidths, ThinningWithoutProbabilitiesKeepsTheStairs) {
    std::vector<BitwidthPoint> fixed;
    for (std::int64_t step = 0; step < 5000; ++step)
        fixed.push_back({step, step < 2500 ? 4.0 : 3.0, {}});
    std::vector<std::int64_t> steps;
    for (const BitwidthPoint& point : thinned(fixed))
        steps.push_back(point.step);
    EXPECT_THAT(steps, ElementsAre(0, 2499, 2500, 4999));
}

TEST(Bitwidths, ATrackKnowsItsPointAtAStep) {
    BitwidthTrack track{"layer", {}};
    EXPECT_EQ(track.at(5), nullptr);
    EXPECT_FALSE(track.isLearned());
    for (const std::int64_t step : {10, 20, 30})
        track.append(learned(step, 8, 0.5));
    EXPECT_TRUE(track.isLearned());
    EXPECT_EQ(track.at(5)->step, 10);
    EXPECT_EQ(track.at(20)->step, 20);
    EXPECT_EQ(track.at(29)->step, 20);
    EXPECT_EQ(track.at(99)->step, 30);
    track.append(learned(20, 7, 0.7));
    EXPECT_EQ(track.points.size(), 2u) << "a resumed run goes back";
    EXPECT_EQ(track.points.back().bits, 7);
}

/// As a run records it every tenth step: probabilities of a network over its budget wander by steps of Adam.
BitwidthTrack recorded(
    const char* layer, double bits, const std::function<double(std::int64_t)>& probability,
    const std::function<double(std::int64_t)>& gradient = [](std::int64_t) { return 0.01; }) {
    BitwidthTrack track{layer, {}};
    for (std::int64_t step = 0; step < 1000; step += 10)
        track.append(learned(step, bits, probability(step), gradient(step)));
    return track;
}

double wanders(std::int64_t step) {
    return 0.6 + 0.1 * std::sin(static_cast<double>(step) / 15);
}
/// Never twice the same number.
double trembles(std::int64_t step) {
    return 0.73 + 0.004 * std::sin(static_cast<double>(step));
}

TEST(Bitwidths, TargetsOfEveryKindAreMeanBitsOfTheLayersThatLearn) {
    NetworkInfo network;
    for (const char* name : {"a", "b", "fixed"}) {
        LayerInfo& layer = network.layers.emplace_back();
        layer.name = name;
        layer.quantized = true;
        layer.weights = 400;
        layer.macs = 1000;
    }
    const std::vector<BitwidthTrack> tracks{recorded("a", 4, wanders), recorded("b", 6, wanders),
                                            BitwidthTrack{"fixed", {{0, 8, {}}}}};
    EXPECT_DOUBLE_EQ(targetBits({&BitTotals::bits, 2.5}, network, tracks), 2.5);
    EXPECT_DOUBLE_EQ(targetBits({&BitTotals::bytes, 300}, network, tracks), 3);
    EXPECT_DOUBLE_EQ(targetBits({&BitTotals::bitOperations, 128000}, network, tracks), 2);
    EXPECT_TRUE(std::isnan(targetBits({&BitTotals::bytes, 300}, network, {})));
}

TEST(Bitwidths, AWideLayerThatHardlyMovesIsNamed) {
    const std::vector<BitwidthTrack> tracks{recorded("a", 4, wanders), recorded("b", 6, trembles),
                                            recorded("c", 5, wanders)};
    EXPECT_EQ(stalledBits(tracks, 1, 990).reason, BitStall::NoChange);
    EXPECT_EQ(stalledBits(tracks, 1, 990).since, 0);
    EXPECT_EQ(stalledBits(tracks, 1, 990, 2).reason, BitStall::NoChange);
    EXPECT_EQ(stalledBits(tracks, 1, 990, 6).reason, BitStall::None) << "no wider than the target";
    EXPECT_EQ(stalledBits(tracks, 1, 30).reason, BitStall::None) << "too few to tell";
    EXPECT_EQ(stalledBits(tracks, 0, 990).reason, BitStall::None) << "it moves";
}

TEST(Bitwidths, ALayerNarrowerThanItsNeighboursMayStay) {
    std::vector<BitwidthTrack> tracks{recorded("a", 4, wanders), recorded("b", 3, trembles),
                                      recorded("c", 2, wanders)};
    EXPECT_EQ(stalledBits(tracks, 1, 990).reason, BitStall::None);
    // A layer with fixed bits in between is no neighbour.
    tracks[0] = recorded("a", 3, wanders);
    tracks.insert(tracks.begin() + 1, BitwidthTrack{"fixed", {{0, 8, {}}}});
    EXPECT_EQ(stalledBits(tracks, 2, 990).reason, BitStall::NoChange);
}

TEST(Bitwidths, AProbabilityThatOnlyRisesIsNamed) {
    const auto rises = [](std::int64_t step) {
        return step < 500 ? wanders(step) : 0.55 + 0.0008 * static_cast<double>(step - 500);
    };
    const std::vector<BitwidthTrack> tracks{recorded("a", 8, rises), recorded("b", 5, wanders)};
    EXPECT_EQ(stalledBits(tracks, 0, 990).reason, BitStall::Rising);
    EXPECT_GE(stalledBits(tracks, 0, 990).since, 480);
    EXPECT_LE(stalledBits(tracks, 0, 990).since, 520);
    EXPECT_EQ(stalledBits(tracks, 0, 450).reason, BitStall::None);
}

TEST(Bitwidths, WithoutAGradientNothingMovesAtAnyWidth) {
    const auto stops = [](std::int64_t step) { return step < 600 ? 0.25 : 0.0; };
    const std::vector<BitwidthTrack> tracks{recorded("a", 8, wanders), recorded("b", 2, wanders, stops)};
    EXPECT_EQ(stalledBits(tracks, 1, 990).reason, BitStall::NoGradient);
    EXPECT_EQ(stalledBits(tracks, 1, 990).since, 600);
    EXPECT_EQ(stalledBits(tracks, 1, 500).reason, BitStall::None) << "not yet";
    EXPECT_EQ(stalledBits(tracks, 1, 620).reason, BitStall::None) << "too few to tell";
}

TEST(Bitwidths, WhatCannotMoveIsNotStalled) {
    BitwidthTrack fixed{"fixed", {}};
    BitwidthTrack least{"least", {}};
    BitwidthTrack lowered{"lowered", {}};
    BitwidthTrack met{"met", {}};
    for (std::int64_t step = 0; step < 50; ++step) {
        fixed.append({step, 4, {}});
        least.append(learned(step, 1, 1, 0));
        lowered.append(learned(step, step < 48 ? 3 : 2, 0.73, 0));
        met.append({step, 5, {0.73, 0.1, false}});
    }
    const std::vector<BitwidthTrack> tracks{fixed, least, lowered, met, BitwidthTrack{}};
    for (std::size_t i = 0; i < tracks.size(); ++i)
        EXPECT_EQ(stalledBits(tracks, i, 49).reason, BitStall::None) << tracks[i].layer;
}

TEST(Bitwidths, TotalsCountQuantizedLayers) {
    NetworkInfo network;
    network.layers = {{"stem", "conv 3x3", {}, 100, 1000, false, 32},
                      {"a", "conv 3x3", {}, 300, 2000, true, 8},
                      {"b", "conv 3x3", {}, 100, 500, true, 4},
                      {"fc", "linear", {}, 200, 200, true, 8, true}};
    const BitwidthTrack a{"a", {learned(0, 8, 0.5), learned(10, 2, 0.5)}};
    const std::vector<BitTotals> all = bitTotals(network, {a}, false);
    ASSERT_EQ(all.size(), 2u) << "where it begins, and one change";
    EXPECT_EQ(all[1].step, 10);
    EXPECT_DOUBLE_EQ(all[1].bits, (300.0 * 2 + 100 * 4) / 400);
    EXPECT_DOUBLE_EQ(all[1].bytes, (300.0 * 2 + 100 * 4) / 8);
    EXPECT_DOUBLE_EQ(all[1].bitOperations, 32 * (2000.0 * 2 + 500 * 4));
    const std::vector<BitTotals> ofLearned = bitTotals(network, {a}, true);
    EXPECT_DOUBLE_EQ(totalsAt(ofLearned, 99).bits, 2);
    EXPECT_DOUBLE_EQ(totalsAt(ofLearned, 9).bytes, 300);
    EXPECT_DOUBLE_EQ(totalsAt(ofLearned, -1).bits, 8) << "before the first point";
    EXPECT_TRUE(bitTotals(network, {}, true).empty());
    EXPECT_TRUE(std::isnan(totalsAt({}, 3).bits));
    EXPECT_DOUBLE_EQ(bitTotals(network, {}, false).front().bits, (300.0 * 8 + 100 * 4) / 400)
        << "without a record, what the run began with";
}

}  // namespace
}  // namespace bitloom::report
