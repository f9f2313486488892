#include "tests/support/emulated_device/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/emulated_device/services.h"

namespace bitloom::testing {
namespace {

constexpr std::chrono::milliseconds kSlowness{60};

/// What a stream asked for by name is served with.
using Service = void (*)(Stream&, Phone&, const std::string&);

struct KnownService {
    std::string_view start;
    Service serve;
};

void serveHang(Stream& stream, Phone&, const std::string&) {
    while (stream.read()) {
    }
}

void serveOldShell(Stream& stream, Phone& phone, const std::string& command) {
    const bool old = phone.fault() == Fault::NoExitStatus;
    serveShell(stream, phone, command, old ? ShellProtocol::Terminal : ShellProtocol::Plain);
}

void serveNewShell(Stream& stream, Phone& phone, const std::string& optionsAndCommand) {
    const std::string command = optionsAndCommand.substr(optionsAndCommand.find(':') + 1);
    serveShell(stream, phone, command, ShellProtocol::Packets);
}

void serveExec(Stream& stream, Phone& phone, const std::string& command) {
    serveShell(stream, phone, command, ShellProtocol::Plain);
}

void serveFiles(Stream& stream, Phone& phone, const std::string&) {
    serveSync(stream, phone);
}

constexpr KnownService kServices[] = {
    {"shell,v2", serveNewShell}, {"shell:", serveOldShell}, {"exec:", serveExec}, {"sync:", serveFiles}};

}  // namespace

Connection::Connection(int socket, Phone& phone)
    : m_socket(socket), m_phone(phone), m_largestPayload(kLargestPayload) {}

Connection::~Connection() {
    ::close(m_socket);
}

void Connection::serve() {
    while (const std::optional<AdbPacket> packet = readPacket(m_socket))
        handle(*packet);
    for (const auto& [number, stream] : m_streams)
        stream->closedByComputer();
    // A program that goes on would keep its service, and with it the next connection, waiting.
    m_phone.killGroups();
    m_services.clear();
}

bool Connection::send(const AdbPacket& packet) {
    if (m_phone.fault() == Fault::Slow) std::this_thread::sleep_for(kSlowness);
    const std::lock_guard lock(m_sending);
    return writePacket(m_socket, packet);
}

void Connection::handle(const AdbPacket& packet) {
    if (packet.command == kConnect) return greet(packet);
    if (packet.command == kAuth) return authorize(packet);
    if (packet.command == kOpen)
        return open(packet.first, packet.payload.substr(0, packet.payload.find('\0')));
    const auto found = m_streams.find(packet.second);
    if (found == m_streams.end()) return;
    if (packet.command == kWrite) found->second->received(packet.payload);
    if (packet.command == kOkay) found->second->acknowledged();
    if (packet.command == kClose) {
        found->second->closedByComputer();
        m_streams.erase(found);
    }
}

void Connection::greet(const AdbPacket& packet) {
    m_largestPayload = std::min(kLargestPayload, packet.second);
    const bool asks = m_phone.fault() == Fault::Unauthorized || m_phone.fault() == Fault::AsksForKey;
    asks ? askForSignature() : sayWhoItIs();
}

/// The computer signs with each of its keys; when none was accepted it shows one, and a person decides.
void Connection::authorize(const AdbPacket& packet) {
    const bool shown = packet.first == kAuthPublicKey;
    if (m_phone.fault() == Fault::AsksForKey && shown) m_phone.acceptKey();
    if (m_phone.keyAccepted()) return sayWhoItIs();
    if (!shown) askForSignature();
}

void Connection::sayWhoItIs() {
    send({kConnect, kVersion, kLargestPayload, m_phone.banner()});
}

void Connection::askForSignature() {
    constexpr std::size_t kTokenBytes = 20;
    send({kAuth, kAuthToken, 0, std::string(kTokenBytes, 't')});
}

void Connection::open(std::uint32_t remote, const std::string& service) {
    const auto* known = std::ranges::find_if(
        kServices, [&](const KnownService& candidate) { return service.starts_with(candidate.start); });
    if (known == std::end(kServices)) {
        send({kClose, 0, remote, {}});
        return;
    }
    const std::uint32_t local = m_nextStream++;
    const auto stream = std::make_shared<Stream>(local, remote, m_largestPayload,
                                                 [this](const AdbPacket& packet) { return send(packet); });
    m_streams.emplace(local, stream);
    send({kOkay, local, remote, {}});
    const Service serveIt = m_phone.fault() == Fault::Hang ? serveHang : known->serve;
    m_services.emplace_back([this, stream, serveIt, rest = service.substr(known->start.size())] {
        serveIt(*stream, m_phone, rest);
    });
}

}  // namespace bitloom::testing
