#include <array>
#include <thread>

#include <poll.h>
#include <unistd.h>

#include "tests/support/emulated_device/services.h"
#include "tests/support/emulated_device/shell_process.h"

namespace bitloom::testing {
namespace {

// Packets of the shell protocol (AOSP, adb/shell_protocol.h): identifier, length in 4 bytes, data.
constexpr char kInput = 0;
constexpr char kOutput = 1;
constexpr char kErrors = 2;
constexpr char kExit = 3;
constexpr char kCloseInput = 4;

std::string packet(char identifier, std::string_view data) {
    return identifier + littleEndian(static_cast<std::uint32_t>(data.size())) + std::string(data);
}

/// Hands what the computer sends to the shell, until the stream ends.
void feedShell(Stream& stream, ShellProcess& shell, ShellProtocol protocol) {
    StreamReader reader(stream);
    while (protocol == ShellProtocol::Packets) {
        const std::optional<std::string> header = reader.read(5);
        if (!header) break;
        const std::optional<std::string> data = reader.read(fromLittleEndian(header->data() + 1));
        if (!data) break;
        if (header->front() == kInput) shell.write(*data);
        if (header->front() == kCloseInput) shell.closeInput();
    }
    while (protocol != ShellProtocol::Packets) {
        const std::optional<std::string> bytes = stream.read();
        if (!bytes) break;
        shell.write(*bytes);
    }
    shell.hangUp();
}

/// Copies one of the shell's outputs to the computer. False at its end, or the stream's.
bool forward(int from, Stream& stream, Phone& phone, ShellProtocol protocol, char identifier) {
    std::array<char, 32768> buffer;
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count <= 0) return false;
    if (phone.fault() == Fault::VanishInRun && phone.programsStarted() > 0) phone.vanish();
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    return stream.write(protocol == ShellProtocol::Packets ? packet(identifier, bytes) : std::string(bytes));
}

void forwardAll(ShellProcess& shell, Stream& stream, Phone& phone, ShellProtocol protocol) {
    std::array<pollfd, 2> outputs{};
    outputs[0] = {shell.out(), POLLIN, 0};
    outputs[1] = {shell.err(), POLLIN, 0};
    while (outputs[0].fd >= 0 || outputs[1].fd >= 0) {
        ::poll(outputs.data(), outputs.size(), -1);
        for (pollfd& output : outputs) {
            const char identifier = &output == &outputs[0] ? kOutput : kErrors;
            if (output.revents != 0 && !forward(output.fd, stream, phone, protocol, identifier))
                output.fd = -1;
            output.revents = 0;
        }
    }
}

ShellProcess::Output outputOf(ShellProtocol protocol) {
    if (protocol == ShellProtocol::Terminal) return ShellProcess::Output::Terminal;
    return protocol == ShellProtocol::Packets ? ShellProcess::Output::TwoStreams
                                              : ShellProcess::Output::OneStream;
}

}  // namespace

void serveShell(Stream& stream, Phone& phone, const std::string& command, ShellProtocol protocol) {
    const bool cleans = command.find("rm -rf") != std::string::npos;
    if (phone.fault() == Fault::VanishWhenAsked || (phone.fault() == Fault::VanishInCleanup && cleans))
        phone.vanish();
    phone.updateTemperatures();
    ShellProcess shell(phone, command, outputOf(protocol));
    std::jthread input([&] { feedShell(stream, shell, protocol); });
    forwardAll(shell, stream, phone, protocol);
    const int exitCode = shell.finish();
    if (protocol == ShellProtocol::Packets)
        stream.write(packet(kExit, std::string(1, static_cast<char>(exitCode))));
    stream.close();
}

}  // namespace bitloom::testing
