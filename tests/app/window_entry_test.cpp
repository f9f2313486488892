#include "app/window_entry.h"

#include <QApplication>
#include <QImage>
#include <QTimer>
#include <csignal>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "app/job_draft.h"
#include "app/shell_word.h"
#include "engine/jobs/bench_record.h"
#include "engine/jobs/method_fields.h"
#include "engine/jobs/report_job.h"
#include "tests/app/window_support.h"

namespace bitloom::app {
namespace {

namespace fs = std::filesystem;

class EntryTest : public ::testing::Test {
  protected:
    [[nodiscard]] PlotOptions plotOf(const char* view, const char* out) const {
        PlotOptions options;
        options.run = (m_folder / "run.h5").string();
        options.view = view;
        options.out = (m_folder / out).string();
        return options;
    }
    [[nodiscard]] std::string read(const char* name) const {
        std::stringstream text;
        text << std::ifstream(m_folder / name, std::ios::binary).rdbuf();
        return text.str();
    }
    bitloom::testing::TemporaryFolder m_folder;
};

TEST_F(EntryTest, PlotsAViewOfARunIntoAFile) {
    testing::writeRun(m_folder / "run.h5", 4);
    for (const char* view : {"mixture", "curves", "bitwidths", "pareto"}) {
        const auto svg = plotRun(plotOf(view, "figure.svg"));
        ASSERT_TRUE(svg) << svg.error().message;
        EXPECT_NE(read("figure.svg").find("<svg"), std::string::npos);
        ASSERT_TRUE(plotRun(plotOf(view, "figure.pdf")));
        EXPECT_EQ(read("figure.pdf").substr(0, 4), "%PDF");
        ASSERT_TRUE(plotRun(plotOf(view, "figure.csv")));
        EXPECT_GE(std::ranges::count(read("figure.csv"), '\n'), 2);
        PlotOptions dark = plotOf(view, "figure.png");
        dark.theme = "dark";
        dark.width = 640;
        dark.height = 480;
        ASSERT_TRUE(plotRun(dark));
        const QImage image(QString::fromStdString(dark.out));
        EXPECT_EQ(image.size(), QSize(640, 480)) << "pixels as asked for";
        EXPECT_LT(image.pixelColor(2, 2).lightness(), 70);
    }
}

TEST_F(EntryTest, PlotsSeveralRuns) {
    testing::writeRun(m_folder / "run.h5", 4);
    testing::writeRun(m_folder / "other.h5", 5);
    std::ofstream(m_folder / "broken.h5") << "no run";
    PlotOptions options = plotOf("pareto", "figure.csv");
    options.run = m_folder.path().string();
    options.cost = "bit_operations";
    const auto drawn = plotRun(options);
    ASSERT_TRUE(drawn) << drawn.error().message;
    EXPECT_EQ(drawn->figures.front(), (std::pair<std::string, double>("runs", 2)));
    ASSERT_EQ(drawn->problems.size(), 1u);
    EXPECT_NE(drawn->problems.front().find("broken.h5"), std::string::npos);
    EXPECT_EQ(std::ranges::count(read("figure.csv"), '\n'), 3);
    options = plotOf("curves", "figure.svg");
    options.beside = {(m_folder / "other.h5").string()};
    ASSERT_TRUE(plotRun(options));
    EXPECT_NE(read("figure.svg").find("other"), std::string::npos);
    options.view = "mixture";
    const auto refused = plotRun(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::Usage);
    options = plotOf("pareto", "figure.svg");
    options.run = (m_folder / "broken.h5").string();
    EXPECT_FALSE(plotRun(options));
}

TEST_F(EntryTest, PlotsTheLayerAndStepAskedFor) {
    testing::writeRun(m_folder / "run.h5", 4);
    PlotOptions options = plotOf("mixture", "first.csv");
    options.layer = testing::layerName(2);
    options.step = "0";
    const auto first = plotRun(options);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->layer, testing::layerName(2));
    EXPECT_EQ(first->step, 0);
    options.out = (m_folder / "last.csv").string();
    options.step = "last";
    const auto last = plotRun(options);
    ASSERT_TRUE(last) << last.error().message;
    EXPECT_EQ(last->step, 3 * testing::kStepsApart);
    EXPECT_NE(read("first.csv"), read("last.csv"));
}

TEST_F(EntryTest, NamesWhatIsWrongWithAPlot) {
    testing::writeRun(m_folder / "run.h5", 2);
    const auto messageOf = [](const PlotOptions& options, ErrorKind kind) {
        const auto status = plotRun(options);
        if (status) return std::string("no error");
        EXPECT_EQ(status.error().kind, kind) << status.error().message;
        return status.error().message;
    };
    using ::testing::HasSubstr;
    PlotOptions options = plotOf("scenery", "a.svg");
    EXPECT_THAT(messageOf(options, ErrorKind::Usage), HasSubstr("scenery"));
    options = plotOf("mixture", "a.svg");
    options.step = "latest";
    EXPECT_THAT(messageOf(options, ErrorKind::Usage), HasSubstr("latest"));
    options = plotOf("mixture", "a.svg");
    options.layer = "layer1.conv7";
    EXPECT_THAT(messageOf(options, ErrorKind::Usage), HasSubstr("Did you mean layer1.conv"));
    options.view = "bitwidths";
    EXPECT_THAT(messageOf(options, ErrorKind::Usage), HasSubstr("Did you mean layer1.conv"));
    EXPECT_THAT(messageOf(plotOf("mixture", "a.bmp2"), ErrorKind::Failed), HasSubstr("a.bmp2"));
    EXPECT_THAT(messageOf(plotOf("mixture", "no/such/folder/a.svg"), ErrorKind::Failed),
                HasSubstr("no/such/folder/a.svg"));
    options = plotOf("mixture", "a.svg");
    options.run = (m_folder / "absent.h5").string();
    EXPECT_THAT(messageOf(options, ErrorKind::Failed), HasSubstr("absent.h5"));
}

TEST_F(EntryTest, CapturesEveryViewOfAJobUpToAStep) {
    testing::writeTinyJob(m_folder / "tiny.toml", 200);
    WindowOptions options;
    options.job = (m_folder / "tiny.toml").string();
    options.start = true;
    options.captureFolder = (m_folder / "pictures").string();
    options.untilStep = 3;
    options.theme = "dark";
    EXPECT_EQ(runWindow(options), 0);
    for (const char* name : {"window", "mixture", "curves", "layers", "inspector", "timeline", "log"}) {
        const fs::path path = m_folder / "pictures" / (std::string(name) + ".png");
        const QImage image(QString::fromStdString(path.string()));
        ASSERT_FALSE(image.isNull()) << path;
        EXPECT_LT(image.pixelColor(1, 1).lightness(), 90) << path << " is not dark";
    }
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "tiny.h5")) << "the run stands beside its pictures";
}

