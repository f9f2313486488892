// HDF5 files as byte strings: built and read in memory (HDF5's core driver), so that the file itself is
// written and read by plain system calls. A full disk, a lock or a read-only folder then gives the system's
// message, and HDF5 never holds a file that it cannot flush. Private to this folder; one thread at a time
// inside HDF5.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <hdf5.h>

#include "engine/base/result.h"
#include "engine/graph/tensor.h"

namespace bitloom::exporting {

/// Owns an HDF5 identifier of any kind.
class H5Handle {
  public:
    H5Handle(hid_t id, herr_t (*close)(hid_t)) : m_id(id), m_close(close) {}
    ~H5Handle() {
        if (m_id >= 0) m_close(m_id);
    }
    H5Handle(H5Handle&& other) noexcept : m_id(other.m_id), m_close(other.m_close) { other.m_id = -1; }
    H5Handle& operator=(H5Handle&&) = delete;
    [[nodiscard]] hid_t get() const { return m_id; }
    [[nodiscard]] bool valid() const { return m_id >= 0; }

  private:
    hid_t m_id;
    herr_t (*m_close)(hid_t);
};

/// HDF5 prints every error unless told not to; while this lives, this thread's errors are only collected.
class H5Silence {
  public:
    H5Silence();
    ~H5Silence();
    H5Silence(const H5Silence&) = delete;
    H5Silence& operator=(const H5Silence&) = delete;

  private:
    H5E_auto2_t m_function = nullptr;
    void* m_data = nullptr;
};

/// "cannot <action>: <the innermost reason HDF5 gives>".
[[nodiscard]] Error h5Error(const std::string& action);

/// An HDF5 file under construction. Equal calls give equal bytes: no times are stored.
class H5Builder {
  public:
    /// `largestAttribute` bytes must fit an attribute of the root.
    [[nodiscard]] static Result<H5Builder> create(std::size_t largestAttribute);
    [[nodiscard]] hid_t root() const { return m_file.get(); }
    [[nodiscard]] Result<H5Handle> addGroup(hid_t parent, const std::string& name) const;
    [[nodiscard]] Status addTensor(hid_t parent, const std::string& name, const graph::Tensor& tensor) const;
    [[nodiscard]] Result<std::vector<std::byte>> finish() const;

  private:
    explicit H5Builder(H5Handle file) : m_file(std::move(file)) {}
    H5Handle m_file;
};

[[nodiscard]] Status writeText(hid_t object, const char* name, const std::string& text);
[[nodiscard]] Status writeIntegers(hid_t object, const char* name, const std::vector<std::int64_t>& values);

/// A reader over bytes that may be anything. Follows hard links only; the tensors it reads may not take more
/// bytes than the file has.
class H5Image {
  public:
    [[nodiscard]] static Result<H5Image> open(std::span<const std::byte> bytes);
    [[nodiscard]] hid_t root() const { return m_file.get(); }
    [[nodiscard]] Result<H5Handle> openGroup(hid_t parent, const std::string& name) const;
    [[nodiscard]] Result<std::vector<std::string>> names(hid_t group) const;
    [[nodiscard]] Result<graph::Tensor> readTensor(hid_t parent, const std::string& name);
    [[nodiscard]] Result<std::string> readText(hid_t object, const char* name) const;
    [[nodiscard]] Result<std::vector<std::int64_t>> readIntegers(hid_t object, const char* name) const;
    [[nodiscard]] static bool hasAttribute(hid_t object, const char* name);

  private:
    H5Image(H5Handle file, std::uint64_t size) : m_file(std::move(file)), m_budget(size), m_size(size) {}
    H5Handle m_file;
    std::uint64_t m_budget;
    std::uint64_t m_size;
};

}  // namespace bitloom::exporting
