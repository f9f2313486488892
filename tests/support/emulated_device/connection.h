// The emulated device's end of a connection from the adb server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/emulated_device/phone.h"
#include "tests/support/emulated_device/stream.h"

namespace bitloom::testing {

class Connection {
  public:
    /// Takes the socket over.
    Connection(int socket, Phone& phone);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Serves until the other side has gone.
    void serve();

  private:
    bool send(const AdbPacket& packet);
    void handle(const AdbPacket& packet);
    void greet(const AdbPacket& packet);
    void authorize(const AdbPacket& packet);
    void sayWhoItIs();
    void askForSignature();
    void open(std::uint32_t remote, const std::string& service);

    int m_socket;
    Phone& m_phone;
    std::uint32_t m_largestPayload;
    std::mutex m_sending;
    std::uint32_t m_nextStream = 1;
    std::map<std::uint32_t, std::shared_ptr<Stream>> m_streams;  ///< by our number; the serving thread's
    std::vector<std::jthread> m_services;
};

}  // namespace bitloom::testing
