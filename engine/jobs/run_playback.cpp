#include "engine/jobs/run_playback.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/record/run_reader.h"

namespace bitloom::jobs {
namespace {

class FilePlayback final : public RunPlayback {
  public:
    explicit FilePlayback(std::unique_ptr<record::RunReader> reader) : m_reader(std::move(reader)) {}

    [[nodiscard]] Status refresh() override { return m_reader->refresh(); }
    [[nodiscard]] const report::RunInfo& info() const override { return m_reader->info(); }
    [[nodiscard]] Result<report::RunSummary> summary() override { return m_reader->summary(); }
    [[nodiscard]] Result<std::vector<report::MetricSample>> metrics() override { return m_reader->metrics(); }
    [[nodiscard]] Result<std::vector<report::RunEvent>> events() override { return m_reader->events(); }

    [[nodiscard]] Result<std::vector<std::int64_t>> steps() override {
        std::set<std::int64_t> all;
        for (const std::string& name : m_reader->layers()) {
            BITLOOM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> steps, m_reader->steps(name));
            all.insert(steps.begin(), steps.end());
        }
        return std::vector<std::int64_t>(all.begin(), all.end());
    }

    [[nodiscard]] Result<report::LayerSnapshotPtr> layer(const std::string& layer,
                                                         std::int64_t step) override {
        return m_reader->layer(layer, step);
    }

    [[nodiscard]] Result<std::vector<report::BitwidthTrack>> bitwidths() override {
        return m_reader->bitwidths();
    }

    [[nodiscard]] Result<std::vector<report::LayerSnapshotPtr>> layers(std::int64_t step) override {
        std::vector<report::LayerSnapshotPtr> snapshots;
        for (const std::string& name : m_reader->layers()) {
            BITLOOM_ASSIGN_OR_RETURN(report::LayerSnapshotPtr snapshot, m_reader->layer(name, step));
            snapshots.push_back(std::move(snapshot));
        }
        return snapshots;
    }

  private:
    std::unique_ptr<record::RunReader> m_reader;
};

}  // namespace

Result<std::unique_ptr<RunPlayback>> RunPlayback::open(const std::filesystem::path& path) {
    BITLOOM_ASSIGN_OR_RETURN(auto reader, record::RunReader::open(path));
    return std::unique_ptr<RunPlayback>(std::make_unique<FilePlayback>(std::move(reader)));
}

}  // namespace bitloom::jobs