TEST_F(EntryTest, AJobNeedsNoSuffix) {
    testing::writeTinyJob(m_folder / "tiny.job", 2);
    WindowOptions options;
    options.job = (m_folder / "tiny.job").string();
    options.start = true;
    options.captureFolder = (m_folder / "pictures").string();
    EXPECT_EQ(runWindow(options), 0);
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "tiny.h5"));
}

TEST_F(EntryTest, CapturesARecordedRun) {
    testing::writeRun(m_folder / "run.h5", 3);
    WindowOptions options;
    options.open = (m_folder / "run.h5").string();
    options.captureFolder = (m_folder / "pictures").string();
    EXPECT_EQ(runWindow(options), 0);
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "window.png"));
}

TEST_F(EntryTest, CapturesARunWithoutSteps) {
    testing::writeRun(m_folder / "run.h5", 0);
    WindowOptions options;
    options.open = (m_folder / "run.h5").string();
    options.captureFolder = (m_folder / "pictures").string();
    EXPECT_EQ(runWindow(options), 0);
    EXPECT_TRUE(fs::exists(m_folder / "pictures" / "window.png"));
}

TEST_F(EntryTest, ASignalSavesAndCloses) {
    testing::writeTinyJob(m_folder / "tiny.toml", 100'000);
    WindowOptions options;
    options.job = (m_folder / "tiny.toml").string();
    options.start = true;
    options.captureFolder = (m_folder / "pictures").string();
    QTimer poll;
    QObject::connect(&poll, &QTimer::timeout, [&poll] {
        for (QWidget* widget : QApplication::topLevelWidgets()) {
            auto* window = qobject_cast<MainWindow*>(widget);
            if (!window || window->session().steps().empty()) continue;
            poll.stop();
            std::raise(SIGTERM);
        }
    });
    poll.start(20);
    EXPECT_EQ(runWindow(options), 3);
    const auto report = jobs::reportRun(m_folder / "pictures" / "tiny.h5");
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->summary.status, report::RunStatus::Stopped);
    EXPECT_FALSE(fs::exists(m_folder / "pictures" / "window.png")) << "cut short, there is nothing to show";
}

