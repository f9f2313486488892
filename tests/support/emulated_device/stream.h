// One adb stream: what a service of the emulated device reads from and writes to. Reading and writing block,
// with adb's flow control: one unacknowledged packet in each direction.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <string_view>

#include "tests/support/emulated_device/adb_packet.h"

namespace bitloom::testing {

class Stream {
  public:
    /// `send` delivers a packet to the computer; false when the connection has ended.
    Stream(std::uint32_t local, std::uint32_t remote, std::size_t largestPayload,
           std::function<bool(const AdbPacket&)> send);

    // For the service.
    /// The next piece; nothing once the stream is closed.
    std::optional<std::string> read();
    /// False once the stream is closed.
    bool write(std::string_view bytes);
    void close();

    // For the connection.
    void received(std::string bytes);
    void acknowledged();
    void closedByComputer();

  private:
    const std::uint32_t m_local;
    const std::uint32_t m_remote;
    const std::size_t m_largestPayload;
    const std::function<bool(const AdbPacket&)> m_send;
    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::queue<std::string> m_arrived;
    bool m_mayWrite = true;
    bool m_closed = false;
};

/// Reads a stream by numbers of bytes.
class StreamReader {
  public:
    explicit StreamReader(Stream& stream) : m_stream(stream) {}
    /// Nothing when the stream ends first.
    std::optional<std::string> read(std::size_t count);

  private:
    Stream& m_stream;
    std::string m_buffer;
};

}  // namespace bitloom::testing
