// Keeps images that are costly to make (decoded files, generated pictures) once some thread has made them. A
// second epoch then costs a copy. All members may be called from any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace bitloom::data {

class PixelCache {
  public:
    /// The images of a larger set are made anew at each reading.
    static constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;

    PixelCache(std::int64_t images, std::size_t imageBytes) : m_imageBytes(imageBytes) {
        if (images > kMostBytes / static_cast<std::int64_t>(imageBytes)) return;
        const auto count = static_cast<std::size_t>(images);
        // Not cleared: the operating system gives the pages as they are filled.
        m_pixels.reset(new (std::nothrow) std::uint8_t[count * imageBytes]);
        if (m_pixels) m_states = std::make_unique<std::atomic<State>[]>(count);
    }

    /// Copies image `index` into `pixels` if it is held.
    [[nodiscard]] bool find(std::int64_t index, std::span<std::uint8_t> pixels) const {
        const auto at = static_cast<std::size_t>(index);
        if (!m_states || m_states[at].load(std::memory_order_acquire) != State::Held) return false;
        std::copy_n(m_pixels.get() + at * m_imageBytes, m_imageBytes, pixels.begin());
        return true;
    }

    /// Stores image `index`, unless another thread does so or has done so.
    void store(std::int64_t index, std::span<const std::uint8_t> pixels) {
        const auto at = static_cast<std::size_t>(index);
        State expected = State::Empty;
        if (!m_states || !m_states[at].compare_exchange_strong(expected, State::Storing)) return;
        std::copy_n(pixels.begin(), m_imageBytes, m_pixels.get() + at * m_imageBytes);
        m_states[at].store(State::Held, std::memory_order_release);
    }

  private:
    enum class State : std::uint8_t { Empty, Storing, Held };

    std::size_t m_imageBytes;
    std::unique_ptr<std::uint8_t[]> m_pixels;
    std::unique_ptr<std::atomic<State>[]> m_states;  ///< none when the set does not fit
};

}  // namespace bitloom::data
