// What the device figure shows of a result: numbers and texts of every panel.
#include <algorithm>
#include <cmath>

#include "widgets/plots/device_families.h"
#include "widgets/plots/device_figure.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using Swatch = KeyStrip::Swatch;
using report::TimingVerdict;

constexpr int kRowHeight = 22;            // of a family, pixels
constexpr int kLeastRows = 4;             // of families; fewer leave the clock beside them too little height
constexpr double kLeastClockSpan = 0.05;  // so that noise does not fill the panel

QCPRange include(QCPRange range, double value) {
    return {std::fmin(range.lower, value), std::fmax(range.upper, value)};
}

TimeBar barOf(const report::KernelTiming* timing) {
    if (!timing) return {};
    return {timing->time.medianMs, timing->time.p10Ms, timing->time.p90Ms};
}

QString temperatureText(const report::BenchResult& result) {
    const double before = result.before.hottestCelsius();
    const double after = result.after.hottestCelsius();
    if (!std::isfinite(before) && !std::isfinite(after)) return QStringLiteral("not readable");
    return QStringLiteral("%1 → %2 °C").arg(formatFixed(before, 1), formatFixed(after, 1));
}

/// Of the cores that were timed.
QString clocksText(const report::BenchResult& result) {
    const auto text = [&result](const report::DeviceConditions& conditions) {
        const report::ClockRange range = report::clocksOf(conditions, result.cores);
        const QString low = formatFixed(range.lowMHz, 0);
        const QString high = formatFixed(range.highMHz, 0);
        return low == high ? low : QStringLiteral("%1 to %2").arg(low, high);
    };
    const auto known = [&result](const report::DeviceConditions& conditions) {
        return std::isfinite(report::clocksOf(conditions, result.cores).lowMHz);
    };
    if (!known(result.before) && !known(result.after)) return QStringLiteral("not readable");
    return QStringLiteral("%1 → %2 MHz").arg(text(result.before), text(result.after));
}

QString governorText(const report::BenchResult& result) {
    const std::string governors = report::governorsOf(result.device, result.cores);
    return governors.empty() ? QStringLiteral("not readable") : QString::fromStdString(governors);
}

QString threadsText(const report::BenchResult& result) {
    QString text = QString::number(result.threads);
    if (result.cores.empty()) return text + QStringLiteral(", not pinned");
    QStringList cores;
    for (const int core : result.cores)
        cores += QString::number(core);
    return text + (cores.size() == 1 ? QStringLiteral(" on core ") : QStringLiteral(" on cores ")) +
           cores.join(QStringLiteral(", "));
}

}  // namespace

QString DeviceFigure::msLabel() const {
    return m_state.result->device.emulated ? QStringLiteral("ms, emulated") : QStringLiteral("ms");
}

void DeviceFigure::update() {
    if (!m_state.result) return;
    m_peakFamily = peakFamily(*m_state.result);
    updateHeader();
    updateFamilies();
    updateClock();
    m_conditions.update(*m_state.result);
    updateLayers();
    updatePeak();
    fit();
}

void DeviceFigure::updateHeader() {
    const report::BenchResult& result = *m_state.result;
    const ThemeColors& c = colors();
    const QString name =
        QString::fromStdString(result.device.name.empty() ? result.device.id : result.device.name);
    std::vector<KeyStrip::Key> title = {{name, {}, Swatch::None, true}};
    if (result.device.emulated)
        title.push_back(
            {QStringLiteral("EMULATED: not the times of any hardware"), c.warning, Swatch::None, true});
    const std::string isa = result.isa.empty() ? "–" : result.isa;
    title.push_back({QStringLiteral("instructions"), {}, Swatch::None, false, QString::fromStdString(isa)});
    title.push_back({result.threads == 1 ? QStringLiteral("thread") : QStringLiteral("threads"),
                     {},
                     Swatch::None,
                     false,
                     threadsText(result)});
    title.push_back({QStringLiteral("clock"), {}, Swatch::None, false, clocksText(result)});
    title.push_back({QStringLiteral("governor"), {}, Swatch::None, false, governorText(result)});
    title.push_back({QStringLiteral("kernels"),
                     {},
                     Swatch::None,
                     false,
                     result.tunedLayers == 0 ? QStringLiteral("own choice")
                                             : QStringLiteral("tuned in %1 layers").arg(result.tunedLayers)});
    m_title->setKeys(std::move(title));
    const bool stable = result.verdict == TimingVerdict::Stable;
    QString verdict = QString::fromLatin1(report::toText(result.verdict));
    verdict[0] = verdict[0].toUpper();
    m_verdict->setKeys({{verdict, stable ? c.success : c.warning, Swatch::None, true},
                        {QStringLiteral("temperature"), {}, Swatch::None, false, temperatureText(result)},
                        {QString::fromStdString(result.reason), stable ? QColor() : c.warning}});
}

