// What a run is, beside its layers: the network, the metric rows, the events, the progress of the job.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/report/snapshot.h"

namespace bitloom::report {

struct LayerInfo {
    std::string name;                       ///< PyTorch module path
    std::string op;                         ///< "conv 3x3", "linear"
    std::vector<std::int64_t> weightShape;  ///< [out, in / groups, kh, kw] or [out, in]
    std::int64_t weights = 0;
    std::int64_t macs = 0;  ///< multiply-accumulates per image
    bool quantized = false;
    double bits = 32;  ///< bits a weight when hard; 32 when full precision
    /// Quantized, but counted in no mean over quantized layers: an end of the network with bits of its own.
    bool outsideAverage = false;
};

/// The block that a layer of this name stands in: the path up to its first numbered part, or all but the last
/// part. "layer2.0" of "layer2.0.conv1" and of "layer2.0.downsample.0"; empty at top level.
[[nodiscard]] std::string blockOf(const std::string& name);

struct NetworkInfo {
    std::string arch;
    std::vector<LayerInfo> layers;  ///< every layer with weights, in execution order
    std::int64_t parameters = 0;    ///< all trained scalars: weights, biases, batch-norm scale and shift
    std::int64_t macs = 0;          ///< per image
};

enum class RunStatus { Running, Finished, Stopped, Failed };
[[nodiscard]] const char* toText(RunStatus status);
[[nodiscard]] RunStatus runStatusFromText(const std::string& text);  ///< unknown text reads as Failed

/// Everything known about a run before its first step. Stored as attributes and text under /job and /graph.
struct RunInfo {
    std::string path;       ///< the run file, empty when not recorded
    std::string jobToml;    ///< the whole job, defaults written out, so that it can be run again
    std::string command;    ///< the command line that repeats the job
    std::string graphJson;  ///< graph::toJson of the network
    std::string version;    ///< Bitloom's version
    std::string host;
    std::string started;  ///< ISO 8601, UTC
    std::int64_t seed = 0;
    std::int64_t totalSteps = 0;
    std::int64_t stepsPerEpoch = 0;
    double top1Fp32 = kNoValue;  ///< per cent, full precision before quantization; NaN when not evaluated
    NetworkInfo network;
};

/// One row of /metrics. A step has a loss; only some steps have accuracies (NaN elsewhere).
struct MetricSample {
    std::int64_t step = 0;
    double epoch = 0;                ///< fractional epochs since the start
    double loss = kNoValue;          ///< what was minimised on the training batch, nats
    double learningRate = kNoValue;  ///< of the weights' group
    double top1Soft = kNoValue;      ///< per cent, test set, soft weights
    double top1Hard = kNoValue;      ///< per cent, test set, hard weights
    double top5Soft = kNoValue;      ///< per cent
    double top5Hard = kNoValue;      ///< per cent
    double quantMse = kNoValue;      ///< mean (w - Psi)^2 over all quantized weights
    double stepSeconds = kNoValue;
};

enum class EventKind { Epoch, Evaluation, Checkpoint, Paused, Resumed, Warning, Finished, Stage };
[[nodiscard]] const char* toText(EventKind kind);
[[nodiscard]] EventKind eventKindFromText(const std::string& text);  ///< unknown text reads as Warning

/// A mark on the timeline.
struct RunEvent {
    std::int64_t step = 0;
    EventKind kind = EventKind::Epoch;
    std::string text;  ///< one line for a person
};

struct Progress {
    std::string phase;  ///< "initialising", "training", "evaluating", ...
    std::int64_t step = 0;
    std::int64_t totalSteps = 0;  ///< 0 when unknown
    double stepsPerSecond = 0;
    double secondsLeft = kNoValue;
};

/// Final figures of a run: what `bitloom report` prints and the window's summary shows. Per cent and bytes.
/// An unknown figure is NaN, an unknown count or step -1.
struct RunSummary {
    double top1Fp32 = kNoValue;
    double top1Soft = kNoValue;
    double top1Hard = kNoValue;
    double top5Soft = kNoValue;
    double top5Hard = kNoValue;
    double bits = kNoValue;      ///< mean bits over quantized weights; 32 without any
    double sparsity = kNoValue;  ///< exact zeros of Psi over quantized weights
    std::int64_t nonzeroParameters =
        -1;  ///< FP32 conv and linear weights + non-zero Psi (no batch norm, bias, codebook)
    double compressionRate = kNoValue;    ///< DGMS's 32 / (floor(log2 K) nz) over quantized layers
    double weightCompression = kNoValue;  ///< SDQ's WCR, 32 / bits
    double bitOps = kNoValue;  ///< per image: sum over layers of MAC x weight bits x activation bits
    /// As SDQ's tables state them, from the mean bits alone (quant/table_figures.h): bytes of all conv and
    /// linear weights, and bit operations an image.
    double meanBitsBytes = kNoValue;
    double meanBitsBitOps = kNoValue;
    std::int64_t fileBytes = -1;        ///< of the packed export
    double fileCompression = kNoValue;  ///< FP32 bytes / fileBytes
    double mse = kNoValue;              ///< mean (w - Psi)^2 over quantized weights
    std::int64_t steps = -1;            ///< done; where every figure but the accuracies was taken
    std::int64_t accuracyStep = -1;     ///< where the four quantized accuracies were measured
    std::string hash;                   ///< of the final weights and codebooks
    RunStatus status = RunStatus::Running;
};

}  // namespace bitloom::report
