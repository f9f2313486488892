#include "engine/report/bitwidths.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <utility>

namespace bitloom::report {
namespace {

bool isBefore(const BitwidthPoint& point, std::int64_t step) {
    return point.step < step;
}

/// Of points [first, last) those with the least and the greatest value.
template <class Value>
void addExtremes(const std::vector<BitwidthPoint>& points, std::size_t first, std::size_t last, Value value,
                 std::vector<std::size_t>& chosen) {
    std::optional<std::size_t> least;
    std::optional<std::size_t> greatest;
    for (std::size_t i = first; i < last; ++i) {
        if (std::isnan(value(points[i]))) continue;
        if (!least || value(points[i]) < value(points[*least])) least = i;
        if (!greatest || value(points[i]) > value(points[*greatest])) greatest = i;
    }
    if (!least) return;
    chosen.push_back(*least);
    chosen.push_back(*greatest);
}

}  // namespace

const BitwidthPoint* BitwidthTrack::at(std::int64_t step) const {
    if (points.empty()) return nullptr;
    const auto after = std::lower_bound(points.begin(), points.end(), step + 1, isBefore);
    return after == points.begin() ? &points.front() : &*(after - 1);
}

bool BitwidthTrack::isLearned() const {
    return std::ranges::any_of(points, [](const BitwidthPoint& point) { return point.choice.isLearned(); });
}

void BitwidthTrack::append(const BitwidthPoint& point) {
    points.erase(std::lower_bound(points.begin(), points.end(), point.step, isBefore), points.end());
    points.push_back(point);
}

BitwidthPoint bitwidthPoint(const LayerSnapshot& snapshot) {
    return {snapshot.step, snapshot.bits, snapshot.choice};
}

std::vector<BitwidthPoint> thinned(std::vector<BitwidthPoint> points, std::size_t most) {
    const std::size_t count = points.size();
    if (count <= most || most < 4) return points;
    std::vector<std::size_t> chosen = {0, count - 1};
    for (std::size_t i = 1; i < count; ++i) {
        if (points[i].bits == points[i - 1].bits && points[i].choice.open == points[i - 1].choice.open)
            continue;
        chosen.push_back(i - 1);
        chosen.push_back(i);
    }
    const std::size_t buckets = most / 4;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        const std::size_t first = bucket * count / buckets;
        const std::size_t last = (bucket + 1) * count / buckets;
        addExtremes(
            points, first, last, [](const BitwidthPoint& point) { return point.choice.probability; }, chosen);
        addExtremes(
            points, first, last, [](const BitwidthPoint& point) { return point.choice.gradient; }, chosen);
    }
    std::ranges::sort(chosen);
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    std::vector<BitwidthPoint> kept;
    kept.reserve(chosen.size());
    for (const std::size_t i : chosen)
        kept.push_back(points[i]);
    return kept;
}

namespace {

/// Bits at `step` of the next learned layer in one direction; 0 without one.
double neighbourBits(const std::vector<BitwidthTrack>& tracks, std::size_t track, int direction,
                     std::int64_t step) {
    for (auto i = static_cast<std::ptrdiff_t>(track) + direction;
         i >= 0 && i < static_cast<std::ptrdiff_t>(tracks.size()); i += direction) {
        const BitwidthTrack& other = tracks[static_cast<std::size_t>(i)];
        if (other.isLearned()) return other.at(step)->bits;
    }
    return 0;
}

bool isWide(const std::vector<BitwidthTrack>& tracks, std::size_t track, std::int64_t step, double target) {
    const double bits = tracks[track].at(step)->bits;
    if (bits <= target) return false;  // never of a target that is not known
    return bits >= neighbourBits(tracks, track, -1, step) && bits >= neighbourBits(tracks, track, 1, step);
}

}  // namespace

