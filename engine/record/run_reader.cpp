#include "engine/record/run_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <sys/stat.h>

#include "engine/base/text.h"
#include "engine/record/h5.h"
#include "engine/record/run_contents.h"
#include "engine/record/schema.h"

namespace bitloom::record {
namespace {

namespace fs = std::filesystem;
using h5::Dataset;
using h5::Failure;
using h5::Handle;

/// Device and inode: which file a path names at the moment.
using Identity = std::pair<dev_t, ino_t>;

std::optional<Identity> identityOf(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return Identity{status.st_dev, status.st_ino};
}

/// One layer's rows: the steps in memory, the other columns opened when a row is first asked for.
class LayerTable {
  public:
    LayerTable(Handle group, std::string name);

    [[nodiscard]] const std::string& name() const { return m_name; }
    [[nodiscard]] const std::vector<std::int64_t>& steps() const { return m_steps; }
    void refresh();
    [[nodiscard]] report::LayerSnapshotPtr read(std::size_t row);

  private:
    void openColumns();
    /// Sees rows that came after the columns were opened.
    void reachRow(std::size_t row);
    /// Reads a row of a column; false, and `values` as they were, where the file lacks the column.
    bool readColumn(std::string_view column, std::size_t row, void* values) const;
    void readHistograms(std::size_t row, report::LayerSnapshot& snapshot) const;
    void readMixtures(std::size_t row, report::LayerSnapshot& snapshot) const;

    std::string m_name;
    Handle m_group;
    Dataset m_step;
    std::vector<std::int64_t> m_steps;
    LayerLayout m_layout;
    std::vector<Dataset> m_columns;
    std::size_t m_reach = 0;
};

LayerTable::LayerTable(Handle group, std::string name)
    : m_name(std::move(name)),
      m_group(std::move(group)),
      m_step(Dataset::open(m_group.get(), stepColumn(), false)) {
    readSteps(m_step, m_steps);
}

void LayerTable::refresh() {
    m_step.refresh();
    readSteps(m_step, m_steps);
}

void LayerTable::openColumns() {
    m_layout = readLayout(m_group.get(), m_name);
    for (Column& column : layerColumns(static_cast<std::uint64_t>(m_layout.mixtures),
                                       static_cast<std::uint64_t>(m_layout.components),
                                       static_cast<std::uint64_t>(m_layout.bins))) {
        if (!h5::hasLink(m_group.get(), column.name)) continue;
        Dataset dataset = Dataset::open(m_group.get(), std::move(column), false);
        if (dataset.rowShape() != dataset.column().shape) {
            throw Failure(fmt::format("layer {}: dataset {} has another shape; the file is damaged", m_name,
                                      dataset.column().name));
        }
        m_columns.push_back(std::move(dataset));
    }
}

void LayerTable::reachRow(std::size_t row) {
    if (row < m_reach) return;
    if (m_columns.empty()) {
        openColumns();
    } else {
        for (Dataset& column : m_columns)
            column.refresh();
    }
    m_reach = m_steps.size();
}

bool LayerTable::readColumn(std::string_view column, std::size_t row, void* values) const {
    const auto found = std::ranges::find_if(
        m_columns, [&](const Dataset& candidate) { return candidate.column().name == column; });
    if (found == m_columns.end()) return false;
    found->read(row, 1, values);
    return true;
}

void LayerTable::readHistograms(std::size_t row, report::LayerSnapshot& snapshot) const {
    std::array<double, 2> edges{};
    std::array<std::uint64_t, 4> outside{};
    readColumn("edges", row, edges.data());
    readColumn("outside", row, outside.data());
    std::size_t side = 0;
    for (const auto& [column, histogram] :
         {std::pair{"histogram", &snapshot.weights}, std::pair{"histogram_soft", &snapshot.softWeights}}) {
        histogram->counts.resize(static_cast<std::size_t>(m_layout.bins));
        const bool found = readColumn(column, row, histogram->counts.data());
        histogram->below = outside[side++];
        histogram->above = outside[side++];
        const bool empty =
            std::ranges::all_of(histogram->counts, [](std::uint32_t count) { return count == 0; }) &&
            histogram->below == 0 && histogram->above == 0;
        if (!found || empty) {
            *histogram = {};
            continue;
        }
        histogram->low = edges[0];
        histogram->high = edges[1];
    }
}

void LayerTable::readMixtures(std::size_t row, report::LayerSnapshot& snapshot) const {
    const auto mixtures = static_cast<std::size_t>(m_layout.mixtures);
    const auto components = static_cast<std::size_t>(m_layout.components);
    if (components == 0) return;
    std::vector<double> pi(mixtures * components), mu(pi.size()), sigma(pi.size()), tau(mixtures);
    std::vector<std::int64_t> count(pi.size());
    readColumn("pi", row, pi.data());
    readColumn("mu", row, mu.data());
    readColumn("sigma", row, sigma.data());
    readColumn("count", row, count.data());
    readColumn("tau", row, tau.data());
    for (std::size_t m = 0, i = 0; m < mixtures; ++m) {
        report::Mixture mixture;
        mixture.temperature = tau[m];
        for (std::size_t k = 0; k < components; ++k, ++i) {
            if (count[i] == kNoComponent) continue;
            mixture.components.push_back({pi[i], mu[i], sigma[i], count[i]});
        }
        if (!mixture.components.empty()) snapshot.mixtures.push_back(std::move(mixture));
    }
}

report::LayerSnapshotPtr LayerTable::read(std::size_t row) {
    reachRow(row);
    auto snapshot = std::make_shared<report::LayerSnapshot>();
    snapshot->layer = m_name;
    snapshot->step = m_steps[row];
    for (const auto& [name, member] : kLayerFields)
        readColumn(name, row, &(snapshot.get()->*member));
    for (const auto& [name, member] : kGradientFields)
        readColumn(name, row, &(snapshot->gradients.*member));
    readHistograms(row, *snapshot);
    readMixtures(row, *snapshot);
    return snapshot;
}

class FileRunReader final : public RunReader {
  public:
    explicit FileRunReader(fs::path path) : m_path(std::move(path)) { load(); }

