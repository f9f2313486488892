#include "app/session.h"

#include <QDateTime>
#include <QFileInfo>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
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

/// Mean bits over quantized weights; 32 when none is quantized.
double meanBits(const report::NetworkInfo& network) {
    double bits = 0;
    std::int64_t weights = 0;
    for (const report::LayerInfo& layer : network.layers) {
        if (!layer.quantized) continue;
        bits += layer.bits * static_cast<double>(layer.weights);
        weights += layer.weights;
    }
    return weights == 0 ? 32 : bits / static_cast<double>(weights);
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
                BITLOOM_ASSIGN_OR_RETURN(opened->contents, readContents(*opened->playback));
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

Session::Session(QObject* parent) : QObject(parent), m_opener(this) {
    m_followTimer.setSingleShot(true);
    m_followTimer.setInterval(kFollowMs);
    connect(&m_followTimer, &QTimer::timeout, this, [this] { m_source->refresh(); });
}

Session::~Session() = default;

void Session::open(const std::filesystem::path& path) {
    m_opening = true;
    Q_EMIT openingStarted(QString::fromStdString(path.string()));
    m_opener.submit(0, [this, id = ++m_openId, path]() -> LatestWorker::Completion {
        auto opened = Opened::read(path);
        return [this, id, opened = std::move(opened)] {
            if (id != m_openId) return;
            m_opening = false;
            if (opened) {
                showOpened(**opened);
            } else {
                Q_EMIT failed(QString::fromStdString(opened.error().message));
            }
        };
    });
}

void Session::showOpened(Opened& file) {
    if (file.weights) {
        reset(Kind::Weights, file.path);
        showWeights(*file.weights);
        return;
    }
    reset(Kind::Run, file.path);
    openSource(std::move(file.playback));
    m_following = file.contents.summary.status == report::RunStatus::Running;
    m_info = file.contents.info;
    selectFirstLayer();
    Q_EMIT opened();
    Q_EMIT followingChanged(m_following);
    takeContents(file.contents);
    if (!m_steps.empty() && m_step < 0) moveTo(m_steps.back());
}

void Session::showWeights(jobs::InspectResult& weights) {
    m_weights = std::move(weights);
    m_info.network = m_weights.network.layers.empty() ? networkOfTensors(m_weights) : m_weights.network;
    m_info.network.arch = m_weights.arch;
    selectFirstLayer();
    Q_EMIT opened();
    showLayers(m_weights.snapshots);
    Q_EMIT summaryChanged();
}

void Session::reset(Kind kind, const std::filesystem::path& path) {
    ++m_openId;
    m_opening = false;
    m_followTimer.stop();
    m_source.reset();
    m_kind = kind;
    m_path = path;
    m_live = false;
    m_following = false;
    m_info = {};
    m_summary = {};
    m_weights = {};
    m_metrics.clear();
    m_events.clear();
    m_steps.clear();
    m_step = -1;
    m_shown.clear();
    m_newest.clear();
}

void Session::openSource(std::unique_ptr<jobs::RunPlayback> playback) {
    m_source = std::make_unique<RunSource>(m_path, std::move(playback));
    connect(m_source.get(), &RunSource::contentsRead, this, &Session::takeContents);
    connect(m_source.get(), &RunSource::failed, this, &Session::failed);
    connect(m_source.get(), &RunSource::stepRead, this,
            [this](qint64, const std::vector<report::LayerSnapshotPtr>& layers) {
                if (!(m_live && m_following)) showLayers(layers);
            });
}

void Session::takeContents(const RunContents& contents) {
    if (m_live) {  // the part of a continued run that was recorded before
        const std::int64_t firstLive =
            m_metrics.empty() ? std::numeric_limits<std::int64_t>::max() : m_metrics.front().step;
        const auto isEarlier = [firstLive](const auto& row) { return row.step < firstLive; };
        std::vector<report::MetricSample> metrics = m_metrics;
        std::vector<report::RunEvent> events = m_events;
        m_metrics.clear();
        m_events.clear();
        std::ranges::copy_if(contents.metrics, std::back_inserter(m_metrics), isEarlier);
        std::ranges::copy_if(contents.events, std::back_inserter(m_events), isEarlier);
        std::ranges::copy(metrics, std::back_inserter(m_metrics));
        std::ranges::copy(events, std::back_inserter(m_events));
    } else {
        m_info = contents.info;
        m_summary = contents.summary;
        m_metrics = contents.metrics;
        m_events = contents.events;
        m_steps.clear();
    }
    addSteps(contents.steps);
    Q_EMIT metricsReplaced();
    Q_EMIT eventsChanged();
    Q_EMIT summaryChanged();
    if (m_live) return;
    if (m_summary.status == report::RunStatus::Running) m_followTimer.start();
    if (m_following && !m_steps.empty() && m_step != m_steps.back()) moveTo(m_steps.back());
    if (!growing() && std::exchange(m_following, false)) Q_EMIT followingChanged(false);
}

void Session::take(const Delivery& delivery) {
    if (delivery.started) beginLive(*delivery.started);
    if (!m_live) return;
    if (!delivery.metrics.empty()) takeMetrics(delivery.metrics);
    if (!delivery.events.empty()) {
        m_events.insert(m_events.end(), delivery.events.begin(), delivery.events.end());
        Q_EMIT eventsChanged();
    }
    if (!delivery.layers.empty()) takeLayers(delivery);
    if (delivery.summary) {
        m_summary = *delivery.summary;
        Q_EMIT summaryChanged();
    }
}

void Session::beginLive(const report::RunInfo& info) {
    if (m_live) {  // the same run, known better
        m_info = info;
        m_summary.top1Fp32 = info.top1Fp32;
        Q_EMIT summaryChanged();
        return;
    }
    reset(Kind::Run, info.path);
    m_live = true;
    m_following = true;
    m_info = info;
    m_summary.top1Fp32 = info.top1Fp32;
    m_summary.bits = meanBits(info.network);
    if (!m_path.empty()) openSource(nullptr);
    selectFirstLayer();
    Q_EMIT opened();
    Q_EMIT followingChanged(true);
    Q_EMIT summaryChanged();
}

void Session::endLive() {
    if (!std::exchange(m_live, false)) return;
    if (m_source) m_source->refresh();
    Q_EMIT summaryChanged();
}

void Session::takeMetrics(const std::vector<report::MetricSample>& rows) {
    const bool continued = m_metrics.empty() && rows.front().step > 1;
    m_metrics.insert(m_metrics.end(), rows.begin(), rows.end());
    Q_EMIT metricsAppended(rows);
    if (continued && m_source) m_source->refresh();
    for (const report::MetricSample& row : rows) {
        if (std::isfinite(row.top1Soft)) m_summary.top1Soft = row.top1Soft;
        if (std::isfinite(row.top1Hard)) m_summary.top1Hard = row.top1Hard;
        if (std::isfinite(row.top5Hard)) m_summary.top5Hard = row.top5Hard;
    }
    Q_EMIT summaryChanged();
}

void Session::takeLayers(const Delivery& delivery) {
    for (const report::LayerSnapshotPtr& layer : delivery.layers)
        m_newest[layer->layer] = layer;
    addSteps(delivery.recordedSteps);
    if (!m_following) return;
    showLayers(delivery.layers);
    if (m_step != m_steps.back()) {
        m_step = m_steps.back();
        Q_EMIT stepChanged(m_step);
    }
}

void Session::addSteps(const std::vector<std::int64_t>& steps) {
    if (steps.empty()) return;
    const auto middle = static_cast<std::ptrdiff_t>(m_steps.size());
    const bool appended = m_steps.empty() || m_steps.back() < steps.front();
    m_steps.insert(m_steps.end(), steps.begin(), steps.end());
    if (!appended) {
        std::inplace_merge(m_steps.begin(), m_steps.begin() + middle, m_steps.end());
        m_steps.erase(std::unique(m_steps.begin(), m_steps.end()), m_steps.end());
    }
    Q_EMIT stepsChanged();
}

void Session::showLayers(const std::vector<report::LayerSnapshotPtr>& layers) {
    for (const report::LayerSnapshotPtr& layer : layers)
        m_shown[layer->layer] = layer;
    Q_EMIT layersShown(layers);
}

void Session::selectLayer(const QString& name) {
    if (name == m_layer || !layerInfo(name)) return;
    m_layer = name;
    Q_EMIT layerChanged(name);
}

void Session::selectFirstLayer() {
    if (layerInfo(m_layer)) return;
    const auto& layers = m_info.network.layers;
    const auto quantized =
        std::find_if(layers.begin(), layers.end(), [](const report::LayerInfo& l) { return l.quantized; });
    if (quantized != layers.end()) {
        m_layer = QString::fromStdString(quantized->name);
    } else {
        m_layer = layers.empty() ? QString() : QString::fromStdString(layers.front().name);
    }
}

void Session::showStep(std::int64_t step) {
    if (m_kind != Kind::Run || !m_source) return;
    if (std::exchange(m_following, false)) Q_EMIT followingChanged(false);
    if (step != m_step) moveTo(step);
}

void Session::moveTo(std::int64_t step) {
    m_step = step;
    Q_EMIT stepChanged(step);
    m_source->readStep(step);
}

void Session::setFollowing(bool following) {
    if (m_kind != Kind::Run) return;
    if (following && !growing()) {  // nothing to follow: the last step is the newest there will be
        if (!m_steps.empty() && m_step != m_steps.back()) moveTo(m_steps.back());
        Q_EMIT followingChanged(false);
        return;
    }
    if (following == std::exchange(m_following, following)) return;
    Q_EMIT followingChanged(following);
    if (following && !m_steps.empty()) showNewest();
}

void Session::showNewest() {
    if (!m_live) {
        moveTo(m_steps.back());
        return;
    }
    std::vector<report::LayerSnapshotPtr> newest;
    for (const auto& [name, layer] : m_newest)
        newest.push_back(layer);
    showLayers(newest);
    m_step = m_steps.back();
    Q_EMIT stepChanged(m_step);
}

bool Session::growing() const {
    return m_kind == Kind::Run && (m_live || m_summary.status == report::RunStatus::Running);
}

bool Session::resumable() const {
    if (m_kind != Kind::Run || m_live || m_path.empty()) return false;
    switch (m_summary.status) {
        case report::RunStatus::Stopped:
        case report::RunStatus::Failed:
            return true;
        case report::RunStatus::Finished:
            return false;
        case report::RunStatus::Running:
            break;
    }
    const QDateTime changed = QFileInfo(QString::fromStdString(m_path.string())).lastModified();
    return changed.secsTo(QDateTime::currentDateTime()) > kAbandonedSeconds;
}

const report::LayerInfo* Session::layerInfo(const QString& name) const {
    const std::string wanted = name.toStdString();
    for (const report::LayerInfo& layer : m_info.network.layers) {
        if (layer.name == wanted) return &layer;
    }
    return nullptr;
}

report::LayerSnapshotPtr Session::snapshot(const QString& name) const {
    const auto found = m_shown.find(name.toStdString());
    return found == m_shown.end() ? nullptr : found->second;
}

}  // namespace bitloom::app
