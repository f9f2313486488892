#include "widgets/plots/pareto_plot.h"

#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>

#include <gmock/gmock.h>

#include "tests/support/test_paths.h"
#include "tests/widgets/widget_data.h"
#include "widgets/plots/pareto_figure.h"
#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using ::testing::HasSubstr;
using testing::plain;
using testing::settle;

report::RunFigures figuresOf(const std::string& name, const std::string& method, double bits, double top1,
                             const std::string& network = "resnet20") {
    report::RunFigures run;
    run.path = "/runs/" + name + ".h5";
    run.name = name;
    run.network = network;
    run.images = "cifar10";
    run.method = method;
    run.top1 = top1;
    run.top1Fp32 = 91.73;
    run.bits = bits;
    run.bytes = 50'000 * bits;
    run.bitOps = 1.3e9 * bits;
    run.status = report::RunStatus::Finished;
    return run;
}

std::vector<report::RunFigures> someRuns() {
    return {figuresOf("b4", "dgms", 4, 91.7), figuresOf("b2", "dgms", 2, 91.1),
            figuresOf("poor", "uniform", 3, 88), figuresOf("sdq", "sdq", 2.5, 91.4)};
}

class ParetoPlotTest : public ::testing::Test {
  protected:
    ParetoPlotTest() {
        m_plot.resize(900, 560);
        m_plot.show();
        settle();
    }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }
    void show(const std::vector<report::RunFigures>& runs) {
        m_plot.setRuns(runs);
        settle();
        settle();
    }
    [[nodiscard]] QCustomPlot* figure() const {
        return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure"));
    }
    [[nodiscard]] QPoint pixelOf(double cost, double top1) const {
        const QCPAxisRect* rect = figure()->axisRects()[0];
        return {qRound(rect->axis(QCPAxis::atBottom)->coordToPixel(cost)),
                qRound(rect->axis(QCPAxis::atLeft)->coordToPixel(top1))};
    }
    [[nodiscard]] std::string readOut() const {
        return plain(m_plot.findChild<QLabel*>(QStringLiteral("readOut"))->text());
    }
    [[nodiscard]] std::string note() const {
        auto* banner = m_plot.findChild<QWidget*>(QStringLiteral("alarm"));
        if (!banner->isVisible()) return {};
        return plain(banner->findChild<QLabel*>(QStringLiteral("alarmText"))->text());
    }
    [[nodiscard]] std::string legends() const {
        QString text;
        for (QCPLayoutElement* element : figure()->plotLayout()->elements(false)) {
            const auto* legend = dynamic_cast<MarkLegend*>(element);
            for (const MarkLegend::Key& key : legend ? legend->keys() : std::vector<MarkLegend::Key>{})
                text += key.text + QLatin1Char('|');
        }
        return plain(text);
    }
    void trigger(const char* name) { m_plot.findChild<QAction*>(QLatin1String(name))->trigger(); }

    ParetoPlot m_plot;
};

TEST_F(ParetoPlotTest, IsAHintUntilThereAreRuns) {
    EXPECT_TRUE(m_plot.isEmpty());
    EXPECT_FALSE(figure()->isVisible());
    show(someRuns());
    EXPECT_TRUE(figure()->isVisible());
    EXPECT_EQ(note(), "");
    EXPECT_EQ(legends(), "Methods|dgms|sdq|uniform|Network|resnet20, cifar10|");
    show({});
    EXPECT_FALSE(figure()->isVisible());
}

TEST_F(ParetoPlotTest, TheFrontJoinsWhatNoOtherBeats) {
    show(someRuns());
    const auto front = figure()->graph(0)->data();
    std::vector<std::pair<double, double>> points;
    for (const QCPGraphData& point : *front)
        points.emplace_back(point.key, point.value);
    ASSERT_EQ(points.size(), 4u) << "three runs, and on to the right";
    EXPECT_EQ(points[0], std::pair(2.0, 91.1));
    EXPECT_EQ(points[1], std::pair(2.5, 91.4));
    EXPECT_EQ(points[2], std::pair(4.0, 91.7));
    EXPECT_EQ(points[3].second, 91.7);
    EXPECT_EQ(figure()->graph(1)->data()->constBegin()->value, 91.73) << "full precision";
}

