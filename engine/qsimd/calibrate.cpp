#include "engine/qsimd/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/qsimd/runtime/network.h"

namespace bitloom::qsimd {
namespace {

constexpr std::size_t kBins = 2048;

struct Observed {
    float low = 0;
    float high = 0;
    std::vector<std::int64_t> counts = std::vector<std::int64_t>(kBins);
    std::vector<double> sums;  ///< of every channel
};

std::size_t binOf(const Observed& observed, float value) {
    const float position =
        (value - observed.low) / (observed.high - observed.low) * static_cast<float>(kBins);
    return std::min(kBins - 1, static_cast<std::size_t>(std::max(position, 0.0F)));
}

/// Squared error of 8 bits over `range` for the values of a histogram.
double squaredError(std::span<const std::int64_t> counts, float low, float high, const Range& range) {
    const double scale = (static_cast<double>(range.high) - range.low) / 255;
    const double zeroPoint = std::nearbyint(-range.low / scale);
    const double width = (static_cast<double>(high) - low) / static_cast<double>(counts.size());
    double error = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] == 0) continue;
        const double value = low + (static_cast<double>(i) + 0.5) * width;
        const double number = std::clamp(std::nearbyint(value / scale + zeroPoint), 0.0, 255.0);
        const double difference = scale * (number - zeroPoint) - value;
        // Inside its bin a value is anywhere: where steps are finer than bins the centre says nothing.
        error += static_cast<double>(counts[i]) *
                 std::max(difference * difference, std::min(scale, width) * std::min(scale, width) / 12);
    }
    return error;
}

}  // namespace

Range bestRange(std::span<const std::int64_t> counts, float low, float high) {
    constexpr int kSteps = 100;  // each end is tried at 0.01 to 1.00 of the way out
    low = std::min(low, 0.0F);
    high = std::max(high, 0.0F);
    if (!(low < high)) return {0, 1};  // nothing but zeros
    const auto at = [&](int lowStep, int highStep) {
        return Range{low * static_cast<float>(lowStep) / kSteps,
                     high * static_cast<float>(highStep) / kSteps};
    };
    // One end after the other, until neither moves: the error has one valley in each.
    std::pair<int, int> best = {kSteps, kSteps};
    double least = squaredError(counts, low, high, at(kSteps, kSteps));
    for (bool moved = true; moved;) {
        moved = false;
        for (const bool lowEnd : {true, false}) {
            if ((lowEnd ? low : high) == 0) continue;
            for (int step = 1; step <= kSteps; ++step) {
                const std::pair<int, int> tried =
                    lowEnd ? std::pair(step, best.second) : std::pair(best.first, step);
                const double error = squaredError(counts, low, high, at(tried.first, tried.second));
                if (error >= least) continue;
                least = error;
                best = tried;
                moved = true;
            }
        }
    }
    return at(best.first, best.second);
}

Result<std::map<std::string, Activation, std::less<>>> calibrate(
    const DeployedNetwork& source, std::span<const std::vector<float>> images, int threads,
    JobControl& control, const std::function<void(std::size_t, std::size_t)>& progress) {
    const std::string& arch = source.graph.arch();
    if (images.empty()) return fail("{}: calibration needs at least one image", arch);
    LoweringOptions options;
    options.exactFamily = Family::TunedFp32;
    BITLOOM_ASSIGN_OR_RETURN(Model model, lower(source, options));
    Network network(std::move(model), Dispatch(), threads);
    const std::vector<Buffer>& buffers = network.model().buffers;
    const auto wanted = static_cast<std::size_t>(graph::elementCount(source.graph.inputShape()));
    std::vector<Observed> observed(buffers.size());
    std::size_t done = 0;
    // First the ends of every activation, then where its values lie between them.
    for (const bool counting : {false, true}) {
        for (const std::vector<float>& image : images) {
            if (!control.waitWhilePaused()) return Error{ErrorKind::Cancelled, "Calibration was cancelled"};
            if (image.size() != wanted)
                return fail("{}: a calibration image has {} values, the network takes {}", arch, image.size(),
                            wanted);
            std::string bad;
            const auto look = [&](BufferIndex index) {
                const Buffer& buffer = buffers[static_cast<std::size_t>(index)];
                Observed& o = observed[static_cast<std::size_t>(index)];
                o.sums.resize(static_cast<std::size_t>(buffer.channels));
                const std::vector<float> values = network.values(index);
                const std::size_t pixels = values.size() / o.sums.size();
                for (std::size_t i = 0; i < values.size(); ++i) {
                    const float value = values[i];
                    if (!std::isfinite(value)) bad = buffer.name;
                    if (counting) {
                        if (o.low < o.high) ++o.counts[binOf(o, value)];
                        o.sums[i / pixels] += static_cast<double>(value) / static_cast<double>(pixels);
                    } else {
                        o.low = std::min(o.low, value);
                        o.high = std::max(o.high, value);
                    }
                }
            };
            network.setImage(image.data());
            look(0);
            for (std::size_t step = 0; step < network.model().steps.size() && bad.empty(); ++step) {
                network.runStep(step);
                look(network.outputOf(step));
            }
            if (!bad.empty())
                return fail("{}: the activation {} of a calibration image is not finite", arch, bad);
            if (progress) progress(++done, 2 * images.size());
        }
    }
    std::map<std::string, Activation, std::less<>> activations;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        Activation& activation = activations[buffers[i].name];
        activation.range = bestRange(observed[i].counts, observed[i].low, observed[i].high);
        for (const double sum : observed[i].sums)
            activation.means.push_back(static_cast<float>(sum / static_cast<double>(images.size())));
    }
    return activations;
}

}  // namespace bitloom::qsimd
