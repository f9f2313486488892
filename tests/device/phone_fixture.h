// Tests with phones: an adb server for each, phones as the test wants them.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "engine/device/device.h"
#include "tests/device/processes.h"
#include "tests/support/adb_server.h"
#include "tests/support/emulated_phone.h"
#include "tests/support/test_paths.h"

namespace bitloom::testing {

class PhoneTest : public ::testing::Test {
  protected:
    void SetUp() override;

    /// A phone that adb has connected to.
    std::unique_ptr<EmulatedPhone> connectPhone(const std::string& fault = "none",
                                                const std::string& cpu = "cortex-a76");
    void connect(const EmulatedPhone& phone);

    /// Opens it and puts the test program there as "program"; null, with a test failure, when that fails.
    static std::unique_ptr<device::Device> openWithProgram(const EmulatedPhone& phone);

    /// The one job's folder on a phone.
    static std::filesystem::path jobFolder(const EmulatedPhone& phone);

    /// Of everything that ends by itself: generous, the machine may be busy.
    static constexpr std::chrono::milliseconds kLong = std::chrono::seconds(30);

    TemporaryFolder m_folder;
    std::unique_ptr<AdbServer> m_server;
};

}  // namespace bitloom::testing
