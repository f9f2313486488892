#include "engine/quant/sdq/bitwidth.h"

#include <cmath>

#include "engine/base/random.h"

namespace bitloom::quant::sdq {
namespace {

double sigmoid(double value) {
    return 1 / (1 + std::exp(-value));
}

}  // namespace

double Bitwidth::probability() const {
    return isOpen() ? sigmoid(m_theta) : 1;
}

Bitwidth::Sample Bitwidth::sample(std::int64_t pass) const {
    if (!isOpen()) return {};
    Random random({m_seed, static_cast<std::uint64_t>(pass)});
    const double stays = random.gumbel();
    const double leaves = random.gumbel();
    const double y = sigmoid((m_theta + stays - leaves) / kGumbelTemperature);
    return {y > 0.5, y * (1 - y) / kGumbelTemperature};
}

void Bitwidth::update() {
    m_lastGradient = m_gradient;
    m_gradient = 0;
    if (!isOpen()) return;
    m_theta -= m_moments.change(m_lastGradient, kRate, ++m_updates);
}

void Bitwidth::lower() {
    --m_bits;
    m_theta = kFirstTheta;
    m_moments = {};
    m_updates = 0;
}

std::vector<double> Bitwidth::state() const {
    return {
        static_cast<double>(m_bits), m_theta, m_moments.first, m_moments.second, m_updates, m_lastGradient,
        m_fixed ? 1.0 : 0.0};
}

Status Bitwidth::restore(const std::vector<double>& state) {
    const double bits = state[0];
    if (!(bits >= 1 && bits <= 8) || bits != std::floor(bits))
        return fail("saved bits are {}; 1 to 8 were expected", bits);
    m_bits = static_cast<int>(bits);
    m_theta = state[1];
    m_moments = {state[2], state[3]};
    m_updates = state[4];
    m_lastGradient = state[5];
    m_gradient = 0;
    m_fixed = state[6] != 0;
    return {};
}

}  // namespace bitloom::quant::sdq
