#include "engine/jobs/schedule_space.h"

#include <algorithm>

#include <fmt/format.h>

namespace bitloom::jobs {
namespace {

using qsimd::Schedule;

/// Microkernels tried a layer: others are far behind in the model.
constexpr std::size_t kMostKernels = 6;
/// A candidate that the model finds this much slower than what it varies is not timed.
constexpr double kWorthTiming = 1.3;

double roundedUp(int value, int step) {
    const int steps = (value + step - 1) / step;
    return static_cast<double>(steps) * step;
}

std::size_t valueBytes(const TunedShape& shape) {
    return shape.bytes ? 1 : sizeof(float);
}

std::size_t panelBytes(const TunedShape& shape, const TileKernel& kernel) {
    return static_cast<std::size_t>(shape.taps) * static_cast<std::size_t>(kernel.channels) *
           valueBytes(shape);
}

/// Activations of a tile and of the weights of a part: windows beside each other count apart.
std::size_t fieldBytes(std::size_t part, const TileKernel& kernel) {
    return part * static_cast<std::size_t>(kernel.pixels) / static_cast<std::size_t>(kernel.channels);
}

int tilesOf(const TunedShape& shape, const TileKernel& kernel) {
    return (shape.width + kernel.pixels - 1) / kernel.pixels * shape.height;
}

/// Rows of the input under `rows` rows of the output.
std::size_t inputBytes(const TunedShape& shape, int rows) {
    return static_cast<std::size_t>((rows - 1) * shape.stride + shape.windowHeight) *
           static_cast<std::size_t>(shape.inputRow) * valueBytes(shape);
}

/// Multiply-adds that take as long as decoding a weight (the static model of engine/qsimd/README.md).
double decodeWork(const TunedShape& shape) {
    return shape.bytes ? 8 : 1;
}

/// Reading a byte that is used `uses` times from beyond the cache that should hold it, as a share of work.
constexpr double kSecondCache = 0.1;
constexpr double kBeyond = 0.3;

double cachePenalty(std::size_t bytes, const CoreCaches& caches) {
    if (bytes <= caches.first) return 0;
    return bytes <= caches.second ? kSecondCache : kBeyond;
}

void addParts(const TunedShape& shape, const TileKernel& kernel, const Schedule& base,
              const CoreCaches& caches, std::vector<Schedule>& found) {
    // Half of the first cache; what the runtime does not choose by itself; half of the second cache.
    const int ofFirst = static_cast<int>(caches.first >> 11U);
    const int ofSecond = static_cast<int>(caches.second >> 11U);
    constexpr int kOfRuntime = 64;
    const int other = shape.bytes || shape.packed ? kOfRuntime : 0;
    for (const int kb : {ofFirst, other, ofSecond}) {
        const std::size_t part = static_cast<std::size_t>(kb) << 10U;
        const std::size_t held = part + fieldBytes(part, kernel);
        const int least = kb == 0 ? kOfRuntime : kb;
        if (panelBytes(shape, kernel) <= static_cast<std::size_t>(least) << 10U) continue;  // whole anyway
        if (held > (kb == ofFirst ? caches.first : caches.second)) continue;
        Schedule schedule = base;
        schedule.partKb = kb;
        found.push_back(schedule);
    }
}

}  // namespace

TunedShape tunedShape(const qsimd::Model& model, const qsimd::Convolution& step) {
    const qsimd::Buffer& from = model.buffers[static_cast<std::size_t>(step.input)];
    const qsimd::Buffer& to = model.buffers[static_cast<std::size_t>(step.output)];
    TunedShape shape;
    shape.bytes = step.family == qsimd::Family::K2;
    const std::size_t books = (step.codebook.size() + step.codebook8.size()) >> step.indexBits;
    const bool coded =
        step.format == qsimd::WeightFormat::Codebook || step.format == qsimd::WeightFormat::Codebook8;
    shape.packed = coded && step.indexBits <= 4 && books == 1 && step.family != qsimd::Family::TunedFp32;
    shape.padded = step.paddingHeight > 0;
    shape.bits = step.indexBits;
    shape.width = to.width;
    shape.height = to.height;
    shape.channels = to.channels / step.groups;
    shape.taps = step.kernelHeight * step.kernelWidth * (from.channels / step.groups);
    shape.inputRow = from.width * from.channels;
    shape.windowHeight = step.kernelHeight;
    shape.stride = step.strideHeight;
    return shape;
}

double modelledTime(const TunedShape& shape, const TileKernel& kernel, const Schedule& schedule,
                    const CoreCaches& caches) {
    const double waste = roundedUp(shape.width, kernel.pixels) * roundedUp(shape.channels, kernel.channels) /
                         (static_cast<double>(shape.width) * shape.channels);
    // Big tiles load less a multiply-add.
    double time = waste * (1 + 1.0 / kernel.pixels + 4.0 / kernel.channels);
    if (shape.padded && !schedule.skipPadding)
        time *= 1 + 2.0 / (3.0 * shape.height);  // two rows lack one of three rows of the window
    const int all = tilesOf(shape, kernel);
    const int turn = schedule.tiles > 0 ? std::min(schedule.tiles, all) : all;
    if (shape.packed && !schedule.decoded) time += decodeWork(shape) / (turn * kernel.pixels);
    const std::size_t part =
        schedule.partKb > 0 ? static_cast<std::size_t>(schedule.partKb) << 10U : panelBytes(shape, kernel);
    // Each tile reads the panel or its part again; each block of channels the activations of its turn.
    const std::size_t panel = std::min(part, panelBytes(shape, kernel));
    time += cachePenalty(panel + fieldBytes(panel, kernel), caches) / kernel.pixels;
    const int rows = std::max(1, turn / (all / shape.height));
    time += cachePenalty(inputBytes(shape, rows), caches) / kernel.channels;
    return time;
}

std::vector<Schedule> kernelSchedules(const TunedShape& shape, const std::vector<TileKernel>& kernels,
                                      int threads, const CoreCaches& caches) {
    std::vector<const TileKernel*> usable;
    for (const TileKernel& kernel : kernels) {
        if (kernel.bytes == shape.bytes && kernel.pixels <= shape.width &&
            kernel.name.find("scalar") == std::string::npos)
            usable.push_back(&kernel);
    }
    std::ranges::stable_sort(
        usable, {}, [&](const TileKernel* kernel) { return modelledTime(shape, *kernel, {}, caches); });
    usable.resize(std::min(usable.size(), kMostKernels));
    constexpr int kFewRows = 16;  // of more, those in the padding are too small a share to matter
    std::vector<Schedule> schedules;
    for (const TileKernel* kernel : usable) {
        for (const qsimd::Split split : {qsimd::Split::Rows, qsimd::Split::Channels}) {
            if (threads == 1 && split == qsimd::Split::Channels) continue;
            schedules.push_back({.microkernel = kernel->name, .split = split});
            if (shape.padded && shape.height <= kFewRows && threads == 1)
                schedules.push_back({.microkernel = kernel->name, .split = split, .skipPadding = false});
        }
    }
    return schedules;
}

std::vector<Schedule> schedulesAround(const TunedShape& shape, const TileKernel& kernel, const Schedule& base,
                                      const CoreCaches& caches) {
    std::vector<Schedule> found;
    const std::size_t packedBytes = static_cast<std::size_t>(shape.taps) *
                                    static_cast<std::size_t>(shape.channels) *
                                    static_cast<std::size_t>(shape.bits) / 8;
    if (shape.packed) {
        for (const int kb : {0, 1, 2, 4}) {
            if (packedBytes <= caches.first) break;  // they stay where decoding finds them
            Schedule schedule = base;
            schedule.aheadKb = kb;
            found.push_back(schedule);
        }
    }
    // Decoding int8 is too cheap for it ever to have gained.
    if (shape.packed && !shape.bytes) {
        Schedule schedule = base;
        schedule.decoded = true;
        found.push_back(schedule);
    }
    addParts(shape, kernel, base, caches, found);
    const double present = modelledTime(shape, kernel, base, caches);
    const auto modelled = [&](const Schedule& schedule) {
        return modelledTime(shape, kernel, schedule, caches);
    };
    std::erase_if(found, [&](const Schedule& s) { return modelled(s) > kWorthTiming * present; });
    std::ranges::stable_sort(found, {}, modelled);
    return found;
}

Candidate candidateOf(const Schedule& schedule) {
    const char* split = !schedule.split                         ? "auto"
                        : *schedule.split == qsimd::Split::Rows ? "rows"
                                                                : "channels";
    Candidate text = fmt::format("{} {} {}", schedule.microkernel.empty() ? "auto" : schedule.microkernel,
                                 split, schedule.skipPadding ? "skip" : "keep");
    if (schedule.aheadKb != qsimd::kChoose) text += fmt::format(" ahead={}", schedule.aheadKb);
    if (schedule.partKb != qsimd::kChoose) text += fmt::format(" part={}", schedule.partKb);
    if (schedule.tiles != 0) text += fmt::format(" tiles={}", schedule.tiles);
    if (schedule.decoded) text += " decoded";
    return text;
}

}  // namespace bitloom::jobs
