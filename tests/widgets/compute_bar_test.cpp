#include "widgets/controls/compute_bar.h"

#include <QAction>
#include <QLabel>
#include <QProgressBar>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::plain;
using testing::settle;

class ComputeBarTest : public ::testing::Test {
  protected:
    ComputeBarTest() {
        m_bar.setActions(&m_start, &m_cancel);
        m_bar.resize(900, 40);
        m_bar.show();
        settle();
    }
    template <class Widget>
    Widget* part(const char* name) {
        return m_bar.findChild<Widget*>(QString::fromLatin1(name));
    }

    QAction m_start{QStringLiteral("Compute")};
    QAction m_cancel{QStringLiteral("Cancel")};
    ComputeBar m_bar{
        QStringLiteral("bar"),
        {{QStringLiteral("images"), QStringLiteral("&Images"), QStringLiteral("How many"), 1, 5000, 100,
          2000},
         {QStringLiteral("seed"), QStringLiteral("&Seed"), QStringLiteral("Which"), 0, 9, 1, 0}}};
};

TEST_F(ComputeBarTest, NumbersAreSetByHand) {
    EXPECT_EQ(m_bar.value(QStringLiteral("images")), 2000);
    auto* images = part<QSpinBox>("images");
    images->setFocus();
    QTest::keyClick(images, Qt::Key_Up);
    EXPECT_EQ(m_bar.value(QStringLiteral("images")), 2100);
    EXPECT_EQ(m_bar.value(QStringLiteral("seed")), 0);
}

TEST_F(ComputeBarTest, CancelTakesThePlaceOfComputeWhileItRuns) {
    QSignalSpy started(&m_start, &QAction::triggered);
    QSignalSpy cancelled(&m_cancel, &QAction::triggered);
    QTest::mouseClick(part<QToolButton>("barCompute"), Qt::LeftButton);
    EXPECT_EQ(started.size(), 1);
    m_bar.setRunning(true);
    EXPECT_FALSE(part<QToolButton>("barCompute")->isVisible());
    EXPECT_FALSE(part<QSpinBox>("images")->isEnabled());
    m_bar.setProgress({"layout, quantized", 250, 1000, 0, 12});
    EXPECT_EQ(part<QProgressBar>("barProgress")->value(), 250);
    EXPECT_EQ(plain(part<QLabel>("barText")->text()), "Layout, quantized  250 / 1 000,  12 s left");
    QTest::mouseClick(part<QToolButton>("barCancel"), Qt::LeftButton);
    EXPECT_EQ(cancelled.size(), 1);
    m_bar.setRunning(false);
    EXPECT_FALSE(part<QProgressBar>("barProgress")->isVisible());
    EXPECT_TRUE(part<QLabel>("barText")->text().isEmpty());
}

TEST_F(ComputeBarTest, ANarrowBarKeepsItsIcons) {
    m_bar.resize(420, 40);
    settle();
    EXPECT_EQ(part<QToolButton>("barCompute")->toolButtonStyle(), Qt::ToolButtonIconOnly);
}

}  // namespace
}  // namespace bitloom::widgets
