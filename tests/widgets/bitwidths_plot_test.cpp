#include "widgets/plots/bitwidths_plot.h"

#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include <gmock/gmock.h>

#include "tests/support/test_paths.h"
#include "tests/widgets/widget_data.h"
#include "widgets/plots/bitwidths_figure.h"
#include "widgets/plots/render.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::plain;
using testing::settle;

/// `layers` convolutions "layer0", "layer1" ... of 100 weights and 1,000 multiply-adds each.
report::NetworkInfo networkOf(int layers) {
    report::NetworkInfo network;
    for (int i = 0; i < layers; ++i)
        network.layers.push_back(
            {"layer" + std::to_string(i), "conv 3x3", {10, 10, 1, 1}, 100, 1000, true, 8});
    return network;
}

/// Layer i goes down from 8 bits by one every 10 + i steps and stays at 2; steps 0 to 90.
report::BitwidthTrack learnedTrack(int layer) {
    report::BitwidthTrack track{"layer" + std::to_string(layer), {}};
    for (std::int64_t step = 0; step <= 90; ++step) {
        const std::int64_t period = 10 + layer;
        const std::int64_t given = step / period;
        const double bits = std::max<double>(2, 8 - static_cast<double>(given));
        const double within = static_cast<double>(step % period) / static_cast<double>(period);
        track.append({step, bits, {0.73 - 0.4 * within, step % 2 == 0 ? 0.25 : -0.01, true}});
    }
    return track;
}

std::vector<report::BitwidthTrack> learnedTracks(int layers) {
    std::vector<report::BitwidthTrack> tracks;
    tracks.reserve(static_cast<std::size_t>(layers));
    for (int i = 0; i < layers; ++i)
        tracks.push_back(learnedTrack(i));
    return tracks;
}

class BitwidthsPlotTest : public ::testing::Test {
  protected:
    BitwidthsPlotTest() {
        m_plot.resize(900, 560);
        m_plot.show();
        settle();
    }
    void TearDown() override { applyTheme(*qApp, Theme::Light); }
    void show(int layers, const std::vector<report::BitwidthTrack>& tracks) {
        m_plot.setNetwork(networkOf(layers));
        m_plot.setTracks(tracks);
        settle();
        settle();
    }
    [[nodiscard]] QCustomPlot* figure() const {
        return m_plot.findChild<QCustomPlot*>(QStringLiteral("figure"));
    }
    [[nodiscard]] std::string readOut() const {
        return plain(m_plot.findChild<QLabel*>(QStringLiteral("readOut"))->text());
    }
    [[nodiscard]] QWidget* banner() const { return m_plot.findChild<QWidget*>(QStringLiteral("alarm")); }
    [[nodiscard]] QPoint pixelOf(int row, double step) const {
        const QCPAxisRect* rect = figure()->axisRects()[0];
        return {qRound(rect->axis(QCPAxis::atBottom)->coordToPixel(step)),
                qRound(rect->axis(QCPAxis::atLeft)->coordToPixel(row))};
    }
    /// All texts of the header strips.
    [[nodiscard]] std::string headers() const {
        QString text;
        for (QCPLayoutElement* element : figure()->plotLayout()->elements(true)) {
            const auto* strip = dynamic_cast<KeyStrip*>(element);
            for (const KeyStrip::Key& key : strip ? strip->keys() : std::vector<KeyStrip::Key>{})
                text += key.text + QLatin1Char(' ') + key.value + QLatin1Char('|');
        }
        return plain(text);
    }

    BitwidthsPlot m_plot;
};

TEST_F(BitwidthsPlotTest, IsAHintUntilThereAreTracks) {
    EXPECT_TRUE(m_plot.isEmpty());
    EXPECT_FALSE(figure()->isVisible());
    show(3, learnedTracks(3));
    EXPECT_TRUE(figure()->isVisible());
    m_plot.setNetwork(networkOf(2));
    EXPECT_TRUE(m_plot.isEmpty());
    EXPECT_FALSE(figure()->isVisible());
}

