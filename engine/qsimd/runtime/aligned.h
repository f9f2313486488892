// Memory on cache-line borders.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace bitloom::qsimd {

/// An array of plain values, zeroed, at a multiple of 64 bytes. Throws std::bad_alloc.
template <class T>
class AlignedArray {
  public:
    AlignedArray() = default;
    explicit AlignedArray(std::size_t size) : m_size(size) {
        if (size == 0) return;
        m_values.reset(static_cast<T*>(::operator new(size * sizeof(T), kAlignment)));
        std::uninitialized_value_construct_n(m_values.get(), size);
    }

    [[nodiscard]] T* data() { return m_values.get(); }
    [[nodiscard]] const T* data() const { return m_values.get(); }
    [[nodiscard]] std::size_t size() const { return m_size; }
    [[nodiscard]] std::size_t bytes() const { return m_size * sizeof(T); }
    T& operator[](std::size_t i) { return m_values.get()[i]; }
    const T& operator[](std::size_t i) const { return m_values.get()[i]; }

  private:
    static constexpr std::align_val_t kAlignment{64};
    struct Free {
        void operator()(T* values) const { ::operator delete(values, kAlignment); }
    };
    std::unique_ptr<T, Free> m_values;
    std::size_t m_size = 0;
};

}  // namespace bitloom::qsimd