TEST_F(ParetoPlotTest, PointingTellsAClickLoadsAndTheKeyboardChooses) {
    show(someRuns());
    QSignalSpy chosen(&m_plot, &ParetoPlot::runChosen);
    QSignalSpy activated(&m_plot, &ParetoPlot::runActivated);
    QTest::mouseMove(figure(), pixelOf(2.5, 91.4));
    EXPECT_EQ(readOut(),
              "sdq   sdq   resnet20, cifar10   top-1 91.40 % (full precision less 0.33)   2.50 bits   "
              "125 kB   3.25×10⁹ BitOPs");
    EXPECT_TRUE(m_plot.chosenRun().isEmpty());
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(2.5, 91.4));
    EXPECT_EQ(m_plot.chosenRun(), QStringLiteral("/runs/sdq.h5"));
    EXPECT_EQ(chosen.size(), 1);
    ASSERT_EQ(activated.size(), 1);
    EXPECT_EQ(activated.front().front().toString(), QStringLiteral("/runs/sdq.h5"));
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(3.4, 90));
    EXPECT_EQ(activated.size(), 1) << "there is no run";
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(4, 91.7));
    EXPECT_EQ(activated.back().front().toString(), QStringLiteral("/runs/b4.h5"));
    figure()->setFocus();
    QTest::keyClick(figure(), Qt::Key_Left);
    EXPECT_EQ(m_plot.chosenRun(), QStringLiteral("/runs/poor.h5"));
    EXPECT_EQ(activated.size(), 2) << "going along the runs loads none";
    QTest::keyClick(figure(), Qt::Key_Return);
    EXPECT_EQ(activated.back().front().toString(), QStringLiteral("/runs/poor.h5"));
    m_plot.chooseRun(QStringLiteral("/runs/b2.h5"));
    EXPECT_THAT(readOut(), ::testing::StartsWith("b2"));
    show({someRuns()[0]});
    EXPECT_TRUE(m_plot.chosenRun().isEmpty()) << "not there any more";
}

TEST_F(ParetoPlotTest, TheCostIsChosen) {
    show(someRuns());
    const QCPAxis* axis = figure()->axisRects()[0]->axis(QCPAxis::atBottom);
    EXPECT_EQ(axis->label(), QStringLiteral("average bits a weight"));
    trigger("bytes");
    settle();
    EXPECT_EQ(m_plot.cost(), QStringLiteral("bytes"));
    EXPECT_EQ(axis->label(), QStringLiteral("size on disk, packed, kB"));
    EXPECT_GT(axis->range().upper, 200);
    trigger("bit_operations");
    settle();
    EXPECT_TRUE(axis->label().startsWith(QStringLiteral("bit operations")));
    m_plot.setCost(QStringLiteral("nonsense"));
    EXPECT_EQ(m_plot.cost(), QStringLiteral("bit_operations"));
}

TEST_F(ParetoPlotTest, NetworksAreKeptApart) {
    std::vector<report::RunFigures> runs = someRuns();
    runs.push_back(figuresOf("big", "dgms", 2, 93, "resnet56"));
    show(runs);
    EXPECT_THAT(legends(), HasSubstr("2 networks or image sets: compare within one alone|resnet20, cifar10"));
    EXPECT_EQ(figure()->graphCount(), 4) << "a front and a full-precision line each";
    auto* groups = m_plot.findChild<QComboBox*>(QStringLiteral("group"));
    EXPECT_TRUE(groups->isVisible());
    m_plot.setGroup(QStringLiteral("resnet56, cifar10"));
    settle();
    EXPECT_EQ(figure()->graphCount(), 2);
    EXPECT_EQ(groups->currentText(), QStringLiteral("resnet56, cifar10"));
    show(someRuns());
    EXPECT_FALSE(groups->isVisible());
    EXPECT_TRUE(m_plot.group().isEmpty());
}