StalledBits stalledBits(const std::vector<BitwidthTrack>& tracks, std::size_t track, std::int64_t step,
                        double target) {
    const std::vector<BitwidthPoint>& points = tracks[track].points;
    const auto begin = points.begin();
    const auto end = std::lower_bound(begin, points.end(), step + 1, isBefore);
    const auto seen = static_cast<std::size_t>(end - begin);
    const std::size_t recent = std::max(kStallPoints, seen / 10);
    if (seen < recent) return {};
    const auto first = end - static_cast<std::ptrdiff_t>(recent);
    const auto staysOpen = [&](const BitwidthPoint& point) {
        return point.choice.isLearned() && point.choice.open && point.bits == first->bits;
    };
    if (!std::all_of(first, end, staysOpen)) return {};
    /// The first point from which on `holds` of every point and the one after it, up to the window.
    const auto since = [&](auto holds) {
        auto from = first;
        while (from != begin && staysOpen(*(from - 1)) && holds(*(from - 1), *from))
            --from;
        return from->step;
    };
    const auto noGradient = [](const BitwidthPoint& point) { return point.choice.gradient == 0; };
    if (std::all_of(first, end, noGradient)) {
        return {BitStall::NoGradient,
                since([&](const BitwidthPoint& point, const BitwidthPoint&) { return noGradient(point); })};
    }
    if (!isWide(tracks, track, step, target)) return {};
    const auto probability = [](const BitwidthPoint& point) { return point.choice.probability; };
    const auto [least, most] = std::ranges::minmax_element(first, end, {}, probability);
    double low = probability(*least);
    double high = probability(*most);
    if (high - low < kStallMove) {
        return {BitStall::NoChange, since([&](const BitwidthPoint& point, const BitwidthPoint&) {
                    low = std::min(low, probability(point));
                    high = std::max(high, probability(point));
                    return high - low < kStallMove;
                })};
    }
    const auto rises = [&](const BitwidthPoint& point, const BitwidthPoint& next) {
        return probability(next) >= probability(point);
    };
    if (std::adjacent_find(first, end, std::not_fn(rises)) != end) return {};
    return {BitStall::Rising, since(rises)};
}

BitTotals totalsOf(double weights, double weightBits, double macBits) {
    constexpr double kActivationBits = 32;
    return {0, weightBits / weights, weightBits / 8, macBits * kActivationBits};
}

std::vector<BitTotals> bitTotals(const NetworkInfo& network, const std::vector<BitwidthTrack>& tracks,
                                 bool learnedOnly) {
    std::vector<std::pair<const LayerInfo*, const BitwidthTrack*>> counted;
    std::set<std::int64_t> steps;
    double weights = 0;
    for (const LayerInfo& layer : network.layers) {
        if (!layer.quantized || layer.outsideAverage) continue;
        const auto found = std::ranges::find(tracks, layer.name, &BitwidthTrack::layer);
        const BitwidthTrack* track = found == tracks.end() || found->points.empty() ? nullptr : &*found;
        if (learnedOnly && (track == nullptr || !track->isLearned())) continue;
        counted.emplace_back(&layer, track);
        weights += static_cast<double>(layer.weights);
        if (track == nullptr) continue;
        for (std::size_t i = 0; i < track->points.size(); ++i) {
            if (i == 0 || track->points[i].bits != track->points[i - 1].bits)
                steps.insert(track->points[i].step);
        }
    }
    if (weights == 0) return {};
    if (steps.empty()) steps.insert(0);
    std::vector<BitTotals> stair;
    for (const std::int64_t step : steps) {
        double weightBits = 0;
        double macBits = 0;
        for (const auto& [layer, track] : counted) {
            const double bits = track != nullptr ? track->at(step)->bits : layer->bits;
            weightBits += bits * static_cast<double>(layer->weights);
            macBits += bits * static_cast<double>(layer->macs);
        }
        stair.push_back(totalsOf(weights, weightBits, macBits));
        stair.back().step = step;
    }
    return stair;
}

BitTotals totalsAt(const std::vector<BitTotals>& stair, std::int64_t step) {
    const auto after = std::ranges::upper_bound(stair, step, {}, &BitTotals::step);
    if (stair.empty()) return {};
    return after == stair.begin() ? stair.front() : *(after - 1);
}

double targetBits(const BitTarget& target, const NetworkInfo& network,
                  const std::vector<BitwidthTrack>& tracks) {
    double weights = 0;
    double macs = 0;
    for (const LayerInfo& layer : network.layers) {
        const auto track = std::ranges::find(tracks, layer.name, &BitwidthTrack::layer);
        if (layer.outsideAverage || track == tracks.end() || !track->isLearned()) continue;
        weights += static_cast<double>(layer.weights);
        macs += static_cast<double>(layer.macs);
    }
    const double ofOneBit = totalsOf(weights, weights, macs).*target.counted;
    return ofOneBit > 0 ? target.most / ofOneBit : kNoValue;
}

}  // namespace bitloom::report
