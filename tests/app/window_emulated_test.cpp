// An emulated phone in the window: a device as it describes itself through adb, not as a test would write it.
#include <QComboBox>
#include <memory>

#include <gmock/gmock.h>

#include "app/job_controller.h"
#include "engine/jobs/devices_job.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "widgets/controls/device_bar.h"

namespace bitloom::app {
namespace {

TEST(WindowEmulatedPhone, IsLabelledOnceWhereverItIsNamed) {
    if (!testing::AdbServer::available()) GTEST_SKIP() << "adb, qemu-aarch64 or the ARM compiler is missing";
    testing::AdbServer server;
    const testing::EmulatedPhone phone;
    server.connect(phone.serial());
    const auto listed = jobs::runDevicesJob({});
    ASSERT_TRUE(listed.ok()) << listed.error().message;
    ASSERT_EQ(listed->devices.size(), 2u);
    widgets::DeviceBar bar;
    bar.setDevices(listed->devices, {});
    const auto* list = bar.findChild<QComboBox*>(QStringLiteral("deviceList"));
    EXPECT_EQ(list->itemText(1).toStdString(), "Bitloom Emulated phone (emulated)");
    EXPECT_THAT(list->itemData(1, Qt::ToolTipRole).toString().toStdString(),
                ::testing::HasSubstr("int8_neondot: 1x8, 4x8, 7x8, 8x8"));
    report::BenchResult result;
    result.device = listed->devices[1];
    EXPECT_EQ(describe(result).count(QLatin1String("mulated"), Qt::CaseInsensitive), 2)
        << "in the phone's name and its label: " << describe(result).toStdString();
}

}  // namespace
}  // namespace bitloom::app
