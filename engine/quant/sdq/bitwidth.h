// One trained bitwidth (README.md): of a layer, or shared by the layers of a block. Used on the thread that
// trains.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "engine/quant/adam.h"

namespace bitloom::quant::sdq {

class Bitwidth {
  public:
    static constexpr double kFirstTheta = 1;  ///< beta = 0.73
    static constexpr double kRate = 0.1;      ///< of Adam
    static constexpr double kGumbelTemperature = 1;

    /// `bits` 1 to 8.
    Bitwidth(int bits, std::uint64_t seed) : m_bits(bits), m_seed(seed) {}

    [[nodiscard]] int bits() const { return m_bits; }
    /// Whether there is a width below to choose.
    [[nodiscard]] bool isOpen() const { return m_bits > 1 && !m_fixed; }
    /// From now on it stays at bits().
    void fix() { m_fixed = true; }
    /// beta, of staying at bits(); 1 where there is nothing to choose.
    [[nodiscard]] double probability() const;

    struct Sample {
        bool stays = true;  ///< else the width below
        double slope = 0;   ///< y (1 - y) / tau_g: dy / dtheta
    };
    /// Of training step `pass`, the same for all layers that share the width.
    [[nodiscard]] Sample sample(std::int64_t pass) const;

    /// dL/dtheta of this step so far; layers and the budget add to it.
    void addGradient(double gradient) { m_gradient += gradient; }
    [[nodiscard]] double lastGradient() const { return m_lastGradient; }
    /// One step of Adam with the gradient that has been added, which starts again from 0.
    void update();

    /// Goes down one bit, with theta as at the start.
    void lower();

    /// bits, theta, Adam's moments and its steps, the last gradient, 1 where fixed.
    [[nodiscard]] std::vector<double> state() const;
    static constexpr std::int64_t kStateSize = 7;
    [[nodiscard]] Status restore(const std::vector<double>& state);

  private:
    int m_bits;
    bool m_fixed = false;
    std::uint64_t m_seed;
    double m_theta = kFirstTheta;
    AdamMoments m_moments;
    double m_updates = 0;
    double m_gradient = 0;
    double m_lastGradient = 0;
};

}  // namespace bitloom::quant::sdq