TEST_F(ParetoPlotTest, WhatIsMissingIsNamed) {
    std::vector<report::RunFigures> runs = someRuns();
    runs[2].bytes = report::kNoValue;
    show(runs);
    EXPECT_EQ(note(), "");
    trigger("bytes");
    EXPECT_THAT(note(), HasSubstr("1 run has no place here yet"));
    EXPECT_THAT(note(), HasSubstr("poor"));
    m_plot.setProblems({"/runs/broken.h5: the file is damaged; copy it again"});
    EXPECT_THAT(note(), HasSubstr("Not read: /runs/broken.h5: the file is damaged"));
}

TEST_F(ParetoPlotTest, ValuesAreSaved) {
    show(someRuns());
    const std::string csv = m_plot.csv().toStdString();
    EXPECT_THAT(
        csv,
        HasSubstr("\nb2,resnet20,cifar10,dgms,finished,91.1,91.73,2,1e+05,2.6e+09,,,,true,/runs/b2.h5\n"));
    EXPECT_THAT(csv, HasSubstr(",150000,3.9e+09,,,,false,/runs/poor.h5\n"));
}

TEST_F(ParetoPlotTest, TimesOfOnePlaceStandWithTheirSpread) {
    std::vector<report::RunFigures> runs = someRuns();
    const auto time = [](const char* device, double median) {
        return report::RunTime{
            device,  std::string("Maker ") + device, false, 1, "k2", median, 0.9 * median, 1.4 * median,
            "stable"};
    };
    runs[0].times = {time("a", 4), time("b", 40)};
    runs[1].times = {time("a", 2)};
    runs[2].times = {time("b", 30)};
    show(runs);
    auto* places = m_plot.findChild<QComboBox*>(QStringLiteral("place"));
    EXPECT_FALSE(places->isVisible());
    trigger("milliseconds");
    settle();
    EXPECT_TRUE(places->isVisible());
    const QCPAxis* axis = figure()->axisRects()[0]->axis(QCPAxis::atBottom);
    EXPECT_EQ(m_plot.place().toStdString(), "Maker a, 1 thread");
    EXPECT_THAT(axis->label().toStdString(),
                HasSubstr("ms: median, p10 to p90; Maker a, 1 thread; 2 of 4 runs"));
    EXPECT_THAT(note(), HasSubstr("2 of 4 runs are shown"));
    EXPECT_GE(axis->range().upper, 1.4 * 4) << "the whole error bar";
    QTest::mouseMove(figure(), pixelOf(4, 91.7));
    EXPECT_THAT(readOut(), HasSubstr("4.00 ms (3.60 to 5.60, k2, stable)"));
    // The bar is drawn: beyond the mark stands another colour than below it.
    const QImage picture = figure()->toPixmap().toImage();
    const QPoint onBar = pixelOf(5, 91.7);
    EXPECT_NE(picture.pixel(onBar), picture.pixel(onBar + QPoint(0, 3)));
    m_plot.setPlace(QStringLiteral("Maker b, 1 thread"));
    settle();
    EXPECT_THAT(note(), HasSubstr("2 of 4 runs are shown"));
    EXPECT_GT(axis->range().upper, 40);
    EXPECT_THAT(m_plot.csv().toStdString(), HasSubstr(",40,36,56,"));
    show(someRuns());
    EXPECT_THAT(note(), HasSubstr("0 of 4 runs are shown"));
    EXPECT_FALSE(places->isVisible());
}

TEST_F(ParetoPlotTest, IsDrawnInBothThemes) {
    std::vector<report::RunFigures> runs = someRuns();
    for (int network = 0; network < 4; ++network)
        runs.push_back(figuresOf("other" + std::to_string(network), "rdhs", 1 + network, 90,
                                 "net" + std::to_string(network)));
    show(runs);
    const testing::TemporaryFolder folder;
    for (const Theme theme : {Theme::Light, Theme::Dark}) {
        applyTheme(*qApp, theme);
        settle();
        for (const char* name : {"figure.png", "figure.svg", "figure.pdf"})
            EXPECT_TRUE(renderToFile(m_plot, QString::fromStdString((folder / name).string())));
    }
}

}  // namespace
}  // namespace bitloom::widgets
