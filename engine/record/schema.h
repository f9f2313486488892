// Names, columns and version of the run file, in one place; free of HDF5. Version history: schema.cpp.
//
//   /                attribute schema_version (int64)
//   /job             attributes: toml command version host started (text), seed total_steps
//                    steps_per_epoch (int64); datasets overwritten in place: status (text[1]),
//                    summary (float64[24]), hash (text[1])
//   /graph           attributes json, network (JSON of report::NetworkInfo)
//   /metrics/<name>  one row a recorded step: step epoch loss lr top1_soft top1_hard top5_soft
//                    top5_hard quant_mse step_seconds
//   /events/<name>   step kind text
//   /layers/<node>/  step bits sparsity mse soft_hard_gap grad_weight grad_mu grad_sigma grad_pi grad_tau;
//                    edges [2] (low, high), outside [4] (below and above of histogram, then of
//                    histogram_soft), histogram [bins]; when quantized also histogram_soft [bins],
//                    bit_probability grad_bits bit_open (0 or 1), and
//                    pi mu sigma count [mixtures, components], tau [mixtures]; a layer whose bits went down
//                    has fewer components, one that a stage leaves in full precision none: a count of -1
//                    where one is missing at a mixture's end
//
// Every dataset of a table has the row as first dimension. A row exists once its `step` does: steps are
// written after everything else of the row has reached the file, so whatever `step` counts is whole. Unknown
// numbers are NaN; unknown counts and steps of the summary -1.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "engine/report/run.h"
#include "engine/report/snapshot.h"

namespace bitloom::record {

inline constexpr std::int64_t kSchemaVersion = 1;

/// The count of a component that a snapshot does not have.
inline constexpr std::int64_t kNoComponent = -1;

/// Whether this program can read a file of that version: an error with the remedy otherwise.
[[nodiscard]] Status checkSchemaVersion(std::int64_t version);

enum class Element { Float64, Int64, UInt64, UInt32, Text };

/// One dataset of a table.
struct Column {
    std::string name;
    Element element = Element::Float64;
    std::vector<std::uint64_t> shape = {};  ///< of one row; empty: one value
    std::size_t textBytes = 0;              ///< Text only: width of the UTF-8 field, padded with zero bytes

    [[nodiscard]] std::size_t elementBytes() const;
    /// Values in one row.
    [[nodiscard]] std::uint64_t values() const;
    [[nodiscard]] std::uint64_t rowBytes() const { return values() * elementBytes(); }
};

inline constexpr const char* kStep = "step";
inline constexpr std::int64_t kNoStep = -1;  ///< fill value of `step`: a row not yet committed
inline constexpr std::size_t kEventKindBytes = 16;
inline constexpr std::size_t kEventTextBytes = 1024;  ///< longer texts are cut, and end in an ellipsis
inline constexpr std::size_t kStatusBytes = 16;
inline constexpr std::size_t kHashBytes = 64;
inline constexpr std::size_t kSummaryValues = 24;

/// The columns beside `step`.
[[nodiscard]] std::vector<Column> metricColumns();
[[nodiscard]] std::vector<Column> eventColumns();
/// `components` 0: full precision.
[[nodiscard]] std::vector<Column> layerColumns(std::uint64_t mixtures, std::uint64_t components,
                                               std::uint64_t bins);

template <class Struct>
using Field = std::pair<const char*, double Struct::*>;

inline constexpr std::array kMetricFields = {
    Field<report::MetricSample>{"epoch", &report::MetricSample::epoch},
    Field<report::MetricSample>{"loss", &report::MetricSample::loss},
    Field<report::MetricSample>{"lr", &report::MetricSample::learningRate},
    Field<report::MetricSample>{"top1_soft", &report::MetricSample::top1Soft},
    Field<report::MetricSample>{"top1_hard", &report::MetricSample::top1Hard},
    Field<report::MetricSample>{"top5_soft", &report::MetricSample::top5Soft},
    Field<report::MetricSample>{"top5_hard", &report::MetricSample::top5Hard},
    Field<report::MetricSample>{"quant_mse", &report::MetricSample::quantMse},
    Field<report::MetricSample>{"step_seconds", &report::MetricSample::stepSeconds},
};

inline constexpr std::array kLayerFields = {
    Field<report::LayerSnapshot>{"bits", &report::LayerSnapshot::bits},
    Field<report::LayerSnapshot>{"sparsity", &report::LayerSnapshot::sparsity},
    Field<report::LayerSnapshot>{"mse", &report::LayerSnapshot::mse},
    Field<report::LayerSnapshot>{"soft_hard_gap", &report::LayerSnapshot::softHardGap},
};

inline constexpr std::array kGradientFields = {
    Field<report::GradientNorms>{"grad_weight", &report::GradientNorms::weight},
    Field<report::GradientNorms>{"grad_mu", &report::GradientNorms::mu},
    Field<report::GradientNorms>{"grad_sigma", &report::GradientNorms::sigma},
    Field<report::GradientNorms>{"grad_pi", &report::GradientNorms::pi},
    Field<report::GradientNorms>{"grad_tau", &report::GradientNorms::tau},
};

inline constexpr std::array kChoiceFields = {
    Field<report::BitChoice>{"bit_probability", &report::BitChoice::probability},
    Field<report::BitChoice>{"grad_bits", &report::BitChoice::gradient},
};
/// BitChoice::open, 0 or 1.
inline constexpr const char* kBitOpen = "bit_open";

/// The figures of a summary as /job/summary holds them; status and hash are stored apart.
using SummaryValues = std::array<double, kSummaryValues>;
[[nodiscard]] SummaryValues packSummary(const report::RunSummary& summary);
[[nodiscard]] report::RunSummary unpackSummary(const SummaryValues& values);
/// Where packSummary puts top1Fp32, the one figure known before the end.
inline constexpr std::size_t kSummaryTop1Fp32 = 0;

[[nodiscard]] std::string networkToJson(const report::NetworkInfo& network);
[[nodiscard]] Result<report::NetworkInfo> networkFromJson(std::string_view json);

/// A node name as an HDF5 link name: '/' and '%' percent-encoded, since HDF5 reads '/' as a path.
[[nodiscard]] std::string linkName(std::string_view layer);
[[nodiscard]] std::string layerName(std::string_view link);

/// `text` as a field of a Text column: zero bytes behind, and what does not fit cut between code points, an
/// ellipsis marking the cut.
[[nodiscard]] std::string padText(std::string_view text, std::size_t bytes);
[[nodiscard]] std::string unpadText(std::string_view field);

}  // namespace bitloom::record