TEST_F(EntryTest, AFailedCaptureEndsWithOne) {
    WindowOptions options;
    options.captureFolder = (m_folder / "pictures").string();
    options.job = (m_folder / "absent.toml").string();
    options.start = true;
    EXPECT_EQ(runWindow(options), 1);
    options.job.clear();
    options.start = false;
    options.open = (m_folder / "absent.th").string();
    EXPECT_EQ(runWindow(options), 1);
}

TEST(JobDraft, QuotesWordsForTheShell) {
    EXPECT_EQ(shellWord("runs/a-b_1.h5"), "runs/a-b_1.h5");
    EXPECT_EQ(shellWord("my runs/it's.h5"), "'my runs/it'\\''s.h5'");
    EXPECT_EQ(shellWord(""), "''");
}

TEST_F(EntryTest, PlotsMeasuredMillisecondsOfRunsThatWereTimed) {
    testing::writeRun(m_folder / "run.h5", 3);
    testing::writeRun(m_folder / "other.h5", 3);
    PlotOptions options = plotOf("pareto", "pareto.csv");
    options.run = m_folder.path().string();
    options.cost = "milliseconds";
    const auto untimed = plotRun(options);
    ASSERT_FALSE(untimed);
    EXPECT_THAT(untimed.error().message, ::testing::HasSubstr("bitloom bench RUN"));
    report::BenchResult result;
    result.device.id = "host";
    result.device.name = "Xeon";
    result.network.resize(1);
    result.network.front().family = "k2";
    result.network.front().time = {3, 2.5, 4, 3, 3, 10, {}, {}};
    ASSERT_TRUE(jobs::keepBench(m_folder / "run.h5", result));
    const auto drawn = plotRun(options);
    ASSERT_TRUE(drawn) << drawn.error().message;
    EXPECT_EQ(drawn->figures.front(), std::pair(std::string("timed_runs"), 1.0)) << "of two runs";
    EXPECT_THAT(read("pareto.csv"), ::testing::HasSubstr(",3,2.5,4,"));
    options.device = "host";
    options.out = (m_folder / "pareto.png").string();
    EXPECT_TRUE(plotRun(options));
    options.device = "toaster";
    const auto nowhere = plotRun(options);
    ASSERT_FALSE(nowhere);
    EXPECT_THAT(nowhere.error().message, ::testing::AllOf(::testing::HasSubstr("--device toaster"),
                                                          ::testing::HasSubstr("Xeon, 1 thread")));
}

TEST(JobDraft, NeverNamesARunThatExists) {
    const bitloom::testing::TemporaryFolder folder;
    JobDraft draft;
    draft.spec.model.arch = "resnet20";
    draft.spec.quantizer.layer.components = 16;
    EXPECT_EQ(freshRunPath(draft, folder.path()), folder / "resnet20-16.h5");
    std::ofstream(folder / "resnet20-16.h5") << "run";
    EXPECT_EQ(freshRunPath(draft, folder.path()), folder / "resnet20-16-2.h5");
    draft.file = "jobs/quick.toml";
    EXPECT_EQ(freshRunPath(draft, folder.path()), folder / "quick.h5");
}

TEST(JobDraft, WritesTheJobBesideTheRunSoThatTheCommandRepeatsIt) {
    const bitloom::testing::TemporaryFolder folder;
    JobDraft draft;
    draft.spec.quantizer.layer.components = 8;
    draft.spec.quantizer.layers["layer1.0.conv1"].components = 4;
    draft.out = folder / "runs" / "net.h5";
    const auto command = prepare(draft);
    ASSERT_TRUE(command) << command.error().message;
    EXPECT_EQ(*command,
              fmt::format("bitloom train {0}/runs/net.toml --out {0}/runs/net.h5", folder.path().string()));
    const auto again = jobs::readJob(folder / "runs" / "net.toml");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->quantizer.layer.components, 8);
    EXPECT_EQ(again->quantizer.layers.at("layer1.0.conv1").components, 4);
}

TEST(JobDraft, NeverWritesOverAnotherJobFile) {
    const bitloom::testing::TemporaryFolder folder;
    std::ofstream(folder / "net.toml") << "# by hand\n";
    JobDraft draft;
    draft.out = folder / "net.h5";
    ASSERT_TRUE(prepare(draft));
    EXPECT_EQ(draft.file, folder / "net-2.toml");
    EXPECT_EQ(std::filesystem::file_size(folder / "net.toml"), 10u);
    draft.file.clear();
    ASSERT_TRUE(prepare(draft));
    EXPECT_EQ(draft.file, folder / "net-2.toml") << "the same job needs no file more";
}

