// See device_csv.h.
#include "widgets/plots/device_csv.h"

#include "widgets/format.h"
#include "widgets/plots/csv_field.h"

namespace bitloom::widgets {
namespace {

QByteArray count(std::int64_t value) {
    return value < 0 ? QByteArray() : QByteArray::number(static_cast<qlonglong>(value));
}

QByteArray line(const report::BenchResult& result, const QByteArray& place, std::int64_t macs,
                const report::KernelTiming& timing) {
    const report::TimingSummary& time = timing.time;
    QByteArray text =
        place + ',' + count(macs) + ',' + csvField(timing.family) + ',' + csvField(timing.kernel);
    for (const double value : {time.medianMs, time.p10Ms, time.p90Ms, time.lowMs, time.highMs})
        text += ',' + csvNumber(value);
    text += ',' + count(static_cast<std::int64_t>(timing.samplesMs.size()));
    for (const double value : {timing.gmacs, timing.percentOfPeak})
        text += ',' + csvNumber(value);
    text += ',' + count(timing.weightBytes) + ',' + count(timing.peakBytes) + ',' +
            report::toText(time.verdict) + ',' + csvField(result.device.name) + ',' +
            (result.device.emulated ? "true" : "false") + '\n';
    return text;
}

}  // namespace

QByteArray benchCsv(const report::BenchResult& result) {
    QByteArray text =
        "layer,shape,macs,family,kernel,median_ms,p10_ms,p90_ms,low_ms,high_ms,samples,gmacs,percent_of_peak,"
        "weight_bytes,peak_bytes,verdict,device,emulated\n";
    for (const report::KernelTiming& timing : result.network)
        text += line(result, "(network),", result.macs, timing);
    for (const report::LayerTiming& layer : result.layers) {
        for (const report::KernelTiming& timing : layer.kernels)
            text += line(result, csvField(layer.name) + ',' + csvField(layer.shape), layer.macs, timing);
    }
    return text;
}

}  // namespace bitloom::widgets
