// RAII and typed access over HDF5's C interface, private to engine/record. Functions throw Failure with
// "cannot ...: reason; remedy"; guarded() at the folder's boundary turns it into an Error that names the
// file. Any thread: HDF5 locks itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <hdf5.h>

#include "engine/base/result.h"
#include "engine/record/append_driver.h"
#include "engine/record/schema.h"

namespace bitloom::record::h5 {

class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Throws "cannot <action>: <reason>; <remedy>" from what HDF5 noted on this thread.
[[noreturn]] void raise(const std::string& action);

/// Returns a non-negative id or status; raises otherwise.
template <class Id>
Id check(Id id, const std::string& action) {
    if (id < 0) raise(action);
    return id;
}

/// Raises for an errno.
[[noreturn]] void raiseSystemError(const std::string& action, int error);

/// Keeps HDF5 from printing errors on this thread, from now on: they all become messages.
void silenceHdf5();

/// Runs `body`; what it throws becomes an Error that begins with `path`.
template <class Body>
auto guarded(const std::filesystem::path& path, Body&& body) -> Result<decltype(body())> {
    silenceHdf5();
    try {
        if constexpr (std::is_void_v<decltype(body())>) {
            body();
            return {};
        } else {
            return body();
        }
    } catch (const std::bad_alloc&) {
        return fail("{}: not enough memory, or the file is damaged", path.string());
    } catch (const std::exception& exception) {
        return fail("{}: {}", path.string(), exception.what());
    }
}

/// Runs what HDF5 calls back from C, which no exception may cross: one becomes HDF5's sign of failure.
template <class Body>
herr_t fenced(Body&& body) noexcept {
    try {
        return body();
    } catch (...) {
        return -1;
    }
}

/// Owns one HDF5 id.
class Handle {
  public:
    using Close = herr_t (*)(hid_t);
    Handle() = default;
    Handle(hid_t id, Close close) : m_id(id), m_close(close) {}
    ~Handle() { reset(); }
    Handle(Handle&& other) noexcept
        : m_id(std::exchange(other.m_id, H5I_INVALID_HID)), m_close(other.m_close) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(m_id, other.m_id);
        std::swap(m_close, other.m_close);
        return *this;
    }
    [[nodiscard]] hid_t get() const { return m_id; }
    [[nodiscard]] bool valid() const { return m_id >= 0; }
    /// Closes now; false when HDF5 reports an error.
    bool reset();

  private:
    hid_t m_id = H5I_INVALID_HID;
    Close m_close = nullptr;
};

/// A new file that this program alone knows, for the writer to fill; SWMR starts when it is opened for
/// appending. Writes that the disk refuses are noted in `failure`, which must outlive the file.
[[nodiscard]] Handle createFile(const std::filesystem::path& path, DiskFailure& failure);
[[nodiscard]] Handle openForAppending(const std::filesystem::path& path, DiskFailure& failure);
/// `live`: a writer has the file, or had it when it was killed.
[[nodiscard]] Handle openForReading(const std::filesystem::path& path, bool live);

[[nodiscard]] Handle createGroup(hid_t parent, const std::string& name);
[[nodiscard]] Handle openGroup(hid_t parent, const std::string& name);
/// Names of the links of a group, in the order of their creation.
[[nodiscard]] std::vector<std::string> linkNames(hid_t group);
[[nodiscard]] bool hasLink(hid_t group, const std::string& name);

void writeText(hid_t object, const char* attribute, const std::string& text);
[[nodiscard]] std::string readText(hid_t object, const char* attribute);
void writeInteger(hid_t object, const char* attribute, std::int64_t value);
[[nodiscard]] std::int64_t readInteger(hid_t object, const char* attribute);
[[nodiscard]] bool hasAttribute(hid_t object, const char* attribute);

/// Size on disk, now, of the file that holds `object`, which was opened for reading. What an object claims to
/// hold cannot be more.
[[nodiscard]] std::uint64_t fileBytes(hid_t object);

/// A dataset whose first dimension is the row.
class Dataset {
  public:
    /// With no rows, growing one by one: chunked, long rows compressed one by one.
    static void create(hid_t group, const Column& column);
    /// With exactly `rows` rows, overwritten in place.
    static void createFixed(hid_t group, const Column& column, std::uint64_t rows);
    /// `forWriting` keeps the last chunk in memory; readers keep none, so that they never see a stale one.
    [[nodiscard]] static Dataset open(hid_t group, Column column, bool forWriting);

    [[nodiscard]] const Column& column() const { return m_column; }
    [[nodiscard]] hid_t get() const { return m_dataset.get(); }
    [[nodiscard]] std::uint64_t rows() const;
    /// Shape of one row, from the file.
    [[nodiscard]] std::vector<std::uint64_t> rowShape() const;
    void extend(std::uint64_t rows);
    /// `values`: `count` rows of Column's element type, dense.
    void write(std::uint64_t first, std::uint64_t count, const void* values);
    void read(std::uint64_t first, std::uint64_t count, void* values) const;
    /// Sees what another process appended.
    void refresh();

  private:
    [[nodiscard]] std::vector<hsize_t> dimensions() const;
    /// File and memory dataspaces of rows [first, first + count).
    [[nodiscard]] std::pair<Handle, Handle> select(std::uint64_t first, std::uint64_t count) const;

    Column m_column;
    Handle m_type;
    Handle m_dataset;
};

}  // namespace bitloom::record::h5
