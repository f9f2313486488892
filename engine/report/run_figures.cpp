#include "engine/report/run_figures.h"

#include <algorithm>
#include <cmath>

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
    for (const RunFigures& run : runs)
        methods.push_back(run.method);
    std::ranges::sort(methods);
    methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
    return methods;
}

}  // namespace bitloom::report
