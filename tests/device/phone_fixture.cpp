#include "tests/device/phone_fixture.h"

#include <string_view>

namespace bitloom::testing {
namespace {

bool toolsAreInstalled() {
    return AdbServer::available() && !std::string_view(BITLOOM_PHONE_PROGRAM).empty();
}

}  // namespace

void PhoneTest::SetUp() {
    if (!toolsAreInstalled()) GTEST_SKIP() << "adb, aarch64-linux-gnu-g++ or qemu-aarch64 is missing";
    m_server = std::make_unique<AdbServer>();
}

std::unique_ptr<EmulatedPhone> PhoneTest::connectPhone(const std::string& fault, const std::string& cpu) {
    auto phone = std::make_unique<EmulatedPhone>(fault, cpu);
    connect(*phone);
    return phone;
}

void PhoneTest::connect(const EmulatedPhone& phone) {
    const std::string said = m_server->connect(phone.serial());
    EXPECT_EQ(said, "connected to " + phone.serial() + "\n");
}

std::unique_ptr<device::Device> PhoneTest::openWithProgram(const EmulatedPhone& phone) {
    auto opened = device::openDevice(phone.serial(), kNever, kLong);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    if (!opened) return nullptr;
    const Status put = (*opened)->put(BITLOOM_PHONE_PROGRAM, "program", kNever);
    EXPECT_TRUE(put.ok()) << put.error().message;
    return put ? std::move(*opened) : nullptr;
}

std::filesystem::path PhoneTest::jobFolder(const EmulatedPhone& phone) {
    const std::vector<std::string> folders = phone.jobFolders();
    EXPECT_EQ(folders.size(), 1u);
    return folders.empty() ? std::filesystem::path() : phone.at("/data/local/tmp/bitloom/" + folders.front());
}

}  // namespace bitloom::testing
