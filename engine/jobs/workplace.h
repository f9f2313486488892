// A temporary folder of a job, for files on their way to a device.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "engine/base/result.h"

namespace bitloom::jobs {

/// Removed with all in it.
class Workplace {
  public:
    static Result<Workplace> make() {
        std::error_code error;
        const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
        if (error)
            return fail("{}: no folder for temporary files: {}; correct TMPDIR", folder.string(),
                        error.message());
        std::string name = (folder / "bitloom-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) return fail("{}: cannot be made", name);
        return Workplace(name);
    }
    ~Workplace() {
        std::error_code ignored;
        if (!m_path.empty()) std::filesystem::remove_all(m_path, ignored);
    }
    Workplace(Workplace&& other) noexcept : m_path(std::exchange(other.m_path, {})) {}
    Workplace& operator=(Workplace&&) = delete;
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return m_path / name; }

  private:
    explicit Workplace(std::filesystem::path path) : m_path(std::move(path)) {}
    std::filesystem::path m_path;
};

}  // namespace bitloom::jobs
