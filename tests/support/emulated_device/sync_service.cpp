#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/emulated_device/services.h"

namespace bitloom::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 64 << 10;

struct Stat {
    std::uint32_t mode = 0;  ///< 0: there is no such file
    std::uint32_t size = 0;
    std::uint32_t time = 0;
};

Stat statOf(const fs::path& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return {};
    return {static_cast<std::uint32_t>(found.st_mode), static_cast<std::uint32_t>(found.st_size),
            static_cast<std::uint32_t>(found.st_mtime)};
}

std::string encoded(const Stat& stat) {
    return littleEndian(stat.mode) + littleEndian(stat.size) + littleEndian(stat.time);
}

class SyncService {
  public:
    SyncService(Stream& stream, Phone& phone) : m_stream(stream), m_reader(stream), m_phone(phone) {}

    void serve() {
        while (true) {
            const std::optional<Header> request = readHeader();
            if (!request || request->id == "QUIT") return;
            const std::optional<std::string> path = m_reader.read(request->size);
            if (!path || !answer(request->id, *path)) return;
        }
    }

  private:
    struct Header {
        std::string id;
        std::uint32_t size = 0;
    };

    std::optional<Header> readHeader() {
        const std::optional<std::string> bytes = m_reader.read(8);
        if (!bytes) return std::nullopt;
        return Header{bytes->substr(0, 4), fromLittleEndian(bytes->data() + 4)};
    }

    bool fail(const std::string& reason) {
        return m_stream.write("FAIL" + littleEndian(static_cast<std::uint32_t>(reason.size())) + reason);
    }

    /// False when the conversation is over.
    bool answer(const std::string& request, const std::string& path) {
        if (request == "SEND") return receiveFile(path);
        const std::optional<fs::path> local = m_phone.map(path);
        if (!local) return fail("not a path of this device") && false;
        if (request == "STAT") return m_stream.write("STAT" + encoded(statOf(*local)));
        if (request == "LIST") return list(*local);
        if (request == "RECV") return sendFile(*local);
        return fail("unknown request " + request) && false;
    }

    bool list(const fs::path& folder) {
        std::error_code code;
        for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
            const std::string name = entry.path().filename();
            if (!m_stream.write("DENT" + encoded(statOf(entry.path())) +
                                littleEndian(static_cast<std::uint32_t>(name.size())) + name))
                return false;
        }
        return m_stream.write("DONE" + std::string(16, '\0'));
    }

    /// "PATH,MODE", then DATA pieces, then DONE.
    bool receiveFile(const std::string& pathAndMode) {
        const std::size_t comma = pathAndMode.rfind(',');
        const std::optional<fs::path> local = m_phone.map(pathAndMode.substr(0, comma));
        if (comma == std::string::npos || !local) return discard("not a path of this device");
        const auto mode = static_cast<mode_t>(std::strtoul(pathAndMode.c_str() + comma + 1, nullptr, 10));
        std::error_code code;
        fs::create_directories(local->parent_path(), code);
        std::ofstream file(*local, std::ios::binary);
        if (!file) return discard("couldn't create file: " + code.message());
        std::string content;
        while (true) {
            const std::optional<Header> header = readHeader();
            if (!header) return false;
            if (header->id == "DONE") break;
            const std::optional<std::string> piece = m_reader.read(header->size);
            if (!piece || header->id != "DATA") return false;
            if (m_phone.fault() == Fault::VanishInPush) m_phone.vanish();
            if (m_phone.fault() == Fault::Full) {
                file.close();
                fs::remove(*local, code);
                return discard("write failed: No space left on device");
            }
            content += *piece;
        }
        if (m_phone.fault() == Fault::ShortPush)
            content.resize(content.size() - std::min<std::size_t>(content.size(), 7));
        file << content;
        file.close();
        ::chmod(local->c_str(), (mode & 0777) | ((mode >> 3) & 0070));
        return m_stream.write("OKAY" + littleEndian(0));
    }

    /// Tells the failure and drops the rest of the file, as adbd does: a close could overtake the message.
    bool discard(const std::string& reason) {
        if (!fail(reason)) return false;
        while (true) {
            const std::optional<Header> header = readHeader();
            if (!header) return false;
            if (header->id == "DONE") return true;
            if (!m_reader.read(header->size)) return false;
        }
    }

    bool sendFile(const fs::path& path) {
        std::ifstream file(path, std::ios::binary);
        if (!file || !fs::is_regular_file(path)) return fail("open failed: No such file or directory");
        std::string piece(kPiece, '\0');
        while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
            const auto count = static_cast<std::size_t>(file.gcount());
            const std::string header = "DATA" + littleEndian(static_cast<std::uint32_t>(count));
            if (m_phone.fault() == Fault::VanishInPull) {
                m_stream.write(header + piece.substr(0, count / 2));
                m_phone.vanish();
            }
            if (!m_stream.write(header + piece.substr(0, count))) return false;
        }
        return m_stream.write("DONE" + littleEndian(0));
    }

    Stream& m_stream;
    StreamReader m_reader;
    Phone& m_phone;
};

}  // namespace

void serveSync(Stream& stream, Phone& phone) {
    SyncService(stream, phone).serve();
    stream.close();
}

}  // namespace bitloom::testing
