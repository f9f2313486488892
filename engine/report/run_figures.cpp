#include "engine/report/run_figures.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace bitloom::report {

std::vector<std::size_t> paretoFront(const std::vector<RunFigures>& runs, double RunFigures::*cost,
                                     const std::string& group) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (runs[i].group() == group && std::isfinite(runs[i].*cost) && std::isfinite(runs[i].top1))
            order.push_back(i);
    }
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        if (runs[a].*cost != runs[b].*cost) return runs[a].*cost < runs[b].*cost;
        return runs[a].top1 > runs[b].top1;
    });
    std::vector<std::size_t> front;
    for (const std::size_t run : order) {
        const bool same = !front.empty() && runs[run].top1 == runs[front.back()].top1 &&
                          runs[run].*cost == runs[front.back()].*cost;
        if (front.empty() || same || runs[run].top1 > runs[front.back()].top1) front.push_back(run);
    }
    return front;
}

std::vector<std::string> groupsOf(const std::vector<RunFigures>& runs) {
    std::vector<std::string> groups;
    for (const RunFigures& run : runs) {
        if (std::ranges::find(groups, run.group()) == groups.end()) groups.push_back(run.group());
    }
    return groups;
}

std::vector<std::string> methodsOf(const std::vector<RunFigures>& runs) {
    std::vector<std::string> methods;
    methods.reserve(runs.size());
    for (const RunFigures& run : runs)
        methods.push_back(run.method);
    std::ranges::sort(methods);
    methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
    return methods;
}

std::string RunTime::place() const {
    return deviceName + (emulated ? " (emulated)" : "") + ", " + std::to_string(threads) +
           (threads == 1 ? " thread" : " threads");
}

const RunTime* RunFigures::timeAt(const std::string& place) const {
    const auto found = std::ranges::find(times, place, &RunTime::place);
    return found == times.end() ? nullptr : &*found;
}

std::vector<std::string> timePlaces(const std::vector<RunFigures>& runs) {
    std::map<std::string, int> counts;
    for (const RunFigures& run : runs) {
        for (const RunTime& time : run.times)
            ++counts[time.place()];
    }
    std::vector<std::string> places;
    places.reserve(counts.size());
    for (const auto& [place, count] : counts)
        places.push_back(place);
    std::ranges::stable_sort(places, std::ranges::greater(),
                             [&](const std::string& place) { return counts[place]; });
    return places;
}

std::string findPlace(const std::vector<RunFigures>& runs, const std::string& device) {
    for (const std::string& place : timePlaces(runs)) {
        for (const RunFigures& run : runs) {
            const RunTime* time = run.timeAt(place);
            if (time && (place == device || time->deviceName == device || time->device == device))
                return place;
        }
    }
    return {};
}

void showTimes(std::vector<RunFigures>& runs, const std::string& place) {
    for (RunFigures& run : runs) {
        const RunTime* time = run.timeAt(place);
        run.milliseconds = time ? time->medianMs : kNoValue;
    }
}

}  // namespace bitloom::report
