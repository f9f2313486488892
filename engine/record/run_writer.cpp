#include "engine/record/run_writer.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>

#include "engine/base/atomic_file.h"
#include "engine/record/h5.h"
#include "engine/record/run_contents.h"
#include "engine/record/schema.h"
#include "engine/record/table_writer.h"
#include "engine/record/writer_lock.h"

namespace bitloom::record {
namespace {

namespace fs = std::filesystem;
using h5::Failure;
using h5::Handle;

std::vector<Column> columnsOf(const LayerLayout& layout) {
    return layerColumns(static_cast<std::uint64_t>(layout.mixtures),
                        static_cast<std::uint64_t>(layout.components),
                        static_cast<std::uint64_t>(layout.bins));
}

Status checkLayout(const LayerLayout& layout) {
    if (layout.name.empty()) return fail("a layer has no name; every recorded layer needs one");
    if (layout.mixtures < 1 || layout.components < 0 || layout.bins < 1) {
        return fail("layer {}: {} mixtures of {} components and {} bins cannot be recorded", layout.name,
                    layout.mixtures, layout.components, layout.bins);
    }
    return {};
}

/// The counts of `histogram` or, where it is empty, as many zeros: a reader takes all zeros for empty.
Result<std::vector<std::uint32_t>> countsOf(const report::Histogram& histogram, const LayerLayout& layout) {
    const auto bins = static_cast<std::size_t>(layout.bins);
    if (histogram.counts.empty()) return std::vector<std::uint32_t>(bins);
    if (histogram.counts.size() == bins) return histogram.counts;
    return fail("layer {}: a histogram of {} bins in a run made for {}", layout.name, histogram.counts.size(),
                bins);
}

/// A snapshot's mixtures as columns [mixtures x components]; fewer are filled up.
struct MixtureColumns {
    std::vector<double> pi, mu, sigma, tau;
    std::vector<std::int64_t> count;
};

Result<MixtureColumns> flatten(const report::LayerSnapshot& snapshot, const LayerLayout& layout) {
    MixtureColumns columns;
    const auto components = static_cast<std::size_t>(layout.components);
    const std::size_t most = components == 0 ? 0 : static_cast<std::size_t>(layout.mixtures);
    if (snapshot.mixtures.size() > most) {
        return fail("layer {}: {} mixtures in a run made for {}", layout.name, snapshot.mixtures.size(),
                    most);
    }
    for (std::size_t m = 0; m < most; ++m) {
        const report::Mixture mixture =
            m < snapshot.mixtures.size() ? snapshot.mixtures[m] : report::Mixture{};
        if (mixture.components.size() > components) {
            return fail("layer {}: {} components in a run made for {}", layout.name,
                        mixture.components.size(), components);
        }
        columns.tau.push_back(mixture.temperature);
        for (const report::MixtureComponent& component : mixture.components) {
            columns.pi.push_back(component.pi);
            columns.mu.push_back(component.mu);
            columns.sigma.push_back(component.sigma);
            columns.count.push_back(component.count);
        }
        for (std::size_t k = mixture.components.size(); k < components; ++k) {
            columns.pi.push_back(0);
            columns.mu.push_back(0);
            columns.sigma.push_back(0);
            columns.count.push_back(kNoComponent);
        }
    }
    return columns;
}

struct WrittenLayer {
    LayerLayout layout;
    TableWriter rows;
};

class FileRunWriter final : public RunWriter {
  public:
    /// `temporary`: where the file is now; `path`: what it will be called.
    FileRunWriter(fs::path path, const fs::path& temporary, const std::vector<LayerLayout>& layers);
    ~FileRunWriter() override;
    FileRunWriter(const FileRunWriter&) = delete;
    FileRunWriter& operator=(const FileRunWriter&) = delete;

    Status appendMetric(const report::MetricSample& sample) override;
    Status appendLayer(const report::LayerSnapshot& snapshot) override;
    Status appendEvent(const report::RunEvent& event) override;
    Status setFp32Accuracy(double top1) override;
    Status flush() override;
    Status sync() override;
    Status finish(const report::RunSummary& summary) override;

    void setLock(WriterLock lock) { m_lock = std::move(lock); }

  private:
    /// An error once the run is finished, or once something failed: the first error is kept, since what
    /// follows it cannot be whole.
    [[nodiscard]] Status ready() const;
    /// Runs `body` if ready.
    Status guarded(const std::function<void()>& body);
    Status append(TableWriter& table, std::int64_t step, std::span<const Cell> cells);
    void flushFile();
    void commit();
    void syncDisk();
    [[nodiscard]] bool pending() const;
    void writeJob(const Column& column, const void* value);