void DeviceFigure::updateFamilies() {
    const report::BenchResult& result = *m_state.result;
    std::vector<FamilyBars::Row> rows;
    auto names = QSharedPointer<QCPAxisTickerText>::create();
    QStringList off;
    for (const report::KernelTiming& timing : result.network) {
        const QString family = QString::fromStdString(timing.family);
        if (!m_state.shows(timing.family)) {
            off += family;
            continue;
        }
        const double ms = timing.time.medianMs;
        QString text = QStringLiteral("not timed");
        if (std::isfinite(ms)) {
            text = QStringLiteral("%1 ms   %2×")
                       .arg(formatNumber(ms, 4), formatFixed(speedup(result.network, ms), 2));
        }
        names->addTick(static_cast<double>(rows.size()), family);
        rows.push_back({timing.family, barOf(&timing), text});
    }
    QCPAxis* places = m_families->axis(QCPAxis::atLeft);
    const int count = std::max(1, static_cast<int>(rows.size()));
    places->setTicker(names);
    places->setRange(-0.5, count - 0.5);
    const int height = std::max(count, kLeastRows) * kRowHeight;
    m_families->setMinimumSize(60, height * 3 / 4);
    m_families->setMaximumSize(QWIDGETSIZE_MAX, height);
    m_familyBars->setRows(std::move(rows));
    m_families->axis(QCPAxis::atBottom)->setLabel(QStringLiteral("median time of one image, ") + msLabel());

    const QString network = QStringLiteral("%1, %2").arg(QString::fromStdString(result.arch),
                                                         QString::fromStdString(result.origin));
    std::vector<KeyStrip::Key> keys = {{QStringLiteral("Whole network"), {}, Swatch::None, true}, {network}};
    const report::KernelTiming* baseline = timingOf(result.network, kFloatBaseline);
    if (!baseline || !std::isfinite(baseline->time.medianMs)) {
        keys.push_back({QStringLiteral("no float baseline was timed"), colors().warning});
    } else {
        keys.push_back({QStringLiteral("×: as fast as tuned_fp32")});
    }
    if (!off.isEmpty()) keys.push_back({QStringLiteral("off: ") + off.join(QStringLiteral(", "))});
    m_familyKeys->setKeys(std::move(keys));
}

void DeviceFigure::updateClock() {
    const std::vector<double> trace = clockTrace(m_state.result->sentinelMs);
    std::vector<double> samples;
    QCPRange range(1 - kLeastClockSpan, 1 + kLeastClockSpan);
    for (const double value : trace) {
        samples.push_back(static_cast<double>(samples.size() + 1));
        if (std::isfinite(value)) range = include(range, value);
    }
    setGraphData(*m_clockTrace, samples, trace);
    const double last = std::max(2.0, static_cast<double>(trace.size()));
    setGraphData(*m_clockStart, {1, last}, {1, 1});
    QCPAxis* sample = m_clock->axis(QCPAxis::atBottom);
    sample->setRange(1, last);
    auto whole = QSharedPointer<FormattedTicker<QCPAxisTickerFixed>>::create();
    whole->setTickStep(sampleStep(trace.size()));
    sample->setTicker(whole);
    const double air = 0.08 * range.size();
    m_clock->axis(QCPAxis::atLeft)->setRange(range.lower - air, range.upper + air);
    std::vector<KeyStrip::Key> keys = {{QStringLiteral("Clock"), {}, Swatch::None, true}};
    if (trace.empty()) {
        keys.push_back({QStringLiteral("not traced"), colors().warning});
    } else {
        keys.push_back({QStringLiteral("a fixed loop, at most"),
                        {},
                        Swatch::None,
                        false,
                        formatFixed(*std::ranges::max_element(trace), 2) + QStringLiteral("×")});
    }
    m_clockKeys->setKeys(std::move(keys));
}