    Status refresh() override;
    const report::RunInfo& info() const override { return m_info; }
    Result<report::RunSummary> summary() override;
    Result<std::vector<report::MetricSample>> metrics() override;
    Result<std::vector<report::RunEvent>> events() override;
    std::vector<std::string> layers() const override;
    Result<std::vector<std::int64_t>> steps(const std::string& layer) override;
    Result<report::LayerSnapshotPtr> layer(const std::string& layer, std::int64_t step) override;

  private:
    void load();
    [[nodiscard]] LayerTable& find(const std::string& layer);
    /// A dataset as it is now.
    [[nodiscard]] Dataset openNow(hid_t group, const Column& column) const;

    fs::path m_path;
    std::optional<Identity> m_identity;
    bool m_live = false;
    report::RunInfo m_info;
    Handle m_file;  // closed after the tables
    std::vector<LayerTable> m_layers;
};

void FileRunReader::load() {
    const std::optional<Identity> identity = identityOf(m_path);
    bool live = false;
    Handle file = openRun(m_path, live);
    report::RunInfo info = readInfo(file.get(), m_path);
    std::vector<LayerTable> layers;
    const Handle all = h5::openGroup(file.get(), kLayersGroup);
    for (const std::string& link : h5::linkNames(all.get())) {
        layers.emplace_back(h5::openGroup(all.get(), link), layerName(link));
    }
    m_identity = identity;
    m_live = live;
    m_info = std::move(info);
    m_layers = std::move(layers);
    m_file = std::move(file);
}

Status FileRunReader::refresh() {
    return h5::guarded(m_path, [&] {
        // A resumed run is a new file of the same name.
        const std::optional<Identity> identity = identityOf(m_path);
        if (identity && identity != m_identity) return load();
        if (!m_live) return;
        for (LayerTable& layer : m_layers)
            layer.refresh();
        m_info.top1Fp32 = readSummary(m_file.get()).top1Fp32;
    });
}

Result<report::RunSummary> FileRunReader::summary() {
    return h5::guarded(m_path, [&] { return readSummary(m_file.get()); });
}

Dataset FileRunReader::openNow(hid_t group, const Column& column) const {
    Dataset dataset = Dataset::open(group, column, false);
    if (m_live) dataset.refresh();
    return dataset;
}

Result<std::vector<report::MetricSample>> FileRunReader::metrics() {
    return h5::guarded(m_path, [&] {
        const Handle group = h5::openGroup(m_file.get(), kMetricsGroup);
        std::vector<std::int64_t> steps;
        readSteps(openNow(group.get(), stepColumn()), steps);
        std::vector<report::MetricSample> samples(steps.size());
        for (std::size_t row = 0; row < steps.size(); ++row)
            samples[row].step = steps[row];
        std::vector<double> values(steps.size());
        for (const auto& [name, member] : kMetricFields) {
            if (steps.empty() || !h5::hasLink(group.get(), name)) continue;
            openNow(group.get(), {name}).read(0, values.size(), values.data());
            for (std::size_t row = 0; row < steps.size(); ++row)
                samples[row].*member = values[row];
        }
        return samples;
    });
}

Result<std::vector<report::RunEvent>> FileRunReader::events() {
    return h5::guarded(m_path, [&] {
        const Handle group = h5::openGroup(m_file.get(), kEventsGroup);
        std::vector<std::int64_t> steps;
        readSteps(openNow(group.get(), stepColumn()), steps);
        std::vector<char> kinds(steps.size() * kEventKindBytes);
        std::vector<char> texts(steps.size() * kEventTextBytes);
        std::vector<report::RunEvent> events;
        if (steps.empty()) return events;
        const std::vector<Column> columns = eventColumns();
        openNow(group.get(), columns[0]).read(0, steps.size(), kinds.data());
        openNow(group.get(), columns[1]).read(0, steps.size(), texts.data());
        for (std::size_t row = 0; row < steps.size(); ++row) {
            events.push_back(
                {steps[row],
                 report::eventKindFromText(unpadText({&kinds[row * kEventKindBytes], kEventKindBytes})),
                 unpadText({&texts[row * kEventTextBytes], kEventTextBytes})});
        }
        return events;
    });
}

std::vector<std::string> FileRunReader::layers() const {
    std::vector<std::string> names;
    for (const LayerTable& layer : m_layers) {
        if (!layer.steps().empty()) names.push_back(layer.name());
    }
    return names;
}

LayerTable& FileRunReader::find(const std::string& layer) {
    const auto found = std::ranges::find(m_layers, layer, &LayerTable::name);
    if (found != m_layers.end()) return *found;
    std::vector<std::string> names;
    for (const LayerTable& candidate : m_layers)
        names.push_back(candidate.name());
    if (names.empty()) throw Failure(fmt::format("the run has no layer {}; it recorded none", layer));
    throw Failure(fmt::format("the run has no layer {}; did you mean {}?", layer, nearestName(layer, names)));
}

Result<std::vector<std::int64_t>> FileRunReader::steps(const std::string& layer) {
    return h5::guarded(m_path, [&] { return find(layer).steps(); });
}

Result<report::LayerSnapshotPtr> FileRunReader::layer(const std::string& layer, std::int64_t step) {
    return h5::guarded(m_path, [&] {
        LayerTable& table = find(layer);
        const std::vector<std::int64_t>& steps = table.steps();
        if (steps.empty()) throw Failure(fmt::format("layer {} has no recorded step yet", layer));
        const auto after = std::ranges::upper_bound(steps, step);
        return table.read(after == steps.begin() ? 0 : static_cast<std::size_t>(after - steps.begin()) - 1);
    });
}

}  // namespace

Result<std::unique_ptr<RunReader>> RunReader::open(const fs::path& path) {
    return h5::guarded(path,
                       [&]() -> std::unique_ptr<RunReader> { return std::make_unique<FileRunReader>(path); });
}

}  // namespace bitloom::record
