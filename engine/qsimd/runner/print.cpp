#include "engine/qsimd/runner/print.h"

#include <algorithm>
#include <cstdio>

#include "engine/qsimd/runtime/hashes.h"

namespace bitloom::qsimd {
namespace {

template <class Value>
std::string list(const std::vector<Value>& values) {
    std::string text = "[";
    for (std::size_t i = 0; i < values.size(); ++i)
        text += (i == 0 ? "" : ",") + std::to_string(values[i]);
    return text + "]";
}

std::string decimal(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", value);
    return text;
}

std::string field(const char* name, const std::string& value) {
    return quoted(name) + ":" + value;
}

std::string stepJson(const StepInfo& info, const Samples& samples, std::size_t step) {
    std::string text = "{" + field("name", quoted(info.name)) + "," + field("kind", quoted(info.kind)) + "," +
                       field("shape", quoted(info.shape)) + "," + field("kernel", quoted(info.kernel)) + "," +
                       field("family", quoted(info.family)) + "," + field("macs", std::to_string(info.macs)) +
                       "," + field("weight_bytes", std::to_string(info.weightBytes)) + "," +
                       field("prepared_bytes", std::to_string(info.preparedBytes));
    if (!samples.steps.empty()) text += "," + field("samples_ns", list(samples.steps[step]));
    return text + "}";
}

double medianMs(std::vector<std::int64_t> samples) {
    std::ranges::sort(samples);
    return static_cast<double>(samples[samples.size() / 2]) * 1e-6;
}

}  // namespace

std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[7];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
            result += escape;
        } else {
            result += c;
        }
    }
    return result + "\"";
}

std::string timesAsJson(const RunnerOptions& options, const Networks& networks,
                        const Measurement& measurement) {
    std::string text = "{" + field("runner", "1") + "," + field("isa", quoted(isaName(options.isa))) + "," +
                       field("threads", std::to_string(options.threads)) + "," +
                       field("cores", list(options.cores)) + "," +
                       field("copies", std::to_string(options.copies)) + "," +
                       field("sentinel_ns", list(measurement.sentinel)) + "," + quoted("peak_gmacs") + ":{" +
                       field("fp32", decimal(measurement.peak.floats * 1e-9)) + "," +
                       field("int8", decimal(measurement.peak.bytes * 1e-9)) + "}," + quoted("models") + ":[";
    for (std::size_t m = 0; m < networks.size(); ++m) {
        const Network& network = *networks[m].front();
        const Samples& samples = measurement.models[m];
        text += (m == 0 ? "{" : ",{") + field("file", quoted(options.models[m])) + "," +
                field("name", quoted(network.model().name)) + "," +
                field("peak_bytes", std::to_string(network.peakBytes())) + "," +
                field("samples_ns", list(samples.network)) + "," + quoted("steps") + ":[";
        for (std::size_t step = 0; step < network.model().steps.size(); ++step)
            text += (step == 0 ? "" : ",") + stepJson(network.info(step), samples, step);
        text += "]}";
    }
    return text + "]}\n";
}

std::string kernelsAsJson(Isa ceiling) {
    std::string list;
    for (const Microkernel& kernel : allMicrokernels()) {
        if (!allowed(kernel.isa, ceiling)) continue;
        list += (list.empty() ? "{" : ",{") + field("name", quoted(kernel.name)) + "," +
                field("bytes", kernel.bytes != nullptr ? "true" : "false") + "," +
                field("pixels", std::to_string(kernel.pixels)) + "," +
                field("channels", std::to_string(kernel.channels)) + "}";
    }
    std::string names;
    for (const KernelLine& kernel : allKernels()) {
        if (allowed(kernel.isa, ceiling)) names += (names.empty() ? "" : ",") + quoted(kernel.name);
    }
    return "{" + field("runner", "1") + "," + field("isa", quoted(isaName(ceiling))) + "," +
           quoted("microkernels") + ":[" + list + "]," + quoted("kernels") + ":[" + names + "]}\n";
}

std::string timesAsText(const RunnerOptions& options, const Networks& networks,
                        const Measurement& measurement) {
    std::string text;
    char line[512];
    for (std::size_t m = 0; m < networks.size(); ++m) {
        const Network& network = *networks[m].front();
        const Samples& samples = measurement.models[m];
        std::snprintf(line, sizeof line, "%s: median %.3f ms of %zu, %d threads, %s\n",
                      options.models[m].c_str(), medianMs(samples.network), samples.network.size(),
                      options.threads, isaName(options.isa));
        text += line;
        for (std::size_t step = 0; step < samples.steps.size(); ++step) {
            const StepInfo info = network.info(step);
            const double ms = medianMs(samples.steps[step]);
            std::snprintf(line, sizeof line, "  %-28s %-42s %-26s %9.4f ms %8.2f GMAC/s\n", info.name.c_str(),
                          info.shape.c_str(), info.kernel.c_str(), ms,
                          ms > 0 ? static_cast<double>(info.macs) / ms * 1e-6 : 0);
            text += line;
        }
    }
    return text;
}

std::string hashesAsText(Network& network, const std::vector<float>& image, bool json) {
    std::string text = json ? "[" : "";
    for (const StepHashes& step : hashesOf(network, image.data())) {
        const std::string sums = step.sums ? hashText(*step.sums) : "";
        if (json) {
            text += (text.size() == 1 ? "{" : ",{") + field("name", quoted(step.name)) + "," +
                    field("type", quoted(step.bytes ? "uint8" : "float32")) + "," +
                    field("output", quoted(hashText(step.output))) + "," + field("sums", quoted(sums)) + "}";
        } else {
            text += step.name + " " + hashText(step.output) + (sums.empty() ? "" : " sums " + sums) + "\n";
        }
    }
    return text + (json ? "]\n" : "");
}

}  // namespace bitloom::qsimd
