// Counter-based random numbers: the same key gives the same stream on every machine and thread count, which
// std::distributions do not promise. SplitMix64 (Steele, Lea, Flood 2014). normal() alone takes log and cos
// from the C library, whose versions may differ in the last bit.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>

namespace bitloom {

class Random {
  public:
    /// Streams of different keys are independent: Random({seed, epoch, index}).
    explicit Random(std::initializer_list<std::uint64_t> key) {
        for (const std::uint64_t part : key)
            m_state = mix(m_state + kGamma + part);
    }

    std::uint64_t next() { return mix(m_state += kGamma); }

    /// Uniform in [0, 1).
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
    double uniform(double low, double high) { return low + (high - low) * uniform(); }

    /// Uniform integer in [0, bound); bound > 0. The bias, bound / 2^64, is below notice.
    std::uint64_t below(std::uint64_t bound) {
        return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
    }

    /// Standard normal, Box-Muller.
    double normal() {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        return radius * std::cos(2.0 * std::numbers::pi * uniform());
    }

    /// Standard Gumbel: minus the logarithm of a standard exponential; at most 691.
    double gumbel() {
        // 1 - uniform() is never 0; the smallest normal number keeps the outer logarithm finite.
        return -std::log(-std::log1p(-uniform()) + 1e-300);
    }

  private:
    __extension__ using Wide = unsigned __int128;
    static constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15u;
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::uint64_t m_state = 0;
};

}  // namespace bitloom
