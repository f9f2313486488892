#include "engine/device/core_choice.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace bitloom::device {

std::vector<int> chooseCores(const report::DeviceInfo& device, int threads) {
    struct Place {
        bool sibling;  ///< another hardware thread of its core comes before it
        int slowness;
        int index;
        [[nodiscard]] auto order() const { return std::tie(sibling, slowness, index); }
    };
    std::vector<Place> places;
    std::set<int> physical;
    for (const report::CpuCore& core : device.cores) {
        if (!core.allowed) continue;
        const bool sibling = core.firstSibling >= 0 && !physical.insert(core.firstSibling).second;
        places.push_back({sibling, -core.capacity, core.index});
    }
    // One unknown capacity makes all others incomparable with it.
    if (std::ranges::any_of(device.cores, [](const report::CpuCore& core) { return core.capacity < 0; })) {
        for (Place& place : places)
            place.slowness = 0;
    }
    if (places.size() < static_cast<std::size_t>(threads)) return {};
    std::ranges::sort(places, {}, &Place::order);
    std::vector<int> chosen;
    chosen.reserve(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i)
        chosen.push_back(places[static_cast<std::size_t>(i)].index);
    return chosen;
}

}  // namespace bitloom::device