void DeviceFigure::updateLayers() {
    const report::BenchResult& result = *m_state.result;
    std::vector<LayerBars::Series> series;
    for (const std::string& family : familiesOf(result)) {
        if (!m_state.shows(family) || !hasLayerTimes(result, family)) continue;
        LayerBars::Series one{family, {}};
        for (const report::LayerTiming& layer : result.layers)
            one.bars.push_back(barOf(timingOf(layer.kernels, family)));
        series.push_back(std::move(one));
    }
    m_layerBars->setSeries(std::move(series));
    updateLayerTimes();
    updateLayerKeys();
    clampLayers();
}

/// The axis of the layers' times, from what is shown.
void DeviceFigure::updateLayerTimes() {
    QCPRange times(report::kNoValue, report::kNoValue);
    double longest = 0;
    for (const LayerBars::Series& one : m_layerBars->series()) {
        for (const TimeBar& bar : one.bars) {
            if (!(bar.ms > 0)) continue;
            times = include(times, bar.ms);
            longest = std::fmax(longest, bar.p90);
        }
    }
    if (!std::isfinite(times.lower)) times = {0.1, 1};
    QCPAxis* axis = m_layers->axis(QCPAxis::atLeft);
    if ((axis->scaleType() == QCPAxis::stLogarithmic) != m_state.logTimes)
        setLogarithmic(*axis, m_state.logTimes);
    if (m_state.logTimes) {
        axis->setRange(times.lower / 2, 1.2 * timesEnd(times.upper, longest));
    } else {
        axis->setRange(0, timesEnd(times.upper, longest));
    }
    axis->setLabel(msLabel());
}

void DeviceFigure::updateLayerKeys() {
    const report::BenchResult& result = *m_state.result;
    std::vector<KeyStrip::Key> keys = {{QStringLiteral("Layers"), {}, Swatch::None, true}};
    QStringList wholeOnly;
    for (const std::string& family : familiesOf(result)) {
        if (!m_state.shows(family)) continue;
        const QString name = QString::fromStdString(family);
        if (!hasLayerTimes(result, family)) {
            wholeOnly += name;
            continue;
        }
        const FamilyLook look = lookOf(family);
        keys.push_back({name, look.color, look.swatch()});
    }
    if (!wholeOnly.isEmpty())
        keys.push_back({QStringLiteral("not timed by layer: ") + wholeOnly.join(QStringLiteral(", "))});
    m_layerKeys->setKeys(std::move(keys));
}

void DeviceFigure::updatePeak() {
    const report::BenchResult& result = *m_state.result;
    double most = 0;
    const auto show = [&](QCPGraph& marks, const std::string& family) {
        std::vector<double> places;
        std::vector<double> shares;
        for (std::size_t i = 0; i < result.layers.size(); ++i) {
            const report::KernelTiming* timing = timingOf(result.layers[i].kernels, family);
            if (!timing || !std::isfinite(timing->percentOfPeak) || !m_state.shows(family)) continue;
            places.push_back(static_cast<double>(i));
            shares.push_back(timing->percentOfPeak);
            most = std::max(most, timing->percentOfPeak);
        }
        setGraphData(marks, places, shares);
    };
    const std::string baseline(kFloatBaseline);
    const bool two = m_peakFamily != baseline;
    show(*m_peakMarks, m_peakFamily);
    show(*m_baselineMarks, two ? baseline : std::string());
    // Marks at both ends stay whole.
    m_peak->axis(QCPAxis::atLeft)->setRange(-0.05 * peakCeiling(most), 1.05 * peakCeiling(most));
    std::vector<KeyStrip::Key> keys = {
        {QStringLiteral("Share of the best inner loop of its arithmetic"), {}, Swatch::None, true}};
    for (const std::string& family : {m_peakFamily, two ? baseline : std::string()}) {
        if (family.empty() || !m_state.shows(family) || !hasLayerTimes(result, family)) continue;
        keys.push_back({QString::fromStdString(family), lookOf(family).color, Swatch::Box});
    }
    if (m_peakFamily.empty()) keys.push_back({QStringLiteral("not known")});
    m_peakKeys->setKeys(std::move(keys));
    const auto disc = [](const std::string& family, double size) {
        return QCPScatterStyle(QCPScatterStyle::ssDisc, lookOf(family).color, size);
    };
    m_peakMarks->setScatterStyle(disc(m_peakFamily, 7));
    m_baselineMarks->setScatterStyle(disc(baseline, 5));
}

}  // namespace bitloom::widgets
