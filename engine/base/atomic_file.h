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
/// Errors name the path and the operating system's reason. Any thread.
Status writeFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
Status writeFileAtomically(const std::filesystem::path& path, std::string_view text);

/// For libraries that insist on writing the file themselves: calls `write` with a temporary path beside
/// `path`, then fsyncs and renames it. When `write` fails the temporary file is removed and `path` is
/// untouched.
Status replaceFileAtomically(const std::filesystem::path& path,
                             const std::function<Status(const std::filesystem::path& temporary)>& write);

/// The whole file as a string. Errors name the path. Refuses files over `maxBytes`.
Result<std::string> readTextFile(const std::filesystem::path& path, std::size_t maxBytes = 64u << 20);

}  // namespace bitloom
