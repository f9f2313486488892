#include "tests/support/emulated_device/stream.h"

#include <utility>

namespace bitloom::testing {

Stream::Stream(std::uint32_t local, std::uint32_t remote, std::size_t largestPayload,
               std::function<bool(const AdbPacket&)> send)
    : m_local(local), m_remote(remote), m_largestPayload(largestPayload), m_send(std::move(send)) {}

std::optional<std::string> Stream::read() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [this] { return !m_arrived.empty() || m_closed; });
    if (m_arrived.empty()) return std::nullopt;
    std::string bytes = std::move(m_arrived.front());
    m_arrived.pop();
    const bool open = !m_closed;
    lock.unlock();
    if (open) m_send({kOkay, m_local, m_remote, {}});
    return bytes;
}

bool Stream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        std::unique_lock lock(m_mutex);
        m_changed.wait(lock, [this] { return m_mayWrite || m_closed; });
        if (m_closed) return false;
        m_mayWrite = false;
        lock.unlock();
        const std::string_view piece = bytes.substr(0, m_largestPayload);
        if (!m_send({kWrite, m_local, m_remote, std::string(piece)})) return false;
        bytes.remove_prefix(piece.size());
    }
    return true;
}

void Stream::close() {
    {
        const std::lock_guard lock(m_mutex);
        if (m_closed) return;
        m_closed = true;
        m_changed.notify_all();
    }
    m_send({kClose, m_local, m_remote, {}});
}

void Stream::received(std::string bytes) {
    const std::lock_guard lock(m_mutex);
    m_arrived.push(std::move(bytes));
    m_changed.notify_all();
}

void Stream::acknowledged() {
    const std::lock_guard lock(m_mutex);
    m_mayWrite = true;
    m_changed.notify_all();
}

void Stream::closedByComputer() {
    const std::lock_guard lock(m_mutex);
    m_closed = true;
    m_changed.notify_all();
}

std::optional<std::string> StreamReader::read(std::size_t count) {
    while (m_buffer.size() < count) {
        std::optional<std::string> bytes = m_stream.read();
        if (!bytes) return std::nullopt;
        m_buffer += *bytes;
    }
    std::string taken = m_buffer.substr(0, count);
    m_buffer.erase(0, count);
    return taken;
}

}  // namespace bitloom::testing