    fs::path m_path;
    WriterLock m_lock;
    std::optional<Error> m_firstError;
    SummaryValues m_summary{};
    // Closed in reverse order: tables before the file.
    std::unique_ptr<h5::DiskFailure> m_disk = std::make_unique<h5::DiskFailure>();
    Handle m_file;
    std::vector<TableWriter> m_runTables;  // metrics, events
    std::map<std::string, WrittenLayer> m_layers;
};

FileRunWriter::FileRunWriter(fs::path path, const fs::path& temporary, const std::vector<LayerLayout>& layers)
    : m_path(std::move(path)), m_file(h5::openForAppending(temporary, *m_disk)) {
    m_runTables.emplace_back(h5::openGroup(m_file.get(), kMetricsGroup).get(), metricColumns());
    m_runTables.emplace_back(h5::openGroup(m_file.get(), kEventsGroup).get(), eventColumns());
    const Handle all = h5::openGroup(m_file.get(), kLayersGroup);
    for (const LayerLayout& layout : layers) {
        const Handle group = h5::openGroup(all.get(), linkName(layout.name));
        m_layers.emplace(layout.name, WrittenLayer{layout, TableWriter(group.get(), columnsOf(layout))});
    }
    const Handle job = h5::openGroup(m_file.get(), kJobGroup);
    h5::Dataset::open(job.get(), summaryColumn(), true).read(0, 1, m_summary.data());
}

FileRunWriter::~FileRunWriter() {
    if (m_file.valid() && !m_firstError) static_cast<void>(flush());
}

Status FileRunWriter::ready() const {
    if (m_firstError) return *m_firstError;
    if (!m_file.valid()) return fail("{}: the run is finished; nothing can be added to it", m_path.string());
    return {};
}

Status FileRunWriter::guarded(const std::function<void()>& body) {
    BITLOOM_RETURN_IF_ERROR(ready());
    Status status = h5::guarded(m_path, [&] {
        body();
        if (m_disk->error != 0) h5::raiseSystemError("write it", m_disk->error);
    });
    if (!status) m_firstError = status.error();
    return status;
}

Status FileRunWriter::append(TableWriter& table, std::int64_t step, std::span<const Cell> cells) {
    if (step < table.lastStep()) {
        return fail("{}: step {} cannot follow step {}: rows are written in their order", m_path.string(),
                    step, table.lastStep());
    }
    return guarded([&] { table.append(step, cells); });
}

Status FileRunWriter::appendMetric(const report::MetricSample& sample) {
    BITLOOM_RETURN_IF_ERROR(ready());
    std::vector<Cell> cells;
    cells.reserve(std::size(kMetricFields));
    for (const auto& [name, member] : kMetricFields)
        cells.emplace_back(name, sample.*member);
    return append(m_runTables[0], sample.step, cells);
}

Status FileRunWriter::appendEvent(const report::RunEvent& event) {
    BITLOOM_RETURN_IF_ERROR(ready());
    const std::string kind = padText(toText(event.kind), kEventKindBytes);
    const std::string text = padText(event.text, kEventTextBytes);
    return append(m_runTables[1], event.step, std::array{Cell("kind", kind), Cell("text", text)});
}

Status FileRunWriter::appendLayer(const report::LayerSnapshot& snapshot) {
    BITLOOM_RETURN_IF_ERROR(ready());
    const auto found = m_layers.find(snapshot.layer);
    if (found == m_layers.end()) {
        return fail("{}: layer {} is not among those the run was made for", m_path.string(), snapshot.layer);
    }
    WrittenLayer& layer = found->second;
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::uint32_t> weights,
                             countsOf(snapshot.weights, layer.layout));
    BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::uint32_t> soft,
                             countsOf(snapshot.softWeights, layer.layout));
    BITLOOM_ASSIGN_OR_RETURN(const MixtureColumns mixtures, flatten(snapshot, layer.layout));
    const std::array<double, 2> edges = {snapshot.weights.low, snapshot.weights.high};
    const std::array<std::uint64_t, 4> outside = {snapshot.weights.below, snapshot.weights.above,
                                                  snapshot.softWeights.below, snapshot.softWeights.above};
    std::vector<Cell> cells;
    cells.reserve(std::size(kLayerFields) + std::size(kGradientFields) + 8);
    for (const auto& [name, member] : kLayerFields)
        cells.emplace_back(name, snapshot.*member);
    for (const auto& [name, member] : kGradientFields)
        cells.emplace_back(name, snapshot.gradients.*member);
    cells.emplace_back("edges", edges);
    cells.emplace_back("outside", outside);
    cells.emplace_back("histogram", weights);
    if (layer.layout.components > 0) {
        cells.emplace_back("histogram_soft", soft);
        cells.emplace_back("pi", mixtures.pi);
        cells.emplace_back("mu", mixtures.mu);
        cells.emplace_back("sigma", mixtures.sigma);
        cells.emplace_back("count", mixtures.count);
        cells.emplace_back("tau", mixtures.tau);
    }
    return append(layer.rows, snapshot.step, cells);
}

Status FileRunWriter::setFp32Accuracy(double top1) {
    return guarded([&] {
        m_summary[kSummaryTop1Fp32] = top1;
        writeJob(summaryColumn(), m_summary.data());
        flushFile();
    });
}

Status FileRunWriter::flush() {
    return guarded([&] { commit(); });
}

Status FileRunWriter::sync() {
    return guarded([&] {
        commit();
        syncDisk();
    });
}