TEST_F(BitwidthsPlotTest, PointingTellsWidthProbabilityAndGradient) {
    show(3, learnedTracks(3));
    QTest::mouseMove(figure(), pixelOf(1, 6));
    EXPECT_EQ(readOut(), "step 6   layer1   8 bits with probability 0.512, else 7   gradient 0.250");
    QTest::mouseMove(figure(), {2, 2});
    EXPECT_THAT(readOut(), HasSubstr("Point to a row"));
}

TEST_F(BitwidthsPlotTest, AClickChoosesStepAndLayer) {
    show(3, learnedTracks(3));
    QSignalSpy steps(&m_plot, &BitwidthsPlot::stepSelected);
    QSignalSpy layers(&m_plot, &BitwidthsPlot::layerSelected);
    QTest::mouseClick(figure(), Qt::LeftButton, {}, pixelOf(2, 40));
    ASSERT_EQ(steps.size(), 1);
    EXPECT_EQ(steps.front().front().toLongLong(), 40);
    EXPECT_EQ(layers.front().front().toString(), QStringLiteral("layer2"));
    EXPECT_EQ(m_plot.selectedLayer(), QStringLiteral("layer2"));
    figure()->setFocus();
    QTest::keyClick(figure(), Qt::Key_Up);
    EXPECT_EQ(m_plot.selectedLayer(), QStringLiteral("layer1"));
    m_plot.selectLayer(QStringLiteral("layer0"));
    EXPECT_EQ(layers.size(), 2) << "what the program does is not told";
}

TEST_F(BitwidthsPlotTest, TotalsAreThoseOfTheStepBesideTheTarget) {
    show(2, learnedTracks(2));
    m_plot.setTarget(report::BitTarget{&report::BitTotals::bits, 2.5});
    settle();
    EXPECT_THAT(headers(), HasSubstr("step 90 2.00 bits, 50 B"));
    EXPECT_THAT(headers(), HasSubstr("target 2.5"));
    EXPECT_THAT(headers(), HasSubstr("an image " + plain(formatNumber(2 * 1000 * 2.0 * 32))));
    m_plot.setCurrentStep(0);
    EXPECT_THAT(headers(), HasSubstr("step 0 8.00 bits, 200 B"));
    m_plot.setTarget(report::BitTarget{&report::BitTotals::bytes, 60});
    settle();
    EXPECT_THAT(headers(), HasSubstr("target 60 B"));
    // The line lies where the average would be.
    const QCPGraph* line = figure()->graph(1);
    EXPECT_TRUE(line->visible());
    EXPECT_NEAR(line->data()->constBegin()->value, 60.0 * 8 / 200, 1e-9);
    m_plot.setTarget(report::BitTarget{&report::BitTotals::bitOperations, 1e5});
    settle();
    EXPECT_FALSE(line->visible());
    EXPECT_TRUE(figure()->graph(3)->visible());
    m_plot.setTarget({});
    settle();
    EXPECT_THAT(headers(), Not(HasSubstr("target")));
}

TEST_F(BitwidthsPlotTest, ALayerThatDoesNotMoveIsNamed) {
    std::vector<report::BitwidthTrack> tracks = learnedTracks(3);
    for (report::BitwidthPoint& point : tracks[1].points)
        point = {point.step, 8, {0.73, point.step < 30 ? 0.1 : 0, true}};
    QSignalSpy alarms(&m_plot, &BitwidthsPlot::alarmChanged);
    show(3, tracks);
    EXPECT_TRUE(banner()->isVisible());
    EXPECT_EQ(plain(m_plot.alarm()),
              "One bitwidth does not move: layer1 (its gradient is exactly 0 since step 30).");
    EXPECT_EQ(m_plot.findChild<QLabel*>(QStringLiteral("alarmText"))->text(), m_plot.alarm());
    m_plot.setCurrentStep(29);
    EXPECT_THAT(plain(m_plot.alarm()), HasSubstr("its probability has hardly changed since step 0"));
    m_plot.setCurrentStep(2);
    EXPECT_TRUE(m_plot.alarm().isEmpty()) << "too early to tell";
    EXPECT_FALSE(banner()->isVisible());
    m_plot.setTracks(learnedTracks(3));
    m_plot.setCurrentStep(-1);
    EXPECT_TRUE(m_plot.alarm().isEmpty());
    EXPECT_EQ(alarms.size(), 3);
}

