// See device_csv.h.
#include "widgets/plots/device_csv.h"

#include "widgets/format.h"

namespace bitloom::widgets {
namespace {

/// Quoted where a comma, a quote or a line's end would part the field.
QByteArray field(const std::string& text) {
    QByteArray bytes = QByteArray::fromStdString(text);
    if (text.find_first_of(",\"\r\n") == std::string::npos) return bytes;
    return '"' + bytes.replace("\"", "\"\"") + '"';
}

QByteArray count(std::int64_t value) {
    return value < 0 ? QByteArray() : QByteArray::number(static_cast<qlonglong>(value));
}

QByteArray line(const report::BenchResult& result, const QByteArray& place, std::int64_t macs,
                const report::KernelTiming& timing) {
    const report::TimingSummary& time = timing.time;
    QByteArray text = place + ',' + count(macs) + ',' + field(timing.family) + ',' + field(timing.kernel);
    for (const double value : {time.medianMs, time.p10Ms, time.p90Ms, time.lowMs, time.highMs})
        text += ',' + csvNumber(value);
    text += ',' + count(static_cast<std::int64_t>(timing.samplesMs.size()));
    for (const double value : {timing.gmacs, timing.percentOfPeak})
        text += ',' + csvNumber(value);
    text += ',' + count(timing.weightBytes) + ',' + count(timing.peakBytes) + ',' +
            report::toText(time.verdict) + ',' + field(result.device.name) + ',' +
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
            text += line(result, field(layer.name) + ',' + field(layer.shape), layer.macs, timing);
    }
    return text;
}

}  // namespace bitloom::widgets
