#include "app/session.h"

#include <QDateTime>
#include <QFileInfo>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <utility>

namespace bitloom::app {
namespace {

bool isHdf5(const std::filesystem::path& path) {
    constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
    std::string head(kSignature.size(), '\0');
    return std::ifstream(path, std::ios::binary).read(head.data(), std::ssize(head)) && head == kSignature;
}

/// A file that fits no known network still has tensors to look at.
report::NetworkInfo networkOfTensors(const jobs::InspectResult& weights) {
    constexpr std::string_view kSuffix = ".weight";
    report::NetworkInfo network;
    for (const jobs::TensorInfo& tensor : weights.tensors) {
        if (tensor.shape.size() < 2) continue;
        report::LayerInfo layer;
        layer.name = tensor.key.ends_with(kSuffix) ? tensor.key.substr(0, tensor.key.size() - kSuffix.size())
                                                   : tensor.key;
        layer.op = "tensor";
        layer.weightShape = tensor.shape;
        layer.weights = 1;
        for (const std::int64_t size : tensor.shape)
            layer.weights *= size;
        network.parameters += layer.weights;
        network.layers.push_back(std::move(layer));
    }
    return network;
}

/// The first quantized layer. Where none is, as in a weight file, the first that a job would quantize: a
/// convolution, but not the first one.
QString firstLayer(const report::NetworkInfo& network) {
    const auto& layers = network.layers;
    if (layers.empty()) return {};
    auto chosen = std::ranges::find_if(layers, &report::LayerInfo::quantized);
    if (chosen == layers.end()) {
        const auto isConvolution = [](const report::LayerInfo& layer) {
            return layer.op.starts_with("conv");
        };
        chosen = std::ranges::find_if(layers, isConvolution);
        if (chosen != layers.end()) chosen = std::find_if(chosen + 1, layers.end(), isConvolution);
    }
    return QString::fromStdString((chosen == layers.end() ? layers.front() : *chosen).name);
}

struct Accuracy {
    double report::RunSummary::*figure;
    double report::MetricSample::*measured;
};
constexpr Accuracy kAccuracies[] = {{&report::RunSummary::top1Soft, &report::MetricSample::top1Soft},
                                    {&report::RunSummary::top1Hard, &report::MetricSample::top1Hard},
                                    {&report::RunSummary::top5Soft, &report::MetricSample::top5Soft},
                                    {&report::RunSummary::top5Hard, &report::MetricSample::top5Hard}};

/// The newest of each.
void addAccuracies(const std::vector<report::MetricSample>& rows, report::RunSummary& summary) {
    for (const report::MetricSample& row : rows) {
        for (const auto& [figure, measured] : kAccuracies) {
            if (std::isfinite(row.*measured)) summary.*figure = row.*measured;
        }
    }
}

/// The newest mean over quantized weights; 32 when none is quantized.
void addBits(const report::NetworkInfo& network, const std::vector<report::BitwidthTrack>& tracks,
             report::RunSummary& summary) {
    const auto stair = report::bitTotals(network, tracks, /*learnedOnly=*/false);
    summary.bits = stair.empty() ? 32 : stair.back().bits;
    summary.weightCompression = 32 / summary.bits;
}

/// What is known before there is a final figure.
report::RunSummary startingSummary(const report::RunInfo& info,
                                   const std::vector<report::BitwidthTrack>& tracks = {}) {
    report::RunSummary summary;
    summary.top1Fp32 = info.top1Fp32;
    addBits(info.network, tracks, summary);
    return summary;
}

/// Where there is no checkpoint to tell the figures of a run that is not finished, what a window that trained
/// it would know stands in for them.
report::RunSummary summaryOf(const RunContents& contents) {
    report::RunSummary known = startingSummary(contents.info, contents.bitwidths);
    addAccuracies(contents.metrics, known);
    report::RunSummary summary = contents.summary;
    if (!std::isfinite(summary.bits)) {
        summary.bits = known.bits;
        summary.weightCompression = known.weightCompression;
    }
    if (!std::isfinite(summary.top1Fp32)) summary.top1Fp32 = known.top1Fp32;
    for (const auto& [figure, measured] : kAccuracies) {
        if (!std::isfinite(summary.*figure)) summary.*figure = known.*figure;
    }
    return summary;
}

/// Whether the rows are those of the newest of `steps` <= `step`. A live run records steps that its file does
/// not have yet.
bool areOfStep(const std::vector<report::LayerSnapshotPtr>& layers, const std::vector<std::int64_t>& steps,
               std::int64_t step) {
    const auto after = std::ranges::upper_bound(steps, step);
    if (after == steps.begin()) return true;
    return std::ranges::any_of(
        layers, [recorded = *(after - 1)](const auto& layer) { return layer->step >= recorded; });
}

bool same(const report::RunEvent& a, const report::RunEvent& b) {
    return a.step == b.step && a.kind == b.kind && a.text == b.text;
}

}  // namespace

struct Session::Opened {
    std::filesystem::path path;
    std::optional<jobs::InspectResult> weights;
    std::unique_ptr<jobs::RunPlayback> playback;
    RunContents contents;

