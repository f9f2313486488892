// Which cores of a device threads are timed on. Pure function, any thread.
#pragma once

#include <vector>

#include "engine/report/device.h"

namespace bitloom::device {

/// As many cores as `threads`, of those that this program may run on: first one hardware thread of every
/// physical core, the fastest by capacity before the others, then siblings; what is unknown leaves the order
/// of indices. None when there are fewer than threads: then they cannot have a core each.
[[nodiscard]] std::vector<int> chooseCores(const report::DeviceInfo& device, int threads);

}  // namespace bitloom::device
