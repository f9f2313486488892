// Files that are either whole or absent: written under a temporary name in the same folder, fsynced, renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "engine/base/result.h"

namespace bitloom {

/// Writes `bytes` to `path` so that a crash, a full disk or a kill leaves either the old file or the new one.
/// Errors name the path and the operating system's reason. Any thread; of several calls for one path the last
/// to finish wins. Where a folder cannot be flushed to disk (some network and FUSE file systems, a folder
/// that may not be listed), that is no error: a power cut soon afterwards may then bring the old file back.
Status writeFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
Status writeFileAtomically(const std::filesystem::path& path, std::string_view text);
/// The parts one after another.
Status writeFileAtomically(const std::filesystem::path& path,
                           std::span<const std::span<const std::byte>> parts);

/// For libraries that insist on writing the file themselves: calls `write` with a temporary path beside
/// `path`, then fsyncs and renames it. When `write` fails the temporary file is removed and `path` is
/// untouched.
Status replaceFileAtomically(const std::filesystem::path& path,
                             const std::function<Status(const std::filesystem::path& temporary)>& write);

/// Removes the temporary files that killed processes left beside `path`. For callers who know that nothing
/// else is writing `path` at the moment.
void removeAbandonedTemporaries(const std::filesystem::path& path);

/// The whole file. Errors name the path. Refuses files over `maxBytes`.
Result<std::string> readFile(const std::filesystem::path& path, std::size_t maxBytes = 64u << 20);

}  // namespace bitloom