    static Result<std::shared_ptr<Opened>> read(const std::filesystem::path& path) {
        auto opened = std::make_shared<Opened>();
        opened->path = path;
        std::string runError;
        if (isHdf5(path)) {
            auto playback = jobs::RunPlayback::open(path);
            if (playback) {
                opened->playback = std::move(*playback);
                UnfinishedFigures figures;
                BITLOOM_ASSIGN_OR_RETURN(opened->contents, readContents(*opened->playback, path, figures));
                return opened;
            }
            runError = playback.error().message;
        }
        auto weights = jobs::inspectWeights(path);
        if (!weights) {
            if (runError.empty()) return std::move(weights).error();
            return fail("{}\nRead as a weight file instead: {}", runError, weights.error().message);
        }
        opened->weights = std::move(*weights);
        return opened;
    }
};

void Session::State::add(const Delivery& delivery) {
    metrics.insert(metrics.end(), delivery.metrics.begin(), delivery.metrics.end());
    events.insert(events.end(), delivery.events.begin(), delivery.events.end());
    for (const report::LayerSnapshotPtr& layer : delivery.layers)
        newest[layer->layer] = layer;
    for (const auto& [layer, point] : delivery.bitwidths)
        addBitwidth(layer, point);
    addSteps(delivery.recordedSteps);
    addAccuracies(delivery.metrics, summary);
    if (!delivery.bitwidths.empty()) addBits(info.network, bitwidths, summary);
    if (delivery.summary) summary = *delivery.summary;
}

void Session::State::addBitwidth(const std::string& layer, const report::BitwidthPoint& point) {
    const std::vector<report::LayerInfo>& layers = info.network.layers;
    const auto known = std::ranges::find(layers, layer, &report::LayerInfo::name);
    if (known == layers.end() || !known->quantized) return;
    auto track = std::ranges::find(bitwidths, layer, &report::BitwidthTrack::layer);
    if (track == bitwidths.end()) track = bitwidths.insert(track, {layer, {}});
    track->append(point);
    // What a long run keeps stays bounded.
    if (track->points.size() > 2 * report::kTrackPoints)
        track->points = report::thinned(std::move(track->points));
}

void Session::State::addSteps(const std::vector<std::int64_t>& more) {
    if (more.empty()) return;
    const auto middle = static_cast<std::ptrdiff_t>(steps.size());
    const bool appended = steps.empty() || steps.back() < more.front();
    steps.insert(steps.end(), more.begin(), more.end());
    if (appended) return;
    std::inplace_merge(steps.begin(), steps.begin() + middle, steps.end());
    steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
}

void Session::State::addEarlier(const RunContents& recorded) {
    const std::int64_t firstRow =
        metrics.empty() ? std::numeric_limits<std::int64_t>::max() : metrics.front().step;
    const auto row = std::ranges::find_if(recorded.metrics,
                                          [=](const report::MetricSample& r) { return r.step >= firstRow; });
    // By step alone, marks at the step where the run was continued would come twice.
    const auto event = std::ranges::find_if(recorded.events, [&](const report::RunEvent& e) {
        return events.empty() ? e.step >= firstRow : e.step > events.front().step || same(e, events.front());
    });
    metrics.insert(metrics.begin(), recorded.metrics.begin(), row);
    events.insert(events.begin(), recorded.events.begin(), event);
    addSteps(recorded.steps);
    for (const report::BitwidthTrack& before : recorded.bitwidths) {
        const auto track = std::ranges::find(bitwidths, before.layer, &report::BitwidthTrack::layer);
        if (track == bitwidths.end()) {
            bitwidths.push_back(before);
            continue;
        }
        const auto end = std::ranges::lower_bound(before.points, track->points.front().step, {},
                                                  &report::BitwidthPoint::step);
        track->points.insert(track->points.begin(), before.points.begin(), end);
    }
}

Session::Session(QObject* parent) : QObject(parent), m_opener(this) {
    m_followTimer.setSingleShot(true);
    m_followTimer.setInterval(kFollowMs);
    connect(&m_followTimer, &QTimer::timeout, this, [this] { m_source->refresh(); });
}

Session::~Session() = default;

void Session::open(const std::filesystem::path& path) {
    const std::uint64_t id = ++m_openId;
    if (isLiveRun(path)) {
        m_opening = false;
        if (!m_background) return;
        showLive(*std::exchange(m_background, std::nullopt));
        // The file has what a continued run recorded before.
        if (m_source && !m_state.metrics.empty()) m_source->refresh();
        return;
    }
    m_opening = true;
    Q_EMIT openingStarted(QString::fromStdString(path.string()));
    m_opener.submit(
        0,
        [this, id, path]() -> Result<LatestWorker::Completion> {
            BITLOOM_ASSIGN_OR_RETURN(const std::shared_ptr<Opened> file, Opened::read(path));
            return LatestWorker::Completion([this, id, file] {
                if (id == m_openId) showOpened(*file);
            });
        },
        [this, id](const Error& error) {
            if (id != m_openId) return;
            m_opening = false;
            Q_EMIT failed(QString::fromStdString(error.message));
        });
}

void Session::showOpened(Opened& file) {
    State next;
    next.kind = file.weights ? Kind::Weights : Kind::Run;
    next.path = file.path;
    replace(std::move(next));
    if (file.weights) {
        showWeights(*file.weights);
        return;
    }
    openSource(std::move(file.playback));
    m_following = file.contents.summary.status == report::RunStatus::Running;
    m_state.info = file.contents.info;
    selectFirstLayer();
    Q_EMIT opened();
    Q_EMIT followingChanged(m_following);
    takeContents(file.contents);
    if (!m_state.steps.empty() && m_step < 0) moveTo(m_state.steps.back());
}

void Session::showWeights(jobs::InspectResult& weights) {
    report::NetworkInfo& network = m_state.info.network;
    network = weights.network.layers.empty() ? networkOfTensors(weights) : weights.network;
    network.arch = weights.arch;
    m_state.weights = std::move(weights);
    selectFirstLayer();
    Q_EMIT opened();
    showLayers(m_state.weights.snapshots);
    Q_EMIT summaryChanged();
}

/// A live run that is shown goes on in the background.
void Session::replace(State next) {
    ++m_openId;
    m_opening = false;
    m_followTimer.stop();
    m_failedPolls = 0;
    m_source.reset();
    if (m_state.live) m_background = std::move(m_state);
    m_state = std::move(next);
    m_following = false;
    m_step = -1;
    m_shown.clear();
}

void Session::openSource(std::unique_ptr<jobs::RunPlayback> playback) {
    m_source = std::make_unique<RunSource>(m_state.path, std::move(playback));
    connect(m_source.get(), &RunSource::contentsRead, this, &Session::takeContents);
    connect(m_source.get(), &RunSource::refreshFailed, this, &Session::pollFailed);
    connect(m_source.get(), &RunSource::failed, this, &Session::failed);
    connect(m_source.get(), &RunSource::stepRead, this, &Session::takeStep);
}

void Session::takeStep(std::int64_t step, const std::vector<report::LayerSnapshotPtr>& layers) {
    if (!m_stepFromFile || step != m_step) return;
    if (!m_state.live || areOfStep(layers, m_state.steps, step)) {
        showLayers(layers);
        return;
    }
    QTimer::singleShot(kFollowMs, m_source.get(), [this, step] {
        if (m_stepFromFile && step == m_step) m_source->readStep(step);
    });
}

void Session::takeContents(const RunContents& contents) {
    m_failedPolls = 0;
    if (m_state.live) {
        m_state.addEarlier(contents);
    } else {
        m_state.info = contents.info;
        m_state.summary = summaryOf(contents);
        m_state.metrics = contents.metrics;
        m_state.events = contents.events;
        m_state.steps = contents.steps;
        m_state.bitwidths = contents.bitwidths;
    }
    const auto& steps = m_state.steps;
    if (!steps.empty()) Q_EMIT stepsChanged();
    Q_EMIT metricsReplaced();
    Q_EMIT eventsChanged();
    Q_EMIT bitwidthsChanged();
    Q_EMIT summaryChanged();
    if (m_state.live) return;
    if (growing()) m_followTimer.start();
    if (m_following && !steps.empty() && m_step != steps.back()) moveTo(steps.back());
    if (!growing() && std::exchange(m_following, false)) Q_EMIT followingChanged(false);
}

/// A run that someone else writes is followed on: the file may be there again a moment later.
void Session::pollFailed(const QString& message) {
    const bool polling = !m_state.live && growing();
    if (!polling || ++m_failedPolls == kFailuresReported) Q_EMIT failed(message);
    if (polling) m_followTimer.start();
}

void Session::take(const Delivery& delivery) {
    if (delivery.started) beginLive(*delivery.started);
    if (m_background) {
        m_background->add(delivery);
        return;
    }
    if (!m_state.live) return;
    const auto& rows = delivery.metrics;
    const bool continued = m_state.metrics.empty() && !rows.empty() && rows.front().step > 0;
    m_state.add(delivery);
    if (!rows.empty()) Q_EMIT metricsAppended(rows);
    if (continued && m_source) m_source->refresh();
    if (!delivery.events.empty()) Q_EMIT eventsChanged();
    if (!delivery.bitwidths.empty()) Q_EMIT bitwidthsChanged();
    if (!delivery.layers.empty()) takeLayers(delivery);
    if (delivery.summary || !rows.empty()) Q_EMIT summaryChanged();
}

void Session::beginLive(const report::RunInfo& info) {
    m_background.reset();
    m_state.live = false;  // a job before this one is outdated
    State live;
    live.kind = Kind::Run;
    live.live = true;
    live.path = info.path;
    live.info = info;
    live.summary = startingSummary(info);
    showLive(std::move(live));
}

void Session::showLive(State live) {
    replace(std::move(live));
    m_following = true;
    if (!m_state.path.empty()) openSource(nullptr);
    selectFirstLayer();
    Q_EMIT opened();
    Q_EMIT followingChanged(true);
    Q_EMIT metricsReplaced();
    Q_EMIT eventsChanged();
    Q_EMIT bitwidthsChanged();
    Q_EMIT summaryChanged();
    Q_EMIT newestChanged();
    if (!m_state.steps.empty()) moveTo(m_state.steps.back());
}

void Session::endLive() {
    m_background.reset();  // from now on its file is all there is to know
    if (!std::exchange(m_state.live, false)) return;
    if (m_source) m_source->refresh();
    Q_EMIT summaryChanged();
}

bool Session::isLiveRun(const std::filesystem::path& path) const {
    const State* live = m_background ? &*m_background : m_state.live ? &m_state : nullptr;
    std::error_code ignored;
    return live && (live->path == path || std::filesystem::equivalent(live->path, path, ignored));
}

void Session::takeLayers(const Delivery& delivery) {
    Q_EMIT newestChanged();
    Q_EMIT stepsChanged();
    if (!m_following) return;
    m_stepFromFile = false;
    showLayers(delivery.layers);
    if (m_step == m_state.steps.back()) return;
    m_step = m_state.steps.back();
    Q_EMIT stepChanged(m_step);
}

void Session::showLayers(const std::vector<report::LayerSnapshotPtr>& layers) {
    bool newer = false;
    for (const report::LayerSnapshotPtr& layer : layers) {
        m_shown[layer->layer] = layer;
        report::LayerSnapshotPtr& newest = m_state.newest[layer->layer];
        if (newest && newest->step >= layer->step) continue;
        newest = layer;
        newer = true;
    }
    if (newer) Q_EMIT newestChanged();
    Q_EMIT layersShown(layers);
}

void Session::selectLayer(const QString& name) {
    if (name == m_layer || !layerInfo(name)) return;
    m_layerChosen = true;
    m_layer = name;
    Q_EMIT layerChanged(name);
}

void Session::selectFirstLayer() {
    if (m_layerChosen && layerInfo(m_layer)) return;
    m_layerChosen = false;
    m_layer = firstLayer(m_state.info.network);
}

void Session::showStep(std::int64_t step) {
    if (!m_source || m_state.steps.empty()) return;
    if (m_following && step == m_step && step == m_state.steps.back()) return;
    if (std::exchange(m_following, false)) Q_EMIT followingChanged(false);
    if (step != m_step) moveTo(step);
}

/// There are steps. The file of a live run lags behind, so its newest step is shown as it came.
void Session::moveTo(std::int64_t step) {
    m_step = step;
    Q_EMIT stepChanged(step);
    m_stepFromFile = m_source && (!m_state.live || step < m_state.steps.back());
    if (m_stepFromFile) {
        m_source->readStep(step);
        return;
    }
    std::vector<report::LayerSnapshotPtr> newest;
    for (const auto& [name, layer] : m_state.newest)
        newest.push_back(layer);
    showLayers(newest);
}

void Session::setFollowing(bool following) {
    if (m_state.kind != Kind::Run) return;
    const auto& steps = m_state.steps;
    if (following && !growing()) {  // nothing to follow: the last step is the newest there will be
        if (!steps.empty() && m_step != steps.back()) moveTo(steps.back());
        Q_EMIT followingChanged(false);
        return;
    }
    if (following == std::exchange(m_following, following)) return;
    Q_EMIT followingChanged(following);
    if (following && !steps.empty()) moveTo(steps.back());
}

bool Session::growing() const {
    return m_state.kind == Kind::Run &&
           (m_state.live || m_state.summary.status == report::RunStatus::Running);
}

bool Session::resumable() const {
    if (m_state.kind != Kind::Run || m_state.live || m_state.path.empty()) return false;
    switch (m_state.summary.status) {
        case report::RunStatus::Stopped:
        case report::RunStatus::Failed:
            return true;
        case report::RunStatus::Finished:
            return false;
        case report::RunStatus::Running:
            break;
    }
    const QDateTime changed = QFileInfo(QString::fromStdString(m_state.path.string())).lastModified();
    return changed.secsTo(QDateTime::currentDateTime()) > kAbandonedSeconds;
}

const report::LayerInfo* Session::layerInfo(const QString& name) const {
    const std::string wanted = name.toStdString();
    for (const report::LayerInfo& layer : m_state.info.network.layers) {
        if (layer.name == wanted) return &layer;
    }
    return nullptr;
}

report::LayerSnapshotPtr Session::snapshot(const QString& name) const {
    const auto found = m_shown.find(name.toStdString());
    return found == m_shown.end() ? nullptr : found->second;
}

}  // namespace bitloom::app
