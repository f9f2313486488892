#include "engine/jobs/tuning_rounds.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

namespace bitloom::jobs {
namespace {

using qsimd::Schedule;

/// Candidates timed in turns, each with a network of its own.
constexpr std::size_t kAtOnce = 3;

/// Sets in `to` what `gained` has other than `base`.
void takeOver(const Schedule& base, const Schedule& gained, Schedule& to) {
    if (gained.aheadKb != base.aheadKb) to.aheadKb = gained.aheadKb;
    if (gained.partKb != base.partKb) to.partKb = gained.partKb;
    if (gained.tiles != base.tiles) to.tiles = gained.tiles;
    if (gained.decoded != base.decoded) to.decoded = gained.decoded;
}

}  // namespace

std::vector<Candidate> TuningRounds::candidates(const Layer& layer) const {
    const CoreCaches caches;
    const auto timeOf = [&](const Schedule& schedule) {
        return m_cache.time(layer.key, candidateOf(schedule));
    };
    std::vector<Candidate> all;
    const auto append = [&](const std::vector<Schedule>& schedules) {
        bool timed = true;
        for (const Schedule& schedule : schedules) {
            const Candidate candidate = candidateOf(schedule);
            if (all.size() == kMostCandidates || std::ranges::find(all, candidate) != all.end()) continue;
            all.push_back(candidate);
            timed = timed && timeOf(schedule).has_value();
        }
        return timed;
    };
    const std::vector<Schedule> first = kernelSchedules(layer.shape, m_kernels, m_threads, caches);
    if (!append(first) || first.empty()) return all;
    const Schedule base = *std::ranges::min_element(
        first, {}, [&](const Schedule& s) { return timeOf(s).value_or(std::numeric_limits<double>::max()); });
    const auto kernel = std::ranges::find(m_kernels, base.microkernel, &TileKernel::name);
    std::vector<Schedule> around = schedulesAround(layer.shape, *kernel, base, caches);
    if (!append(around)) return all;
    // The slowest first, so that of two values of one member the faster stays.
    std::erase_if(around, [&](const Schedule& s) { return timeOf(s) >= timeOf(base); });
    std::ranges::sort(around, std::greater(), timeOf);
    Schedule together = base;
    for (const Schedule& gained : around)
        takeOver(base, gained, together);
    if (together.decoded) together.aheadKb = base.aheadKb;  // nothing is left to decode
    append({together});
    return all;
}

std::vector<Candidate> TuningRounds::untried(const Layer& layer) const {
    std::vector<Candidate> open = candidates(layer);
    std::erase_if(open, [&](const Candidate& c) { return m_cache.time(layer.key, c).has_value(); });
    return open;
}

std::size_t TuningRounds::mostUntried() const {
    std::size_t most = 0;
    for (const Layer& layer : m_layers)
        most = std::max(most, untried(layer).size());
    return most;
}

Result<int> TuningRounds::run(report::ProgressSink& sink, const JobControl& control) {
    std::size_t done = 0;
    for (int rounds = 0;; ++rounds) {
        const std::size_t left = mostUntried();
        if (left == 0) return rounds;
        sink.progress({"tuning", static_cast<std::int64_t>(done), static_cast<std::int64_t>(done + left), 0,
                       report::kNoValue});
        std::size_t families = 0;
        for (const Layer& layer : m_layers)
            families = std::max(families, layer.family + 1);
        for (std::size_t family = 0; family < families; ++family)
            BITLOOM_RETURN_IF_ERROR(timeRound(family));
        BITLOOM_RETURN_IF_ERROR(m_cache.save(control));
        done += std::min(left, kAtOnce);
    }
}

/// Up to kAtOnce candidates a layer in turns with the runner's own choice, and by what they take of its
/// time: clocks that change meet all of them alike.
Status TuningRounds::timeRound(std::size_t family) {
    std::map<std::string, std::size_t> asked;  // layers of one key share its candidates
    std::vector<std::vector<Candidate>> tried;
    std::vector<std::string> schedules(1 + kAtOnce);
    std::size_t most = 0;
    for (const Layer& layer : m_layers) {
        std::vector<Candidate>& own = tried.emplace_back();
        if (layer.family != family) continue;
        const std::vector<Candidate> open = untried(layer);
        for (std::size_t& next = asked[layer.key]; own.size() < std::min(kAtOnce, open.size()); ++next) {
            own.push_back(open[next % open.size()]);
            schedules[own.size()] += layer.prefix + own.back() + "\n";
        }
        most = std::max(most, own.size());
    }
    if (most == 0) return {};
    schedules.resize(1 + most);
    BITLOOM_ASSIGN_OR_RETURN(const Times times, m_timer(family, schedules));
    for (std::size_t i = 0; i < m_layers.size(); ++i) {
        if (tried[i].empty()) continue;
        const Layer& layer = m_layers[i];
        const auto found = times.find(layer.name);
        if (found == times.end() || found->second.size() != schedules.size())
            return fail("The runner did not time layer {}", layer.name);
        const std::vector<double>& medians = found->second;
        if (!m_cache.time(layer.key, kOwnChoice)) m_cache.setTime(layer.key, kOwnChoice, medians[0]);
        const double chosen = m_cache.time(layer.key, kOwnChoice).value_or(medians[0]);
        // What the runner could not take (it chose another) is kept too: it need not be tried again.
        for (std::size_t c = 0; c < tried[i].size(); ++c)
            m_cache.setTime(layer.key, tried[i][c], chosen * medians[1 + c] / medians[0]);
    }
    return {};
}

}  // namespace bitloom::jobs
