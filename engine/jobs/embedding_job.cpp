#include "engine/jobs/embedding_job.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "engine/jobs/compared_networks.h"
#include "engine/stats/tsne.h"
#include "engine/train/features.h"
#include "engine/train/runtime.h"

namespace bitloom::jobs {
namespace {

constexpr int kShownEvery = 20;  // iterations

/// What the layouts of both networks share.
class EmbeddingJob {
  public:
    EmbeddingJob(const EmbeddingRequest& request, report::ProgressSink& sink, JobControl& control,
                 const EmbeddingSoFar& soFar)
        : m_request(request), m_sink(sink), m_control(control), m_soFar(soFar) {}

    Result<report::Embedding> run() {
        m_sink.progress({"reading the run", 0, 0, 0, report::kNoValue});
        BITLOOM_ASSIGN_OR_RETURN(const ComparedNetworks networks,
                                 openCompared(m_request.run, m_request.images, m_sink));
        BITLOOM_RETURN_IF_ERROR(checkImages(networks));
        describe(networks);
        BITLOOM_ASSIGN_OR_RETURN(
            const train::Features full,
            compute(networks, networks.fullPrecision, {}, m_result.fullPrecision, "full precision"));
        m_result.labels = full.labels;
        m_result.dimension = full.dimension;
        BITLOOM_ASSIGN_OR_RETURN(const train::Features quantized,
                                 compute(networks, networks.quantized.dequantize(),
                                         networks.quantized.activations, m_result.quantized, "quantized"));
        BITLOOM_ASSIGN_OR_RETURN(const auto layout,
                                 layOut(full, {}, m_result.fullPrecision, "full precision"));
        BITLOOM_RETURN_IF_ERROR(layOut(quantized, layout.points, m_result.quantized, "quantized"));
        return std::move(m_result);
    }

  private:
    /// Before anything is computed: t-SNE would say so only after the features.
    [[nodiscard]] Status checkImages(const ComparedNetworks& networks) const {
        const auto images = static_cast<double>(networks.images());
        if (m_request.perplexity >= 2 && images >= 3 * m_request.perplexity) return {};
        return usageError(
            "{} images do not suffice for perplexity {}: it is at least 2 and at most a third of them",
            images, m_request.perplexity);
    }

    void describe(const ComparedNetworks& networks) {
        m_result.arch = networks.run.graph.arch();
        m_result.pretrained = networks.pretrained();
        m_result.origin = m_request.run.filename().string();
        m_result.classNames = networks.datasets.test->classNames();
        m_result.perplexity = m_request.perplexity;
        m_result.iterations = m_request.iterations;
        m_result.seed = static_cast<std::int64_t>(m_request.seed);
    }

    Result<train::Features> compute(const ComparedNetworks& networks, const graph::StateDict& parameters,
                                    const quant::ActivationMap& activations, report::EmbeddedNetwork& network,
                                    const std::string& name) {
        BITLOOM_ASSIGN_OR_RETURN(const auto executor, networks.executor(parameters, activations));
        const auto progress = [&](std::int64_t done, std::int64_t total) {
            m_sink.progress({"features, " + name, done, total, 0, report::kNoValue});
            return m_control.waitWhilePaused();
        };
        BITLOOM_ASSIGN_OR_RETURN(
            train::Features features,
            train::penultimateFeatures(*executor, *networks.datasets.test, networks.scoring, progress));
        network.predicted = features.predictions;
        network.top1 = features.top1();
        return features;
    }

    Result<stats::TsneLayout> layOut(const train::Features& features,
                                     std::span<const stats::PlanePoint> start,
                                     report::EmbeddedNetwork& network, const std::string& name) {
        stats::TsneOptions options;
        options.perplexity = m_request.perplexity;
        options.iterations = m_request.iterations;
        options.seed = m_request.seed;
        options.threads = m_request.threads > 0
                              ? m_request.threads
                              : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
        m_sink.progress({"layout, " + name, 0, options.iterations, 0, report::kNoValue});
        const auto progress = [&](int done, std::span<const stats::PlanePoint> points) {
            m_sink.progress({"layout, " + name, done, options.iterations, 0, report::kNoValue});
            if (!m_soFar || done % kShownEvery != 0) return;
            show(points, done, network);
            m_soFar(m_result);
        };
        auto layout = stats::tsne({features.values, static_cast<std::size_t>(features.dimension)}, options,
                                  m_control, progress, start);
        if (!layout) {
            return Error{layout.error().kind, fmt::format("{}, {} network: {}", m_request.run.string(), name,
                                                          layout.error().message)};
        }
        show(layout->points, options.iterations, network);
        network.divergence = layout->divergence;
        return layout;
    }

    static void show(std::span<const stats::PlanePoint> points, int done, report::EmbeddedNetwork& network) {
        network.x.resize(points.size());
        network.y.resize(points.size());
        for (std::size_t i = 0; i < points.size(); ++i) {
            network.x[i] = static_cast<float>(points[i].x);
            network.y[i] = static_cast<float>(points[i].y);
        }
        network.iterations = done;
    }

    const EmbeddingRequest& m_request;
    report::ProgressSink& m_sink;
    JobControl& m_control;
    const EmbeddingSoFar& m_soFar;
    report::Embedding m_result;
};

}  // namespace

Result<report::Embedding> runEmbeddingJob(const EmbeddingRequest& request, report::ProgressSink& sink,
                                          JobControl& control, const EmbeddingSoFar& soFar) {
    if (request.images < 0) return usageError("--images is at least 1, or 0 for all");
    train::configureTorch(request.threads);
    return EmbeddingJob(request, sink, control, soFar).run();
}

}  // namespace bitloom::jobs
