#include "engine/jobs/landscape_job.h"

#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>

#include "engine/jobs/compared_networks.h"
#include "engine/train/runtime.h"
#include "engine/train/weight_plane.h"

namespace bitloom::jobs {
namespace {

/// One network on its plane.
struct Surveyed {
    std::unique_ptr<train::Executor> executor;
    train::WeightPlane plane;
    quant::QuantizerMap quantizers;  ///< none: full precision
};

Result<Surveyed> surveyed(const ComparedNetworks& networks, const graph::StateDict& parameters,
                          const quant::ActivationMap& activations, quant::QuantizerMap quantizers,
                          std::uint64_t seed) {
    BITLOOM_ASSIGN_OR_RETURN(auto executor, networks.executor(parameters, activations));
    BITLOOM_ASSIGN_OR_RETURN(train::WeightPlane plane, train::WeightPlane::create(*executor, seed));
    return Surveyed{std::move(executor), std::move(plane), std::move(quantizers)};
}

void clear(report::LossSurface& surface, int points) {
    surface.loss.assign(static_cast<std::size_t>(points), report::kNoValue);
    surface.top1.assign(static_cast<std::size_t>(points), report::kNoValue);
}

report::Landscape emptyLandscape(const LandscapeRequest& request, const ComparedNetworks& networks,
                                 bool quantizedAnew) {
    report::Landscape landscape;
    landscape.arch = networks.run.graph.arch();
    landscape.origin = request.run.filename().string();
    landscape.images = networks.images();
    landscape.seed = static_cast<std::int64_t>(request.seed);
    landscape.quantizedAnew = quantizedAnew;
    landscape.pretrained = networks.pretrained();
    landscape.size = request.size;
    landscape.range = request.range;
    clear(landscape.fullPrecision, landscape.points());
    clear(landscape.quantized, landscape.points());
    return landscape;
}

Status checkRequest(const LandscapeRequest& request) {
    if (request.size < 3 || request.size > LandscapeRequest::kMostSize || request.size % 2 == 0) {
        return usageError(
            "a grid of {} points a side: give an odd number from 3 to {}, so that the weights lie in the "
            "middle",
            request.size, LandscapeRequest::kMostSize);
    }
    if (!(request.range > 0) || !std::isfinite(request.range))
        return usageError("a range of {}: give a positive number, 1 is a filter's own norm", request.range);
    if (request.images < 0) return usageError("--images is at least 1, or 0 for all");
    return {};
}

/// Scores points of the grid, both networks at each.
class Survey {
  public:
    Survey(const ComparedNetworks& networks, train::KeptImages images, JobControl& control)
        : m_networks(networks), m_images(std::move(images)), m_control(control) {}

    Status score(Surveyed& network, double alpha, double beta, std::size_t place,
                 report::LossSurface& surface) {
        BITLOOM_ASSIGN_OR_RETURN(const train::WeightOverrides weights,
                                 network.plane.at(alpha, beta, network.quantizers));
        const auto goOn = [this](std::int64_t, std::int64_t) { return m_control.waitWhilePaused(); };
        BITLOOM_ASSIGN_OR_RETURN(const train::Accuracy accuracy,
                                 m_images.isEmpty()
                                     ? train::evaluate(*network.executor, *m_networks.datasets.test,
                                                       m_networks.scoring, weights, goOn)
                                     : train::evaluate(*network.executor, m_images, weights, goOn));
        surface.loss[place] =
            std::isfinite(accuracy.loss) ? accuracy.loss : std::numeric_limits<double>::infinity();
        surface.top1[place] = accuracy.top1;
        return {};
    }

  private:
    const ComparedNetworks& m_networks;
    train::KeptImages m_images;  ///< none: read again for every point
    JobControl& m_control;
};

/// Reports after each point how far the survey is and how long the rest takes.
report::Progress progressOf(const report::Landscape& landscape, std::chrono::steady_clock::time_point start) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report::Progress progress{"surveying the loss", landscape.done, landscape.points(), 0, report::kNoValue};
    if (landscape.done == 0 || seconds <= 0) return progress;
    progress.stepsPerSecond = landscape.done / seconds;
    progress.secondsLeft = (landscape.points() - landscape.done) / progress.stepsPerSecond;
    return progress;
}

}  // namespace

std::vector<int> refinementOrder(int size) {
    const int middle = size / 2;
    std::vector<int> order = {middle * size + middle};
    std::vector<bool> taken(static_cast<std::size_t>(size) * static_cast<std::size_t>(size), false);
    taken[static_cast<std::size_t>(order.front())] = true;
    for (int stride = static_cast<int>(std::bit_ceil(static_cast<unsigned>(size))); stride >= 1;
         stride /= 2) {
        for (int row = middle % stride; row < size; row += stride) {
            for (int column = middle % stride; column < size; column += stride) {
                const int place = row * size + column;
                if (taken[static_cast<std::size_t>(place)]) continue;
                taken[static_cast<std::size_t>(place)] = true;
                order.push_back(place);
            }
        }
    }
    return order;
}

Result<report::Landscape> runLandscapeJob(const LandscapeRequest& request, report::ProgressSink& sink,
                                          JobControl& control, const LandscapeSoFar& soFar) {
    BITLOOM_RETURN_IF_ERROR(checkRequest(request));
    train::configureTorch(request.threads);
    sink.progress({"reading the run", 0, 0, 0, report::kNoValue});
    BITLOOM_ASSIGN_OR_RETURN(const ComparedNetworks networks,
                             openCompared(request.run, request.images, sink));
    BITLOOM_ASSIGN_OR_RETURN(LatentNetwork latent, latentNetwork(networks));
    BITLOOM_ASSIGN_OR_RETURN(Surveyed full, surveyed(networks, networks.fullPrecision, {}, {}, request.seed));
    BITLOOM_ASSIGN_OR_RETURN(Surveyed quantized,
                             surveyed(networks, latent.parameters, networks.quantized.activations,
                                      std::move(latent.quantizers), request.seed));

    const std::size_t layers = networks.quantized.layers.size();
    report::Landscape landscape =
        emptyLandscape(request, networks, layers > 0 && quantized.quantizers.size() == layers);
    BITLOOM_ASSIGN_OR_RETURN(train::KeptImages images,
                             train::KeptImages::read(*networks.datasets.test, networks.scoring));
    Survey survey(networks, std::move(images), control);
    const auto start = std::chrono::steady_clock::now();
    for (const int place : refinementOrder(request.size)) {
        sink.progress(progressOf(landscape, start));
        const double alpha = landscape.coordinate(place % request.size);
        const double beta = landscape.coordinate(place / request.size);
        const auto at = static_cast<std::size_t>(place);
        BITLOOM_RETURN_IF_ERROR(survey.score(full, alpha, beta, at, landscape.fullPrecision));
        BITLOOM_RETURN_IF_ERROR(survey.score(quantized, alpha, beta, at, landscape.quantized));
        ++landscape.done;
        if (soFar) soFar(landscape);
    }
    sink.progress(progressOf(landscape, start));
    return landscape;
}

}  // namespace bitloom::jobs
