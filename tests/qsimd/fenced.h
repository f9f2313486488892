// Memory that kernels are tested on: reading one value too many ends the program.
#pragma once

#include <cstddef>

#include <sys/mman.h>
#include <unistd.h>

namespace bitloom::testing {

/// An array whose last element is followed by a page that cannot be read.
template <class T>
class Fenced {
  public:
    explicit Fenced(std::size_t count) : m_count(count) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t readable = (count * sizeof(T) + page - 1) / page * page;
        m_bytes = readable + page;
        m_memory = static_cast<std::byte*>(
            mmap(nullptr, m_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(m_memory + readable, page, PROT_NONE);
        m_first = reinterpret_cast<T*>(m_memory + readable - count * sizeof(T));
    }
    Fenced(const Fenced&) = delete;
    Fenced& operator=(const Fenced&) = delete;
    ~Fenced() { munmap(m_memory, m_bytes); }
    T* data() { return m_first; }
    T* begin() { return m_first; }
    T* end() { return m_first + m_count; }
    T& operator[](std::size_t i) { return m_first[i]; }

  private:
    std::size_t m_count;
    std::byte* m_memory = nullptr;
    std::size_t m_bytes = 0;
    T* m_first = nullptr;
};

}  // namespace bitloom::testing
