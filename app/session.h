// What the window has open: nothing, a weight file, or a run. A run that trains in this window, one that
// another process writes and a finished one are the same thing seen from outside: a network, rows of metrics,
// recorded steps, and the layers at the step that is shown. A run that trains here goes on in the background
// while something else is shown. GUI thread only; files are read on threads of the session.
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
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

    using Layers = std::map<std::string, report::LayerSnapshotPtr, std::less<>>;

    /// How often a run that someone else writes is read again, and a step that is not in the file yet.
    static constexpr int kFollowMs = 1000;
    /// So many failures in a row to read it are news; fewer are a disk that hesitates.
    static constexpr int kFailuresReported = 3;
    /// A run marked as running whose file has not changed for so long has lost its writer.
    static constexpr int kAbandonedSeconds = 120;

    explicit Session(QObject* parent = nullptr);
    ~Session() override;

    /// Opens a weight file or a run, told apart by content; opened() or failed() follows. A newer call
    /// outdates an older one; what was open stays until then. The file of a run that trains here shows that
    /// run.
    void open(const std::filesystem::path& path);

    /// What a job of this window reports. The delivery with RunInfo, one a run, replaces what was open.
    void take(const Delivery& delivery);
    /// The job of this window has ended.
    void endLive();

    /// Selects a layer of the network; unknown names are ignored.
    void selectLayer(const QString& name);
    /// Shows the newest recorded step <= `step` and stops following, unless that is the newest step, which is
    /// followed already.
    void showStep(std::int64_t step);
    /// Whether the newest step is shown as it comes. A run that has ended shows its last step and is not
    /// followed.
    void setFollowing(bool following);

    [[nodiscard]] Kind kind() const { return m_state.kind; }
    /// Whether the run that is shown trains here.
    [[nodiscard]] bool live() const { return m_state.live; }
    /// Whether a run trains here while something else is shown.
    [[nodiscard]] bool liveInBackground() const { return m_background.has_value(); }
    [[nodiscard]] bool opening() const { return m_opening; }
    /// Whether more steps may come: live, or someone else's run that is not marked as ended.
    [[nodiscard]] bool growing() const;
    /// Whether the run can be continued: ended early, or its writer seems dead.
    [[nodiscard]] bool resumable() const;
    /// The open file; empty for a run that is not recorded.
    [[nodiscard]] const std::filesystem::path& path() const { return m_state.path; }
    [[nodiscard]] const report::RunInfo& info() const { return m_state.info; }
    [[nodiscard]] const report::NetworkInfo& network() const { return m_state.info.network; }
    /// Final figures, or those known so far.
    [[nodiscard]] const report::RunSummary& summary() const { return m_state.summary; }
    /// Of the weight file; empty for a run.
    [[nodiscard]] const jobs::InspectResult& weights() const { return m_state.weights; }
    [[nodiscard]] const std::vector<report::MetricSample>& metrics() const { return m_state.metrics; }
    [[nodiscard]] const std::vector<report::RunEvent>& events() const { return m_state.events; }
    [[nodiscard]] const std::vector<std::int64_t>& steps() const { return m_state.steps; }
    /// Of each quantized layer, thinned.
    [[nodiscard]] const std::vector<report::BitwidthTrack>& bitwidths() const { return m_state.bitwidths; }
    /// -1 when there are no steps.
    [[nodiscard]] std::int64_t step() const { return m_step; }
    [[nodiscard]] bool following() const { return m_following; }
    [[nodiscard]] const QString& layer() const { return m_layer; }
    /// Null when nothing is known of the layer.
    [[nodiscard]] const report::LayerInfo* layerInfo(const QString& name) const;
    /// As shown; null when the layer has no data at the step.
    [[nodiscard]] report::LayerSnapshotPtr snapshot(const QString& name) const;
    /// The newest of each layer that was seen, also while an older step is shown.
    [[nodiscard]] const Layers& newest() const { return m_state.newest; }

  Q_SIGNALS:
    void openingStarted(const QString& path);
    /// Everything is new.
    void opened();
    void failed(const QString& message);
    void layerChanged(const QString& name);
    /// These layers look different now.
    void layersShown(const std::vector<bitloom::report::LayerSnapshotPtr>& layers);
    void newestChanged();
    void stepChanged(qint64 step);
    void followingChanged(bool following);
    void metricsReplaced();
    void metricsAppended(const std::vector<bitloom::report::MetricSample>& rows);
    void stepsChanged();
    void eventsChanged();
    void bitwidthsChanged();
    /// Summary, status or the run's information.
    void summaryChanged();

  private:
    struct Opened;

    /// What is known of the open file or the run; what is shown of it are members of the session.
    struct State {
        Kind kind = Kind::Nothing;
        bool live = false;
        std::filesystem::path path;
        report::RunInfo info;
        report::RunSummary summary;
        jobs::InspectResult weights;
        std::vector<report::MetricSample> metrics;
        std::vector<report::RunEvent> events;
        std::vector<std::int64_t> steps;
        std::vector<report::BitwidthTrack> bitwidths;
        Layers newest;

        void add(const Delivery& delivery);
        /// Of quantized layers; others have none.
        void addBitwidth(const std::string& layer, const report::BitwidthPoint& point);
        void addSteps(const std::vector<std::int64_t>& more);
        /// What the file of a continued run has from before this window's job.
        void addEarlier(const RunContents& recorded);
    };

    void replace(State next);
    void showOpened(Opened& file);
    void showWeights(jobs::InspectResult& weights);
    void openSource(std::unique_ptr<jobs::RunPlayback> playback);
    void takeContents(const RunContents& contents);
    /// Shows what was read of the step that is looked at; reads again what the file does not have yet.
    void takeStep(std::int64_t step, const std::vector<report::LayerSnapshotPtr>& layers);
    void pollFailed(const QString& message);
    void beginLive(const report::RunInfo& info);
    void showLive(State live);
    [[nodiscard]] bool isLiveRun(const std::filesystem::path& path) const;
    void takeLayers(const Delivery& delivery);
    void showLayers(const std::vector<report::LayerSnapshotPtr>& layers);
    void moveTo(std::int64_t step);
    void selectFirstLayer();

    State m_state;                      ///< shown
    std::optional<State> m_background;  ///< the live run while something else is shown
    bool m_opening = false;
    bool m_following = false;
    std::int64_t m_step = -1;
    bool m_stepFromFile = false;  ///< the step that is shown is read from the file, not known already
    QString m_layer;
    bool m_layerChosen = false;  ///< by the user; otherwise the first quantized layer is shown
    Layers m_shown;
    std::uint64_t m_openId = 0;
    QTimer m_followTimer;
    int m_failedPolls = 0;  ///< in a row
    std::unique_ptr<RunSource> m_source;
    LatestWorker m_opener;
};

}  // namespace bitloom::app