TEST_F(BitwidthsPlotTest, FixedBitsAreShownAsSuch) {
    report::BitwidthTrack fixed{"layer0", {}};
    for (std::int64_t step = 0; step < 20; ++step)
        fixed.append({step, 4, {}});
    show(1, {fixed});
    EXPECT_THAT(headers(), HasSubstr("fixed in this run"));
    EXPECT_TRUE(m_plot.alarm().isEmpty());
    QTest::mouseMove(figure(), pixelOf(0, 6));
    EXPECT_EQ(readOut(), "step 6   layer0   4 bits, fixed");
}

TEST_F(BitwidthsPlotTest, ARunWithoutProbabilitiesIsNotCalledFixed) {
    report::BitwidthTrack older{"layer0", {}};
    for (std::int64_t step = 0; step < 20; ++step)
        older.append({step, step < 10 ? 8.0 : 5.0, {}});
    show(1, {older});
    EXPECT_THAT(headers(), HasSubstr("not recorded in this run"));
}

TEST_F(BitwidthsPlotTest, RowsThatDoNotFitAreScrolledTo) {
    show(80, learnedTracks(80));
    EXPECT_THAT(headers(), HasSubstr("of 80, wheel to scroll"));
    const QCPAxis* rows = figure()->axisRects()[0]->axis(QCPAxis::atLeft);
    EXPECT_EQ(rows->range().lower, -0.5);
    QWheelEvent down(pixelOf(3, 40), figure()->mapToGlobal(pixelOf(3, 40)), {}, {0, -120}, Qt::NoButton,
                     Qt::NoModifier, Qt::NoScrollPhase, false);
    QApplication::sendEvent(figure(), &down);
    settle();
    EXPECT_EQ(rows->range().lower, 2.5);
    m_plot.selectLayer(QStringLiteral("layer79"));
    settle();
    EXPECT_EQ(rows->range().upper, 79.5);
    m_plot.selectLayer(QStringLiteral("layer0"));
    settle();
    EXPECT_EQ(rows->range().lower, -0.5);
}

TEST_F(BitwidthsPlotTest, ValuesAreSavedWhole) {
    show(1, learnedTracks(1));
    const std::string csv = m_plot.csv().toStdString();
    EXPECT_THAT(csv, ::testing::StartsWith("layer,step,bits,probability,gradient,open,bytes,bit_operations\n"
                                           "layer0,0,8,0.73,0.25,true,,\n"));
    EXPECT_THAT(csv, HasSubstr("(all),0,8,,,,100,256000\n"));
    EXPECT_THAT(csv, HasSubstr("(all),60,2,,,,25,64000\n"));
}

TEST_F(BitwidthsPlotTest, IsDrawnInBothThemesAndAsVectors) {
    show(18, learnedTracks(18));
    const testing::TemporaryFolder folder;
    for (const Theme theme : {Theme::Light, Theme::Dark}) {
        applyTheme(*qApp, theme);
        settle();
        for (const char* name : {"figure.png", "figure.svg", "figure.pdf"}) {
            QString error;
            EXPECT_TRUE(renderToFile(m_plot, QString::fromStdString((folder / name).string()), &error))
                << error.toStdString();
        }
        const QImage image(QString::fromStdString((folder / "figure.png").string()));
        EXPECT_EQ(image.pixelColor(2, image.height() - 3), colors().panel);
    }
}

}  // namespace
}  // namespace bitloom::widgets
