#include "widgets/controls/device_bar.h"

#include <QAction>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStandardItemModel>
#include <QTest>
#include <QToolButton>

#include <gtest/gtest.h>

#include "tests/widgets/widget_data.h"

namespace bitloom::widgets {
namespace {

using testing::settle;

report::DeviceInfo makeDevice(const std::string& id, const std::string& name, std::size_t cores = 4) {
    report::DeviceInfo device;
    device.id = id;
    device.name = name;
    device.abi = "arm64-v8a";
    device.os = "Android 13 (API 33)";
    device.state = "device";
    device.cores.resize(cores);
    return device;
}

class DeviceBarTest : public ::testing::Test {
  protected:
    DeviceBarTest() {
        m_bar.setActions(&m_start, &m_tune, &m_cancel);
        m_bar.resize(900, 40);
        m_bar.show();
        settle();
        m_phone = makeDevice("R58", "Some Phone", 8);
    }
    std::string list() {
        std::string text;
        for (int i = 0; i < m_list->count(); ++i) {
            const auto* item = qobject_cast<QStandardItemModel*>(m_list->model())->item(i);
            text += (i == m_list->currentIndex() ? "> " : "") + item->text().toStdString() +
                    (item->isEnabled() ? "" : " (off)") + "\n";
        }
        return text;
    }
    std::string text() {
        return m_bar.findChild<QLabel*>(QStringLiteral("benchmarkText"))->text().toStdString();
    }

    QAction m_start{QStringLiteral("Benchmark")};
    QAction m_tune{QStringLiteral("Tune")};
    QAction m_cancel{QStringLiteral("Cancel")};
    DeviceBar m_bar;
    QComboBox* m_list = m_bar.findChild<QComboBox*>(QStringLiteral("deviceList"));
    QSpinBox* m_threads = m_bar.findChild<QSpinBox*>(QStringLiteral("deviceThreads"));
    report::DeviceInfo m_host = makeDevice("host", "Some Processor");
    report::DeviceInfo m_phone;
};

TEST_F(DeviceBarTest, ListsWhatCanBeUsedAndWhyTheRestCannot) {
    EXPECT_EQ(list(), "> This computer (off)\n") << "nothing was listed yet";
    EXPECT_EQ(m_bar.device(), QStringLiteral("host"));
    report::DeviceInfo emulated = makeDevice("127.0.0.1:5555", "Bitloom phone (emulated)");
    emulated.emulated = true;
    report::DeviceInfo locked = makeDevice("R59", "Other Phone");
    locked.state = "unauthorized";
    locked.problem = "allow USB debugging on its screen";
    m_bar.setDevices({m_host, emulated, locked}, {});
    EXPECT_EQ(list(),
              "> This computer: Some Processor\nBitloom phone (emulated)\nOther Phone: unauthorized (off)\n");
    EXPECT_EQ(m_list->itemData(2, Qt::ToolTipRole).toString(),
              QStringLiteral("allow USB debugging on its screen"));
}

TEST_F(DeviceBarTest, AChosenPhoneStaysChosenWhileItIsGone) {
    m_bar.setDevices({m_host, m_phone}, {});
    QSignalSpy chosen(&m_bar, &DeviceBar::deviceChosen);
    m_list->setFocus();
    QTest::keyClick(m_list, Qt::Key_Down);
    ASSERT_EQ(chosen.count(), 1);
    EXPECT_EQ(chosen.takeFirst().at(0).toString(), QStringLiteral("R58"));
    m_bar.setDevices({m_host}, {});
    EXPECT_EQ(list(), "This computer: Some Processor\n> Some Phone: unplugged (off)\n");
    EXPECT_EQ(m_bar.device(), QStringLiteral("R58"));
    m_bar.setDevices({m_host, m_phone}, {});
    EXPECT_EQ(list(), "This computer: Some Processor\n> Some Phone\n");
    EXPECT_EQ(chosen.count(), 0) << "only the person's choice is announced";
}

TEST_F(DeviceBarTest, AnUnchangedListIsLeftAlone) {
    m_bar.setDevices({m_host, m_phone}, {});
    QSignalSpy inserted(m_list->model(), &QAbstractItemModel::rowsInserted);
    m_bar.setDevices({m_host, m_phone}, {});
    EXPECT_EQ(inserted.count(), 0);
    m_bar.setDevices({m_phone, m_host}, {});
    EXPECT_GT(inserted.count(), 0);
}

TEST_F(DeviceBarTest, ThreadsEndAtTheCores) {
    m_bar.setThreads(6);
    EXPECT_EQ(m_bar.threads(), 6);
    QSignalSpy chosen(&m_bar, &DeviceBar::threadsChosen);
    m_bar.setDevices({m_host, m_phone}, {});
    EXPECT_EQ(m_bar.threads(), 4);
    EXPECT_EQ(chosen.count(), 0) << "a limit is no choice";
    QTest::keyClick(m_threads, Qt::Key_Down);
    ASSERT_EQ(chosen.count(), 1);
    EXPECT_EQ(chosen.takeFirst().at(0).toInt(), 3);
    m_bar.setDevice(QStringLiteral("R58"));
    EXPECT_EQ(m_threads->maximum(), 8);
}

TEST_F(DeviceBarTest, ShowsHowFarTheBenchmarkIs) {
    auto* cancel = m_bar.findChild<QWidget*>(QStringLiteral("benchmarkProgress"));
    m_bar.setDevices({m_host}, QStringLiteral("adb was not found; install it"));
    EXPECT_EQ(text(), "No phones: adb was not found; install it");
    EXPECT_FALSE(cancel->isVisible());
    m_bar.setRunning(true);
    m_bar.setProgress({"copying k2", 0, 0, 0, report::kNoValue});
    EXPECT_EQ(text(), "Copying k2");
    EXPECT_TRUE(cancel->isVisible());
    EXPECT_FALSE(m_list->isEnabled());
    EXPECT_FALSE(m_threads->isEnabled());
    m_bar.setRunning(false);
    EXPECT_TRUE(m_list->isEnabled());
    EXPECT_FALSE(cancel->isVisible());
}

TEST_F(DeviceBarTest, TellsWhenItIsSeen) {
    QSignalSpy shown(&m_bar, &DeviceBar::shownChanged);
    m_bar.hide();
    m_bar.show();
    ASSERT_EQ(shown.count(), 2);
    EXPECT_FALSE(shown[0].at(0).toBool());
    EXPECT_TRUE(shown[1].at(0).toBool());
}

}  // namespace
}  // namespace bitloom::widgets
