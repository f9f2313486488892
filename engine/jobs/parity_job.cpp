#include "engine/jobs/parity_job.h"

#include <algorithm>
#include <span>

#include "engine/jobs/bench_session.h"
#include "engine/jobs/parity_comparison.h"

namespace bitloom::jobs {
namespace {

/// Images that are on the device at a time.
constexpr std::size_t kImagesAtOnce = 100;

BenchRequest benchRequest(const ParityRequest& request) {
    BenchRequest bench;
    bench.run = request.run;
    bench.device = request.device;
    bench.threads = request.threads;
    bench.isa = request.isa;
    bench.families = {"k0", "k2"};
    bench.deployment = request.deployment;
    return bench;
}

}  // namespace

Result<report::ParityResult> runParityJob(const ParityRequest& request, report::ProgressSink& sink,
                                          JobControl& control) {
    if (request.images < 1) return usageError("--images is at least 1");
    const BenchRequest bench = benchRequest(request);
    BITLOOM_RETURN_IF_ERROR(checkRequest(bench));
    BITLOOM_ASSIGN_OR_RETURN(BenchSession session, BenchSession::open(bench, sink, control));
    BITLOOM_ASSIGN_OR_RETURN(auto reference, train::ReferenceNetwork::create(session.quantized()));
    const Deployment& deployment = session.deployment();
    BITLOOM_ASSIGN_OR_RETURN(const LabelledImages test,
                             firstImages(*deployment.datasets.test, deployment.data,
                                         deployment.datasets.normalization, request.images));

    sink.progress({"comparing step by step", 0, 0, 0, report::kNoValue});
    std::vector<std::unique_ptr<ParityComparison>> comparisons;
    for (std::size_t family = 0; family < session.families().size(); ++family) {
        auto& comparison = comparisons.emplace_back(
            std::make_unique<ParityComparison>(session.models()[family], session.families()[family]));
        BITLOOM_ASSIGN_OR_RETURN(const std::string hashes, session.hashes(family, test.images.front()));
        BITLOOM_RETURN_IF_ERROR(comparison->compareSteps(test.images.front(), reference, hashes));
    }
    const std::size_t total = test.images.size();
    for (std::size_t first = 0; first < total; first += kImagesAtOnce) {
        sink.progress({"comparing images", static_cast<std::int64_t>(first), static_cast<std::int64_t>(total),
                       0, report::kNoValue});
        const std::size_t count = std::min(kImagesAtOnce, total - first);
        const auto images = std::span(test.images).subspan(first, count);
        BITLOOM_ASSIGN_OR_RETURN(const std::vector<int> classes, reference.classes(images));
        const auto labels = std::span(test.labels).subspan(first, count);
        for (std::size_t family = 0; family < comparisons.size(); ++family) {
            BITLOOM_ASSIGN_OR_RETURN(const std::vector<float> scores, session.outputs(family, images));
            BITLOOM_RETURN_IF_ERROR(comparisons[family]->compareImages(images, labels, classes, scores));
        }
    }
    report::ParityResult result;
    result.arch = session.models().front().name;
    result.origin = session.origin();
    result.device = session.deviceInfo();
    result.isa = session.isa();
    for (const auto& comparison : comparisons)
        result.networks.push_back(comparison->result());
    result.passed = std::ranges::all_of(result.networks, passed);
    BITLOOM_RETURN_IF_ERROR(session.close());
    return result;
}

}  // namespace bitloom::jobs