Status FileRunWriter::finish(const report::RunSummary& summary) {
    return guarded([&] {
        commit();
        m_summary = packSummary(summary);
        writeJob(summaryColumn(), m_summary.data());
        writeJob(hashColumn(), padText(summary.hash, kHashBytes).data());
        flushFile();
        writeJob(statusColumn(), padText(toText(summary.status), kStatusBytes).data());
        flushFile();
        m_layers.clear();
        m_runTables.clear();
        if (!m_file.reset()) h5::raise("close it");
        syncDisk();
    });
}

void FileRunWriter::syncDisk() {
    if (!m_lock.sync()) h5::raiseSystemError("flush it to disk", errno);
}

void FileRunWriter::flushFile() {
    h5::check(H5Fflush(m_file.get(), H5F_SCOPE_LOCAL), "flush it");
}

bool FileRunWriter::pending() const {
    return std::ranges::any_of(m_runTables, &TableWriter::pending) ||
           std::ranges::any_of(m_layers, [](const auto& layer) { return layer.second.rows.pending(); });
}

void FileRunWriter::commit() {
    if (!pending()) return;
    flushFile();  // the rows, then their steps: see schema.h
    for (TableWriter& table : m_runTables)
        table.commit();
    for (auto& [name, layer] : m_layers)
        layer.rows.commit();
    flushFile();
}

void FileRunWriter::writeJob(const Column& column, const void* value) {
    const Handle job = h5::openGroup(m_file.get(), kJobGroup);
    h5::Dataset::open(job.get(), column, true).write(0, 1, value);
}

/// Makes the file under a temporary name, opens it for appending, and only then lets it take the place of
/// `path`.
Result<std::unique_ptr<RunWriter>> makeWriter(const fs::path& path, const std::vector<LayerLayout>& layers,
                                              const std::function<void(hid_t)>& fill) {
    for (const LayerLayout& layout : layers)
        BITLOOM_RETURN_IF_ERROR(checkLayout(layout));
    const WriterLock choosing = WriterLock::enterFolderOf(path);
    BITLOOM_RETURN_IF_ERROR(WriterLock::ensureFree(path));
    removeAbandonedTemporaries(path);
    std::unique_ptr<FileRunWriter> writer;
    const auto make = [&](const fs::path& temporary) -> Status {
        BITLOOM_RETURN_IF_ERROR(h5::guarded(path, [&] {
            h5::DiskFailure disk;
            Handle file = h5::createFile(temporary, disk);
            fill(file.get());
            if (!file.reset()) h5::raise("write it");
            if (disk.error != 0) h5::raiseSystemError("write it", disk.error);
            writer = std::make_unique<FileRunWriter>(path, temporary, layers);
        }));
        BITLOOM_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(temporary));
        writer->setLock(std::move(lock));
        return {};
    };
    BITLOOM_RETURN_IF_ERROR(replaceFileAtomically(path, make));
    return std::unique_ptr<RunWriter>(std::move(writer));
}

/// Rows with step <= `last` of every table.
void copyRows(hid_t source, hid_t target, const std::vector<Column>& columns, std::int64_t last) {
    std::vector<std::int64_t> steps;
    readSteps(h5::Dataset::open(source, stepColumn(), false), steps);
    const auto rows = static_cast<std::uint64_t>(std::ranges::upper_bound(steps, last) - steps.begin());
    copyTable(source, target, columns, rows);
    copyTable(source, target, {stepColumn()}, rows);
}

}  // namespace

Result<std::unique_ptr<RunWriter>> RunWriter::create(const fs::path& path, const report::RunInfo& info,
                                                     const std::vector<LayerLayout>& layers) {
    return makeWriter(path, layers, [&](hid_t file) { createContents(file, info, layers); });
}

Result<std::unique_ptr<RunWriter>> RunWriter::resume(const fs::path& path, std::int64_t step) {
    Handle source;
    report::RunInfo info;
    std::vector<LayerLayout> layers;
    BITLOOM_RETURN_IF_ERROR(h5::guarded(path, [&] {
        bool live = false;
        source = openRun(path, live);
        info = readInfo(source.get(), path);
        const Handle all = h5::openGroup(source.get(), kLayersGroup);
        for (const std::string& link : h5::linkNames(all.get())) {
            layers.push_back(readLayout(h5::openGroup(all.get(), link).get(), layerName(link)));
        }
    }));
    return makeWriter(path, layers, [&](hid_t target) {
        createContents(target, info, layers);
        const auto copyGroup = [&](const std::string& name, const std::vector<Column>& columns) {
            copyRows(h5::openGroup(source.get(), name).get(), h5::openGroup(target, name).get(), columns,
                     step);
        };
        copyGroup(kMetricsGroup, metricColumns());
        copyGroup(kEventsGroup, eventColumns());
        for (const LayerLayout& layout : layers) {
            copyGroup(fmt::format("{}/{}", kLayersGroup, linkName(layout.name)), columnsOf(layout));
        }
    });
}

}  // namespace bitloom::record