TEST(JobDraft, ARecipeSetsTheRatesAndLeavesTheRest) {
    JobDraft draft;
    draft.spec.train.steps = 77;
    draft.spec.train.seed = 5;
    draft.spec.quantizer.layer.components = 4;
    applyRecipe(Recipe::Paper, draft.spec);
    EXPECT_EQ(draft.spec.train.rates.sigma, 2e-5);
    EXPECT_EQ(draft.spec.quantizer.weightGradient, quant::WeightGradient::Exact);
    applyRecipe(Recipe::ShortRun, draft.spec);
    EXPECT_EQ(draft.spec.train.rates.sigma, 0);
    EXPECT_EQ(draft.spec.train.rates.weight, 3e-2);
    EXPECT_TRUE(draft.spec.train.hardForward);
    EXPECT_EQ(draft.spec.train.decayMixture, 0);
    EXPECT_EQ(draft.spec.quantizer.weightGradient, quant::WeightGradient::StraightThrough);
    draft.spec.quantizer.layer.components = 16;
    applyRecipe(Recipe::ShortRun, draft.spec);
    EXPECT_EQ(draft.spec.train.rates.weight, 1e-3) << "wide codebooks want small steps";
    EXPECT_EQ(draft.spec.train.steps, 77);
    EXPECT_EQ(draft.spec.train.seed, 5u);
}

/// A job file of this method, size and recipe, three epochs long.
jobs::JobSpec fileWith(const std::string& method, int components, const char* recipe) {
    const std::string words[] = {fmt::format("train.recipe={}", recipe),
                                 fmt::format("quantizer.method={}", method),
                                 fmt::format("quantizer.components={}", components), "train.epochs=3"};
    const auto file = jobs::parseJob("", "recipe", ".", words);
    EXPECT_TRUE(file) << file.error().message;
    return *file;
}

TEST(JobDraft, ARecipeSetsAllThatAJobFileGetsFromItAndNothingOfAnotherStays) {
    const std::pair<Recipe, const char*> recipes[] = {{Recipe::Paper, "paper"}, {Recipe::ShortRun, "short"}};
    for (const jobs::MethodFields& from : jobs::methodFields()) {
        for (const jobs::MethodFields& to : jobs::methodFields()) {
            for (const int components : {4, 16}) {
                jobs::JobSpec spec = fileWith(from.name, components, "paper");
                spec.quantizer.layer.method = to.name;
                applyRecipe(Recipe::ShortRun, spec);
                applyRecipe(Recipe::Paper, spec);
                for (const auto& [recipe, name] : {recipes[1], recipes[0], recipes[1]}) {
                    applyRecipe(recipe, spec);
                    EXPECT_EQ(jobs::toToml(spec), jobs::toToml(fileWith(to.name, components, name)))
                        << name << " of " << to.name << " after " << from.name;
                }
            }
        }
    }
}

TEST(JobDraft, SaysWhenTheFolderCannotBeMade) {
    const bitloom::testing::TemporaryFolder folder;
    std::ofstream(folder / "file") << "in the way";
    JobDraft draft;
    draft.out = folder / "file" / "net.h5";
    const auto command = prepare(draft);
    ASSERT_FALSE(command);
    EXPECT_NE(command.error().message.find((folder / "file").string()), std::string::npos)
        << command.error().message;
}

TEST(Settings, AnInvalidValueReadsAsTheDefault) {
    const bitloom::testing::TemporaryFolder folder;
    std::ofstream(folder / "settings.ini") << "[view]\ntheme=purple\n[window]\nsplit=400\n";
    const Settings settings(QString::fromStdString((folder / "settings.ini").string()));
    EXPECT_EQ(settings.get(settings::kTheme), QStringLiteral("system"));
    EXPECT_EQ(settings.get(settings::kSplit), 50);
}

TEST(Settings, RecentFilesAreNewestFirstWithoutRepeats) {
    const bitloom::testing::TemporaryFolder folder;
    Settings settings(QString::fromStdString((folder / "settings.ini").string()));
    for (int i = 0; i < 12; ++i)
        settings.addRecentFile(QStringLiteral("/runs/%1.h5").arg(i));
    settings.addRecentFile(QStringLiteral("/runs/5.h5"));
    const QStringList files = settings.get(settings::kRecentFiles);
    ASSERT_EQ(files.size(), settings::kRecentFilesKept);
    EXPECT_EQ(files[0], QStringLiteral("/runs/5.h5"));
    EXPECT_EQ(files[1], QStringLiteral("/runs/11.h5"));
    EXPECT_EQ(files.count(QStringLiteral("/runs/5.h5")), 1);
}

}  // namespace
}  // namespace bitloom::app
