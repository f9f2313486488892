// Version history of the run file
//   1  first version. Later columns: bit_probability, grad_bits and bit_open of layers; without them the bits
//      of a layer are fixed. summary had 16 values; those that a file lacks are unknown.
//
// A new column needs no new version: a reader gives a column that a file lacks its default. A change of
// meaning raises kSchemaVersion, and the reader learns to present the versions from kOldestSchemaVersion on
// as the newest one.
#include "engine/record/schema.h"

#include <cmath>
#include <functional>
#include <numeric>

#include <nlohmann/json.hpp>

namespace bitloom::record {
namespace {

using nlohmann::json;

constexpr std::int64_t kOldestSchemaVersion = 1;

template <class Value>
Value valueOr(const json& object, const char* key, Value otherwise) {
    const auto found = object.find(key);
    return found != object.end() && !found->is_null() ? found->get<Value>() : otherwise;
}

json layerToJson(const report::LayerInfo& layer) {
    return {{"name", layer.name},
            {"op", layer.op},
            {"weight_shape", layer.weightShape},
            {"weights", layer.weights},
            {"macs", layer.macs},
            {"quantized", layer.quantized},
            {"bits", layer.bits},
            {"outside_average", layer.outsideAverage}};
}

report::LayerInfo layerFromJson(const json& object) {
    report::LayerInfo layer;
    layer.name = object.at("name").get<std::string>();
    layer.op = valueOr(object, "op", layer.op);
    layer.weightShape = valueOr(object, "weight_shape", layer.weightShape);
    layer.weights = valueOr(object, "weights", layer.weights);
    layer.macs = valueOr(object, "macs", layer.macs);
    layer.quantized = valueOr(object, "quantized", layer.quantized);
    layer.bits = valueOr(object, "bits", layer.bits);
    layer.outsideAverage = valueOr(object, "outside_average", layer.outsideAverage);
    return layer;
}

// Order of /job/summary. Counts are exact in a double up to 2^53.
constexpr std::array kSummaryFigures = {
    &report::RunSummary::top1Fp32,
    &report::RunSummary::top1Soft,
    &report::RunSummary::top1Hard,
    &report::RunSummary::top5Hard,
    &report::RunSummary::bits,
    &report::RunSummary::sparsity,
    &report::RunSummary::mse,
    &report::RunSummary::compressionRate,
    &report::RunSummary::fileCompression,
};
constexpr std::array kSummaryCounts = {&report::RunSummary::nonzeroParameters,
                                       &report::RunSummary::fileBytes};
// Later additions; a file without them holds NaN there.
constexpr std::array kSummaryMore = {&report::RunSummary::top5Soft, &report::RunSummary::weightCompression,
                                     &report::RunSummary::bitOps};
constexpr std::array kSummarySteps = {&report::RunSummary::steps, &report::RunSummary::accuracyStep};
constexpr std::array kSummaryTables = {&report::RunSummary::meanBitsBytes,
                                       &report::RunSummary::meanBitsBitOps};
static_assert(kSummaryFigures[kSummaryTop1Fp32] == &report::RunSummary::top1Fp32);
static_assert(kSummaryFigures.size() + kSummaryCounts.size() + kSummaryMore.size() + kSummarySteps.size() +
                  kSummaryTables.size() <=
              kSummaryValues);

/// A count, or -1 for one that is not known.
std::int64_t countFrom(double value) {
    return value >= 0 && value < 0x1p53 ? static_cast<std::int64_t>(value) : -1;
}

}  // namespace

Status checkSchemaVersion(std::int64_t version) {
    if (version > kSchemaVersion) {
        return fail("made by a newer Bitloom (schema {}, this one reads up to {}); update Bitloom to open it",
                    version, kSchemaVersion);
    }
    if (version < kOldestSchemaVersion) {
        return fail(
            "schema {} is not a version that Bitloom ever wrote (it reads {} to {}); the file is damaged",
            version, kOldestSchemaVersion, kSchemaVersion);
    }
    return {};
}

std::size_t Column::elementBytes() const {
    switch (element) {
        case Element::Float64:
        case Element::Int64:
        case Element::UInt64:
            return 8;
        case Element::UInt32:
            return 4;
        case Element::Text:
            return textBytes;
    }
    return 0;
}

std::uint64_t Column::values() const {
    return std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
}

std::vector<Column> metricColumns() {
    std::vector<Column> columns;
    columns.reserve(std::size(kMetricFields));
    for (const auto& [name, member] : kMetricFields)
        columns.push_back({name});
    return columns;
}

std::vector<Column> eventColumns() {
    return {{"kind", Element::Text, {}, kEventKindBytes}, {"text", Element::Text, {}, kEventTextBytes}};
}

std::vector<Column> layerColumns(std::uint64_t mixtures, std::uint64_t components, std::uint64_t bins) {
    std::vector<Column> columns;
    columns.reserve(std::size(kLayerFields) + std::size(kGradientFields) + std::size(kChoiceFields) + 9);
    for (const auto& [name, member] : kLayerFields)
        columns.push_back({name});
    for (const auto& [name, member] : kGradientFields)
        columns.push_back({name});
    columns.push_back({"edges", Element::Float64, {2}});
    columns.push_back({"outside", Element::UInt64, {4}});
    columns.push_back({"histogram", Element::UInt32, {bins}});
    if (components == 0) return columns;
    for (const auto& [name, member] : kChoiceFields)
        columns.push_back({name});
    columns.push_back({kBitOpen, Element::UInt32});
    columns.push_back({"histogram_soft", Element::UInt32, {bins}});
    for (const char* name : {"pi", "mu", "sigma"})
        columns.push_back({name, Element::Float64, {mixtures, components}});
    columns.push_back({"count", Element::Int64, {mixtures, components}});
    columns.push_back({"tau", Element::Float64, {mixtures}});
    return columns;
}

SummaryValues packSummary(const report::RunSummary& summary) {
    SummaryValues values;
    values.fill(report::kNoValue);
    auto value = values.begin();
    for (const auto member : kSummaryFigures)
        *value++ = summary.*member;
    for (const auto member : kSummaryCounts)
        *value++ = static_cast<double>(summary.*member);
    for (const auto member : kSummaryMore)
        *value++ = summary.*member;
    for (const auto member : kSummarySteps)
        *value++ = static_cast<double>(summary.*member);
    for (const auto member : kSummaryTables)
        *value++ = summary.*member;
    return values;
}

report::RunSummary unpackSummary(const SummaryValues& values) {
    report::RunSummary summary;
    auto value = values.begin();
    for (const auto member : kSummaryFigures)
        summary.*member = *value++;
    for (const auto member : kSummaryCounts)
        summary.*member = countFrom(*value++);
    for (const auto member : kSummaryMore)
        summary.*member = *value++;
    for (const auto member : kSummarySteps)
        summary.*member = countFrom(*value++);
    for (const auto member : kSummaryTables)
        summary.*member = *value++;
    return summary;
}

std::string networkToJson(const report::NetworkInfo& network) {
    json layers = json::array();
    for (const report::LayerInfo& layer : network.layers)
        layers.push_back(layerToJson(layer));
    const json object = {{"arch", network.arch},
                         {"parameters", network.parameters},
                         {"macs", network.macs},
                         {"layers", std::move(layers)}};
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<report::NetworkInfo> networkFromJson(std::string_view text) {
    try {
        const json object = json::parse(text);
        report::NetworkInfo network;
        network.arch = valueOr(object, "arch", network.arch);
        network.parameters = valueOr(object, "parameters", network.parameters);
        network.macs = valueOr(object, "macs", network.macs);
        for (const json& layer : object.at("layers"))
            network.layers.push_back(layerFromJson(layer));
        return network;
    } catch (const json::exception& exception) {
        return fail("the description of the network is damaged: {}", exception.what());
    }
}

std::string linkName(std::string_view layer) {
    std::string link;
    for (const char character : layer) {
        if (character == '/' || character == '%') {
            link += character == '/' ? "%2F" : "%25";
        } else {
            link += character;
        }
    }
    return link == "." ? "%2E" : link;
}

std::string layerName(std::string_view link) {
    std::string layer;
    for (std::size_t i = 0; i < link.size(); ++i) {
        const std::string_view code = link.substr(i, 3);
        const char decoded = code == "%2F" ? '/' : code == "%25" ? '%' : code == "%2E" ? '.' : '\0';
        layer += decoded ? decoded : link[i];
        if (decoded) i += 2;
    }
    return layer;
}

std::string padText(std::string_view text, std::size_t bytes) {
    constexpr std::string_view kEllipsis = "\u2026";
    std::string field(text);
    if (field.size() > bytes) {
        std::size_t end = bytes - kEllipsis.size();
        const auto insideCodePoint = [&](std::size_t i) {
            return (static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u;
        };
        while (end > 0 && insideCodePoint(end))
            --end;
        field.resize(end);
        field += kEllipsis;
    }
    field.resize(bytes);
    return field;
}

std::string unpadText(std::string_view field) {
    return std::string(field.substr(0, field.find_last_not_of('\0') + 1));
}

}  // namespace bitloom::record
