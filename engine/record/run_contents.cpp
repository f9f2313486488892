#include "engine/record/run_contents.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

namespace bitloom::record {
namespace {

namespace fs = std::filesystem;
using h5::Dataset;
using h5::Failure;
using h5::Handle;

constexpr std::uint64_t kLongestRowBytes = 64u
                                           << 20;  // 4,096 filter-wise mixtures of 256 components need 8 MiB
constexpr std::uint64_t kStepBlock = 4096;
constexpr std::uint64_t kCopyBytes = 1u << 20;
constexpr const char* kSchemaVersionAttribute = "schema_version";

struct TextAttribute {
    const char* name;
    std::string report::RunInfo::*member;
};
constexpr std::array kJobTexts = {
    TextAttribute{"toml", &report::RunInfo::jobToml}, TextAttribute{"command", &report::RunInfo::command},
    TextAttribute{"version", &report::RunInfo::version}, TextAttribute{"host", &report::RunInfo::host},
    TextAttribute{"started", &report::RunInfo::started}};

struct IntegerAttribute {
    const char* name;
    std::int64_t report::RunInfo::*member;
};
constexpr std::array kJobIntegers = {IntegerAttribute{"seed", &report::RunInfo::seed},
                                     IntegerAttribute{"total_steps", &report::RunInfo::totalSteps},
                                     IntegerAttribute{"steps_per_epoch", &report::RunInfo::stepsPerEpoch}};

void createTable(hid_t group, const std::vector<Column>& columns) {
    Dataset::create(group, stepColumn());
    for (const Column& column : columns)
        Dataset::create(group, column);
}

void createJob(hid_t file, const report::RunInfo& info) {
    const Handle job = h5::createGroup(file, kJobGroup);
    for (const auto& [name, member] : kJobTexts)
        h5::writeText(job.get(), name, info.*member);
    for (const auto& [name, member] : kJobIntegers)
        h5::writeInteger(job.get(), name, info.*member);
    for (const Column& column : {statusColumn(), hashColumn(), summaryColumn()}) {
        Dataset::createFixed(job.get(), column, 1);
    }
    report::RunSummary summary;
    summary.top1Fp32 = info.top1Fp32;
    const SummaryValues values = packSummary(summary);
    Dataset::open(job.get(), summaryColumn(), true).write(0, 1, values.data());
    const std::string status = padText(toText(report::RunStatus::Running), kStatusBytes);
    Dataset::open(job.get(), statusColumn(), true).write(0, 1, status.data());
}

/// What the first bytes say, without asking HDF5 (format: HDF5 File Format Specification 3.0, section II.A,
/// superblock versions 2 and 3; the writer makes version 3). Bit 0 of the consistency flags: a writer has the
/// file, or died with it.
bool writerMarkSet(const fs::path& path) {
    constexpr std::array<char, 8> kSignature = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    constexpr std::size_t kFlags = 11;
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (!fs::exists(status)) throw Failure("there is no such file; check the path");
    if (!fs::is_regular_file(status)) throw Failure("this is not a file; name the run file itself");
    std::array<char, kFlags + 1> head{};
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw Failure("cannot open it; check its permissions");
    stream.read(head.data(), static_cast<std::streamsize>(head.size()));
    if (stream.gcount() == 0)
        throw Failure("the file is empty: the run was never written, or its copy failed; copy it again");
    if (!std::equal(kSignature.begin(), kSignature.end(), head.begin())) {
        throw Failure("not an HDF5 file, so not a Bitloom run; runs are what `bitloom train --out` writes");
    }
    return (head[kFlags] & 1) != 0;
}

std::uint64_t soleDimension(const std::vector<std::uint64_t>& shape, const char* dataset) {
    if (shape.size() != 1)
        throw Failure(fmt::format("dataset {} has another shape; the file is damaged", dataset));
    return shape[0];
}

int boundedCount(std::uint64_t count, const std::string& layer) {
    if (count > kLongestRowBytes)
        throw Failure(fmt::format("layer {} has impossible sizes; the file is damaged", layer));
    return static_cast<int>(count);
}

}  // namespace

Column stepColumn() {
    return {kStep, Element::Int64};
}
Column statusColumn() {
    return {"status", Element::Text, {}, kStatusBytes};
}
Column hashColumn() {
    return {"hash", Element::Text, {}, kHashBytes};
}
Column summaryColumn() {
    return {"summary", Element::Float64, {kSummaryValues}};
}

void createContents(hid_t file, const report::RunInfo& info, const std::vector<LayerLayout>& layers) {
    h5::writeInteger(file, kSchemaVersionAttribute, kSchemaVersion);
    createJob(file, info);
    const Handle graph = h5::createGroup(file, "graph");
    h5::writeText(graph.get(), "json", info.graphJson);
    h5::writeText(graph.get(), "network", networkToJson(info.network));
    createTable(h5::createGroup(file, kMetricsGroup).get(), metricColumns());
    createTable(h5::createGroup(file, kEventsGroup).get(), eventColumns());
    const Handle all = h5::createGroup(file, kLayersGroup);
    for (const LayerLayout& layer : layers) {
        if (h5::hasLink(all.get(), linkName(layer.name))) {
            throw Failure(
                fmt::format("layer {} is listed twice; every layer needs a name of its own", layer.name));
        }
        const Handle group = h5::createGroup(all.get(), linkName(layer.name));
        createTable(group.get(), layerColumns(static_cast<std::uint64_t>(layer.mixtures),
                                              static_cast<std::uint64_t>(layer.components),
                                              static_cast<std::uint64_t>(layer.bins)));
    }
}

h5::Handle openRun(const fs::path& path, bool& live) {
    live = writerMarkSet(path);
    Handle file = h5::openForReading(path, live);
    if (!h5::hasAttribute(file.get(), kSchemaVersionAttribute)) {
        throw Failure("an HDF5 file, but not a Bitloom run; runs are what `bitloom train --out` writes");
    }
    const Status known = checkSchemaVersion(h5::readInteger(file.get(), kSchemaVersionAttribute));
    if (!known) throw Failure(known.error().message);
    return file;
}

report::RunInfo readInfo(hid_t file, const fs::path& path) {
    report::RunInfo info;
    info.path = path.string();
    const Handle job = h5::openGroup(file, kJobGroup);
    for (const auto& [name, member] : kJobTexts)
        info.*member = h5::readText(job.get(), name);
    for (const auto& [name, member] : kJobIntegers)
        info.*member = h5::readInteger(job.get(), name);
    const Handle graph = h5::openGroup(file, "graph");
    info.graphJson = h5::readText(graph.get(), "json");
    Result<report::NetworkInfo> network = networkFromJson(h5::readText(graph.get(), "network"));
    if (!network) throw Failure(network.error().message);
    info.network = *std::move(network);
    info.top1Fp32 = readSummary(file).top1Fp32;
    return info;
}

namespace {

/// An older file has fewer; the rest is unknown.
SummaryValues readSummaryValues(hid_t job) {
    Column column = summaryColumn();
    column.shape = Dataset::open(job, column, false).rowShape();
    if (soleDimension(column.shape, "summary") > kSummaryValues)
        throw Failure("dataset summary has another shape; the file is damaged");
    SummaryValues values;
    values.fill(report::kNoValue);
    Dataset::open(job, column, false).read(0, 1, values.data());
    return values;
}

}  // namespace

report::RunSummary readSummary(hid_t file) {
    const Handle job = h5::openGroup(file, kJobGroup);
    const auto readFixedText = [&](const Column& column) {
        std::string text(column.textBytes, '\0');
        Dataset::open(job.get(), column, false).read(0, 1, text.data());
        return unpadText(text);
    };
    // Status first: the writer sets it last, so a finished status means finished figures.
    const std::string status = readFixedText(statusColumn());
    report::RunSummary summary = unpackSummary(readSummaryValues(job.get()));
    summary.status = report::runStatusFromText(status);
    summary.hash = readFixedText(hashColumn());
    return summary;
}

LayerLayout readLayout(hid_t layerGroup, const std::string& name) {
    const auto shapeOf = [&](const char* column) {
        return Dataset::open(layerGroup, {column}, false).rowShape();
    };
    LayerLayout layout;
    layout.name = name;
    layout.bins = boundedCount(soleDimension(shapeOf("histogram"), "histogram"), name);
    if (!h5::hasLink(layerGroup, "pi")) return layout;
    const std::vector<std::uint64_t> shape = shapeOf("pi");
    if (shape.size() != 2)
        throw Failure(fmt::format("layer {}: pi has another shape; the file is damaged", name));
    layout.mixtures = boundedCount(shape[0], name);
    layout.components = boundedCount(shape[1], name);
    if (shape[0] > kLongestRowBytes / 8 / std::max<std::uint64_t>(shape[1], 1)) {
        throw Failure(fmt::format("layer {} has impossible sizes; the file is damaged", name));
    }
    return layout;
}

void readSteps(const h5::Dataset& dataset, std::vector<std::int64_t>& steps) {
    // A damaged file may claim any number of rows, all of them fill values. Ours are never compressed.
    const std::uint64_t rows = std::min(dataset.rows(), h5::fileBytes(dataset.get()) / sizeof(std::int64_t));
    std::vector<std::int64_t> block;
    while (steps.size() < rows) {
        block.resize(std::min(kStepBlock, rows - steps.size()));
        dataset.read(steps.size(), block.size(), block.data());
        for (const std::int64_t step : block) {
            if (step < 0) return;
            if (!steps.empty() && step < steps.back()) {
                throw Failure(
                    fmt::format("step {} follows step {}; the file is damaged", step, steps.back()));
            }
            steps.push_back(step);
        }
    }
}

void copyTable(hid_t source, hid_t target, const std::vector<Column>& columns, std::uint64_t rows) {
    for (const Column& column : columns) {
        Dataset to = Dataset::open(target, column, true);
        to.extend(rows);
        if (!h5::hasLink(source, column.name)) continue;
        const Dataset from = Dataset::open(source, column, false);
        const std::uint64_t block = std::max<std::uint64_t>(1, kCopyBytes / column.rowBytes());
        std::vector<char> values(std::min(block, rows) * column.rowBytes());
        for (std::uint64_t first = 0; first < rows; first += block) {
            const std::uint64_t count = std::min(block, rows - first);
            from.read(first, count, values.data());
            to.write(first, count, values.data());
        }
    }
}

}  // namespace bitloom::record
