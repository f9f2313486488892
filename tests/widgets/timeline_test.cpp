#include "widgets/controls/timeline.h"

#include <QComboBox>
#include <QImage>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"
#include "widgets/controls/scrub_bar.h"
#include "widgets/theme.h"

namespace bitloom::widgets {
namespace {

using testing::plain;
using testing::settle;

class TimelineTest : public ::testing::Test {
  protected:
    TimelineTest() {
        m_timeline.resize(900, 46);
        m_timeline.setRange(0, 600);
        m_timeline.setSteps({0, 100, 200, 300, 400});
        m_timeline.show();
        settle();
    }

    ScrubBar* bar() { return m_timeline.findChild<ScrubBar*>(); }
    QToolButton* button(const char* name) {
        return m_timeline.findChild<QToolButton*>(QString::fromUtf8(name));
    }
    std::string label() { return plain(m_timeline.findChild<QLabel*>(QStringLiteral("stepLabel"))->text()); }
    QPoint pixelOf(qint64 step) {
        return {pixelOfStep(step, 0, 600, 9, bar()->width() - 18), bar()->height() / 2};
    }

    Timeline m_timeline;
    QSignalSpy m_requested{&m_timeline, &Timeline::stepRequested};
    QSignalSpy m_following{&m_timeline, &Timeline::followingChanged};
};

TEST(ScrubBarPixels, MapBothWays) {
    EXPECT_EQ(pixelOfStep(0, 0, 100, 10, 200), 10);
    EXPECT_EQ(pixelOfStep(100, 0, 100, 10, 200), 210);
    EXPECT_EQ(pixelOfStep(999, 0, 100, 10, 200), 210);
    EXPECT_EQ(pixelOfStep(5, 5, 5, 10, 200), 10) << "a range of one step";
    EXPECT_EQ(stepOfPixel(110, 0, 100, 10, 200), 50);
    EXPECT_EQ(stepOfPixel(-40, 0, 100, 10, 200), 0);
    EXPECT_EQ(stepOfPixel(900, 0, 100, 10, 200), 100);
    EXPECT_EQ(stepOfPixel(900, 3, 3, 10, 200), 3);
    // Ten milliard steps lose nothing to rounding at the ends.
    EXPECT_EQ(stepOfPixel(210, 0, 10'000'000'000, 10, 200), 10'000'000'000);
}

TEST_F(TimelineTest, LabelSaysStepAndEpoch) {
    m_timeline.setCurrentStep(120);
    EXPECT_EQ(label(), "step 120 / 600");
    m_timeline.setEvents(
        {{100, report::EventKind::Epoch, "epoch 1"}, {200, report::EventKind::Epoch, "epoch 2"}});
    EXPECT_EQ(label(), "step 120 / 600  ·  epoch 1.20");
    m_timeline.setStepsPerEpoch(78);
    EXPECT_EQ(label(), "step 120 / 600  ·  epoch 1.54");
    EXPECT_EQ(m_requested.count(), 0);
}

TEST_F(TimelineTest, ScrubbingSnapsToRecordedSteps) {
    QTest::mouseClick(bar(), Qt::LeftButton, {}, pixelOf(215));
    ASSERT_EQ(m_requested.count(), 1);
    EXPECT_EQ(m_requested.takeFirst().at(0).toLongLong(), 200);
    EXPECT_EQ(m_timeline.currentStep(), 200);
    QTest::mouseClick(bar(), Qt::LeftButton, {}, pixelOf(590));
    EXPECT_EQ(m_requested.takeFirst().at(0).toLongLong(), 400) << "nothing is recorded beyond";
    QTest::mousePress(bar(), Qt::LeftButton, {}, pixelOf(400));
    QTest::mouseMove(bar(), pixelOf(130));
    QTest::mouseRelease(bar(), Qt::LeftButton, {}, pixelOf(130));
    EXPECT_EQ(m_timeline.currentStep(), 100);
}

TEST_F(TimelineTest, KeysStep) {
    m_timeline.setFocus();
    m_timeline.setCurrentStep(200);
    QTest::keyClick(&m_timeline, Qt::Key_Right);
    EXPECT_EQ(m_timeline.currentStep(), 300);
    QTest::keyClick(&m_timeline, Qt::Key_Left);
    QTest::keyClick(&m_timeline, Qt::Key_Left);
    EXPECT_EQ(m_timeline.currentStep(), 100);
    QTest::keyClick(&m_timeline, Qt::Key_End);
    EXPECT_EQ(m_timeline.currentStep(), 400);
    QTest::keyClick(&m_timeline, Qt::Key_Home);
    EXPECT_EQ(m_timeline.currentStep(), 0);
    EXPECT_EQ(m_requested.count(), 5);
    QTest::keyClick(&m_timeline, Qt::Key_Left);
    EXPECT_EQ(m_requested.count(), 5) << "already at the first step";
}

TEST_F(TimelineTest, FollowingKeepsToTheNewestStepAndScrubbingEndsIt) {
    QTest::mouseClick(button("follow"), Qt::LeftButton);
    EXPECT_TRUE(m_timeline.following());
    EXPECT_EQ(m_timeline.currentStep(), 400);
    EXPECT_EQ(m_requested.count(), 0) << "asking for a step by hand would end the following";
    m_timeline.setSteps({0, 100, 200, 300, 400, 500});
    EXPECT_EQ(m_timeline.currentStep(), 500);
    EXPECT_EQ(m_requested.count(), 0) << "the newest data comes by itself";
    QTest::mouseClick(bar(), Qt::LeftButton, {}, pixelOf(100));
    EXPECT_FALSE(m_timeline.following());
    EXPECT_FALSE(button("follow")->isChecked());
    EXPECT_EQ(m_following.count(), 2);
    m_timeline.setSteps({0, 100, 200, 300, 400, 500, 600});
    EXPECT_EQ(m_timeline.currentStep(), 100);
}

TEST_F(TimelineTest, PlaysToTheEndAtTheChosenSpeed) {
    m_timeline.setSpeed(16);
    EXPECT_EQ(m_timeline.speed(), 16);
    m_timeline.setFocus();
    QTest::keyClick(&m_timeline, Qt::Key_Space);
    EXPECT_TRUE(m_timeline.playing());
    // 4 steps at 160 a second.
    EXPECT_TRUE(QTest::qWaitFor([this] { return !m_timeline.playing(); }, 5000));
    EXPECT_EQ(m_timeline.currentStep(), 400);
    EXPECT_GE(m_requested.count(), 1);
    for (qsizetype i = 1; i < m_requested.count(); ++i) {
        EXPECT_GT(m_requested[i][0].toLongLong(), m_requested[i - 1][0].toLongLong());
    }
    m_requested.clear();
    QTest::mouseClick(button("play"), Qt::LeftButton);
    EXPECT_EQ(m_requested.takeFirst().at(0).toLongLong(), 0) << "playing from the end starts over";
    QTest::mouseClick(button("play"), Qt::LeftButton);
    EXPECT_FALSE(m_timeline.playing());
}

TEST_F(TimelineTest, PlayingEndsFollowing) {
    m_timeline.setFollowing(true);
    m_timeline.setPlaying(true);
    EXPECT_FALSE(m_timeline.following());
    m_timeline.setFollowing(true);
    EXPECT_FALSE(m_timeline.playing());
}

TEST_F(TimelineTest, SpeedsAreTheOfferedOnes) {
    auto* speed = m_timeline.findChild<QComboBox*>(QStringLiteral("speed"));
    EXPECT_EQ(speed->count(), 7);
    m_timeline.setSpeed(0.1);
    EXPECT_EQ(m_timeline.speed(), 0.25);
    m_timeline.setSpeed(100);
    EXPECT_EQ(m_timeline.speed(), 16);
}

TEST_F(TimelineTest, WithoutStepsNothingCanBeAsked) {
    m_timeline.setSteps({});
    m_timeline.setPlaying(true);
    EXPECT_FALSE(m_timeline.playing());
    QTest::keyClick(&m_timeline, Qt::Key_End);
    QTest::mouseClick(bar(), Qt::LeftButton, {}, pixelOf(100));
    QTest::mouseClick(button("follow"), Qt::LeftButton);
    EXPECT_EQ(m_requested.count(), 0);
    EXPECT_FALSE(button("play")->isEnabled());
}

TEST_F(TimelineTest, WithoutStepsThereIsNeitherLabelNorHandle) {
    const auto shows = [this](const QColor& color) {
        const QImage image = bar()->grab().toImage();
        for (int x = 0; x < image.width(); ++x) {
            if (image.pixelColor(x, image.height() / 2) == color) return true;
        }
        return false;
    };
    m_timeline.setCurrentStep(300);
    EXPECT_TRUE(shows(colors().accent));
    m_timeline.setSteps({});
    EXPECT_EQ(label(), "");
    EXPECT_EQ(m_timeline.currentStep(), 0);
    EXPECT_FALSE(shows(colors().disabledText));
    EXPECT_FALSE(shows(colors().accent));
    m_timeline.setSteps({0, 100});
    EXPECT_EQ(label(), "step 0 / 600");
}

TEST_F(TimelineTest, ToolTipsNameEventsNearby) {
    m_timeline.setEvents({{240, report::EventKind::Warning, "layer3: component 4 is empty"},
                          {390, report::EventKind::Checkpoint, "written"}});
    const QString text = bar()->textAt(pixelOf(240).x() + 1);
    EXPECT_TRUE(text.contains(QLatin1String("component 4 is empty"))) << text.toStdString();
    EXPECT_FALSE(text.contains(QLatin1String("written")));
    EXPECT_FALSE(bar()->grab().isNull());
}

TEST_F(TimelineTest, CallsFromTheProgramAreSilent) {
    m_timeline.setCurrentStep(300);
    m_timeline.setRange(0, 1200);
    m_timeline.setSteps({0, 600});
    EXPECT_EQ(m_requested.count(), 0);
    EXPECT_EQ(m_following.count(), 0);
}

}  // namespace
}  // namespace bitloom::widgets
