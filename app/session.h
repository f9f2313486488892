// What the window has open: nothing, a weight file, or a run. A run that trains in this window, one that
// another process writes and a finished one are the same thing seen from outside: a network, rows of metrics,
// recorded steps, and the layers at the step that is shown. GUI thread only; files are read on threads of the
// session.
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/engine_host.h"
#include "app/latest_worker.h"
#include "app/run_source.h"
#include "engine/jobs/inspect_job.h"
#include "engine/report/run.h"

namespace bitloom::app {

class Session : public QObject {
    Q_OBJECT

  public:
    enum class Kind { Nothing, Weights, Run };

    /// How often a run that someone else writes is read again.
    static constexpr int kFollowMs = 1000;
    /// A run marked as running whose file has not changed for so long has lost its writer.
    static constexpr int kAbandonedSeconds = 120;

    explicit Session(QObject* parent = nullptr);
    ~Session() override;

    /// Opens a weight file or a run, told apart by content; opened() or failed() follows. A newer call
    /// outdates an older one; what was open stays until then.
    void open(const std::filesystem::path& path);

    /// What a job of this window reports. The first delivery with RunInfo replaces what was open.
    void take(const Delivery& delivery);
    /// The job of this window has ended.
    void endLive();

    /// Selects a layer of the network; unknown names are ignored.
    void selectLayer(const QString& name);
    /// Shows the newest recorded step <= `step` and stops following.
    void showStep(std::int64_t step);
    /// Whether the newest step is shown as it comes. A run that has ended shows its last step and is not
    /// followed.
    void setFollowing(bool following);

    [[nodiscard]] Kind kind() const { return m_kind; }
    [[nodiscard]] bool live() const { return m_live; }
    [[nodiscard]] bool opening() const { return m_opening; }
    /// Whether more steps may come: live, or someone else's run that is not marked as ended.
    [[nodiscard]] bool growing() const;
    /// Whether the run can be continued: ended early, or its writer seems dead.
    [[nodiscard]] bool resumable() const;
    /// The open file; empty for a run that is not recorded.
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    [[nodiscard]] const report::RunInfo& info() const { return m_info; }
    [[nodiscard]] const report::NetworkInfo& network() const { return m_info.network; }
    /// Final figures, or those known so far.
    [[nodiscard]] const report::RunSummary& summary() const { return m_summary; }
    /// Of the weight file; empty for a run.
    [[nodiscard]] const jobs::InspectResult& weights() const { return m_weights; }
    [[nodiscard]] const std::vector<report::MetricSample>& metrics() const { return m_metrics; }
    [[nodiscard]] const std::vector<report::RunEvent>& events() const { return m_events; }
    [[nodiscard]] const std::vector<std::int64_t>& steps() const { return m_steps; }
    /// -1 when there are no steps.
    [[nodiscard]] std::int64_t step() const { return m_step; }
    [[nodiscard]] bool following() const { return m_following; }
    [[nodiscard]] const QString& layer() const { return m_layer; }
    /// Null when nothing is known of the layer.
    [[nodiscard]] const report::LayerInfo* layerInfo(const QString& name) const;
    /// As shown; null when the layer has no data at the step.
    [[nodiscard]] report::LayerSnapshotPtr snapshot(const QString& name) const;

  Q_SIGNALS:
    void openingStarted(const QString& path);
    /// Everything is new.
    void opened();
    void failed(const QString& message);
    void layerChanged(const QString& name);
    /// These layers look different now.
    void layersShown(const std::vector<bitloom::report::LayerSnapshotPtr>& layers);
    void stepChanged(qint64 step);
    void followingChanged(bool following);
    void metricsReplaced();
    void metricsAppended(const std::vector<bitloom::report::MetricSample>& rows);
    void stepsChanged();
    void eventsChanged();
    /// Summary, status or the run's information.
    void summaryChanged();

  private:
    struct Opened;

    void reset(Kind kind, const std::filesystem::path& path);
    void showOpened(Opened& file);
    void showWeights(jobs::InspectResult& weights);
    void openSource(std::unique_ptr<jobs::RunPlayback> playback);
    void takeContents(const RunContents& contents);
    void beginLive(const report::RunInfo& info);
    void takeMetrics(const std::vector<report::MetricSample>& rows);
    void takeLayers(const Delivery& delivery);
    void addSteps(const std::vector<std::int64_t>& steps);
    void showLayers(const std::vector<report::LayerSnapshotPtr>& layers);
    void moveTo(std::int64_t step);
    void showNewest();
    void selectFirstLayer();

    using Layers = std::map<std::string, report::LayerSnapshotPtr, std::less<>>;

    Kind m_kind = Kind::Nothing;
    bool m_live = false;
    bool m_opening = false;
    bool m_following = false;
    std::filesystem::path m_path;
    report::RunInfo m_info;
    report::RunSummary m_summary;
    jobs::InspectResult m_weights;
    std::vector<report::MetricSample> m_metrics;
    std::vector<report::RunEvent> m_events;
    std::vector<std::int64_t> m_steps;
    std::int64_t m_step = -1;
    QString m_layer;
    Layers m_shown;
    Layers m_newest;  ///< of a live run, also while an older step is shown
    std::uint64_t m_openId = 0;
    QTimer m_followTimer;
    std::unique_ptr<RunSource> m_source;
    LatestWorker m_opener;
};

}  // namespace bitloom::app
