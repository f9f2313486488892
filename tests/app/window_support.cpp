#include "tests/app/window_support.h"

#include <QApplication>
#include <QTest>
#include <cmath>
#include <fstream>

#include "engine/record/run_writer.h"
#include "widgets/controls/error_bar.h"

namespace bitloom::app::testing {

namespace fs = std::filesystem;

bool waitFor(const std::function<bool()>& condition, int milliseconds) {
    return QTest::qWaitFor(condition, milliseconds);
}

std::string layerName(int layer) {
    return fmt::format("layer1.conv{}", layer);
}

double centroid(int layer, std::int64_t step) {
    return 0.1 * (layer + 1) + 0.001 * static_cast<double>(step);
}

report::RunInfo runInfo(const fs::path& path, std::int64_t totalSteps) {
    report::RunInfo info;
    info.path = path.string();
    info.jobToml = "[data]\nsource = \"generated:1,256,128\"\n";
    info.command = "bitloom train job.toml --out run.h5";
    info.version = "0.1.0";
    info.started = "2024-01-01T00:00:00Z";
    info.totalSteps = totalSteps;
    info.stepsPerEpoch = 5 * kStepsApart;
    info.top1Fp32 = 91.5;
    info.network.arch = "resnet20";
    for (int layer = 0; layer < kLayers; ++layer) {
        report::LayerInfo row;
        row.name = layerName(layer);
        row.op = "conv 3x3";
        row.weightShape = {16, 16, 3, 3};
        row.weights = 2304;
        row.quantized = layer > 0;
        row.bits = layer > 0 ? 2 : 32;
        info.network.layers.push_back(row);
        info.network.parameters += row.weights;
    }
    return info;
}

report::LayerSnapshotPtr layerSnapshot(int layer, std::int64_t step) {
    auto snapshot = std::make_shared<report::LayerSnapshot>();
    snapshot->layer = layerName(layer);
    snapshot->step = step;
    snapshot->weights = {-1, 1, std::vector<std::uint32_t>(64), 0, 0};
    for (std::size_t bin = 0; bin < 64; ++bin) {
        const double weight = snapshot->weights.binCentre(bin);
        snapshot->weights.counts[bin] = static_cast<std::uint32_t>(1000 * std::exp(-8 * weight * weight));
    }
    if (layer == 0) return snapshot;
    snapshot->bits = 2;
    snapshot->softWeights = snapshot->weights;
    const double mu = centroid(layer, step);
    snapshot->mixtures = {
        {{{0.4, 0, 0.05, 900}, {0.2, mu, 0.05, 500}, {0.2, -mu, 0.05, 500}, {0.2, 2 * mu, 0.05, 404}}, 0.01}};
    snapshot->sparsity = 0.39;
    snapshot->mse = 1e-4;
    return snapshot;
}

void writeRun(const fs::path& path, int count, report::RunStatus status) {
    std::vector<record::LayerLayout> layouts;
    layouts.reserve(kLayers);
    for (int layer = 0; layer < kLayers; ++layer)
        layouts.push_back({layerName(layer), 1, layer > 0 ? 4 : 0, 64});
    auto writer = record::RunWriter::create(path, runInfo(path, (count - 1) * kStepsApart), layouts);
    ASSERT_TRUE(writer) << writer.error().message;
    for (int row = 0; row < count; ++row) {
        const std::int64_t step = row * kStepsApart;
        for (int layer = 0; layer < kLayers; ++layer)
            ASSERT_TRUE((*writer)->appendLayer(*layerSnapshot(layer, step)));
        report::MetricSample metric;
        metric.step = step;
        metric.loss = 1.0 / (1 + row);
        metric.learningRate = 0.01;
        metric.top1Soft = 90 + 0.1 * row;
        metric.top1Hard = 89 + 0.1 * row;
        ASSERT_TRUE((*writer)->appendMetric(metric));
        ASSERT_TRUE((*writer)->appendEvent({step, report::EventKind::Evaluation, "evaluated"}));
    }
    ASSERT_TRUE((*writer)->flush());
    if (status == report::RunStatus::Running) return;
    report::RunSummary summary;
    summary.status = status;
    summary.top1Hard = 89.5;
    summary.bits = 2;
    ASSERT_TRUE((*writer)->finish(summary));
}

void writeTinyJob(const fs::path& path, int steps) {
    constexpr const char* kJob =
        "[model]\n"
        "arch = \"resnet20\"\n"
        "[data]\n"
        "source = \"generated:1,64,32\"\n"
        "batch = 8\n"
        "[quantizer]\n"
        "bits = 2\n"
        "[train]\n"
        "steps = {}\n"
        "threads = 1\n"
        "evaluate_every = 0\n"
        "batch_norm_batches = 1\n"
        "[record]\n"
        "every = 1\n";
    std::ofstream(path) << fmt::format(kJob, steps);
}

WindowTest::WindowTest()
    : m_before(fs::current_path()), m_settings(QString::fromStdString((m_folder / "settings.ini").string())) {
    fs::current_path(m_folder.path());
}

WindowTest::~WindowTest() {
    m_window.reset();
    fs::current_path(m_before);
}

std::unique_ptr<MainWindow> WindowTest::makeWindow() {
    Dialogs answers;
    answers.openFile = [this](QWidget*, const QString&, const QString&, const QString&) {
        ++m_questions;
        return m_fileAnswer;
    };
    answers.saveFile = answers.openFile;
    answers.openFolder = answers.openFile;
    answers.openFiles = [this](QWidget*, const QString&, const QString&, const QString&) {
        ++m_questions;
        return m_fileAnswer.isEmpty() ? QStringList() : m_fileAnswer.split(QLatin1Char('\n'));
    };
    answers.newJob = [this](QWidget*, const JobDraft&) {
        ++m_questions;
        return m_jobAnswer;
    };
    answers.closeWhileTraining = [this](QWidget*) {
        ++m_questions;
        return m_closeAnswer;
    };
    answers.about = [this](QWidget*) { ++m_questions; };
    answers.shortcuts = [this](QWidget*, const QString&) { ++m_questions; };
    return std::make_unique<MainWindow>(m_settings, answers);
}

void WindowTest::showWindow() {
    m_window = makeWindow();
    m_window->show();
    ASSERT_TRUE(QTest::qWaitForWindowExposed(m_window.get()));
}

void WindowTest::trainTinyRun() {
    testing::writeTinyJob(m_folder / "tiny.toml", 1);
    showWindow();
    m_window->open(m_folder / "tiny.toml");
    m_window->actions().start->trigger();
    ASSERT_TRUE(waitFor([&] { return !m_window->jobs().host().busy(); }, 100'000));
    ASSERT_EQ(errorText().toStdString(), "");
}

QWidget* WindowTest::find(const char* objectName) const {
    auto* widget = m_window->findChild<QWidget*>(QLatin1String(objectName));
    EXPECT_NE(widget, nullptr) << objectName;
    return widget;
}

QString WindowTest::errorText() const {
    auto* bar = m_window->findChild<widgets::ErrorBar*>();
    return bar->isVisible() ? bar->message() : QString();
}

void WindowTest::openAndWait(const fs::path& path) {
    m_window->open(path);
    ASSERT_TRUE(waitFor([&] {
        return !errorText().isEmpty() ||
               (m_window->session().path() == path && !m_window->session().opening());
    }));
    ASSERT_EQ(errorText().toStdString(), "");
    ASSERT_TRUE(
        waitFor([&] { return m_window->session().snapshot(m_window->session().layer()) != nullptr; }));
}

}  // namespace bitloom::app::testing
