#include "engine/jobs/bundle_export.h"

#include "engine/jobs/deployment.h"
#include "engine/jobs/rounded_network.h"
#include "engine/jobs/version.h"
#include "engine/qsimd/emit.h"
#include "engine/train/runtime.h"
#include "engine/train/state_layout.h"

namespace bitloom::jobs {
namespace {

constexpr const char* kChecked =
    "every file was read again and holds what was written; the model file, loaded anew, gives "
    "test_output.bin for test_image.bin to the bit in this program. The sources were not compiled: the built "
    "runner's --expect does that check where it runs";

std::string originOf(const ExportRequest& request, const RecordedRun& run) {
    return fmt::format("{}, {} of {}", request.run.filename().string(), run.stage.quantizer.layer.method,
                       run.graph.arch());
}

}  // namespace

Result<ExportResult> exportBundle(const ExportRequest& request, report::ProgressSink& sink,
                                  JobControl& control) {
    if (request.out.empty()) return usageError("name the folder to write: --out DIR");
    sink.progress({"exporting", 0, 0, 0, report::kNoValue});
    BITLOOM_ASSIGN_OR_RETURN(const RecordedRun run, readRecordedRun(request.run, sink));
    train::configureTorch(run.spec.train.threads);
    BITLOOM_ASSIGN_OR_RETURN(const quant::QuantizedModel model,
                             roundedNetwork(run, request.run, request.overrides, sink, control));
    BITLOOM_ASSIGN_OR_RETURN(const Deployment deployment,
                             deploy(model, run.spec.data, request.deployment, sink, control));
    BITLOOM_ASSIGN_OR_RETURN(const qsimd::Model lowered,
                             qsimd::lower(deployment.network, deployment.lowering));
    const std::vector<float>& image = deployment.images.front();
    BITLOOM_ASSIGN_OR_RETURN(
        const qsimd::Bundle bundle,
        qsimd::writeBundle(lowered, image,
                           {originOf(request, run), request.command, version(), request.deployment.target},
                           request.out));

    ExportResult result;
    result.path = request.out.string();
    result.format = request.to;
    result.bytes = static_cast<std::int64_t>(bundle.modelBytes);
    result.fp32Bytes = quant::measure(model).fp32Bytes;
    result.compression = static_cast<double>(result.fp32Bytes) / static_cast<double>(result.bytes);
    const Status checked = qsimd::checkBundle(bundle, request.out);
    if (!checked) sink.log(checked.error().message);
    result.identical = checked.ok();
    result.checked = kChecked;
    const report::MetricSample evaluation = train::readEvaluation(run.state->tensors);
    result.top1Run = evaluation.step == run.state->step ? evaluation.top1Hard : report::kNoValue;
    result.top1File = report::kNoValue;
    if (request.validate) {
        BITLOOM_ASSIGN_OR_RETURN(result.top1File,
                                 runtimeTop1(lowered, deployment.datasets, run.spec.data, 0, sink, control));
    }
    return result;
}

}  // namespace bitloom::jobs
