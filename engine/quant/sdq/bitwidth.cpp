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
    constexpr double kFirstDecay = 0.9;  // Kingma and Ba, 2015
    constexpr double kSecondDecay = 0.999;
    constexpr double kEpsilon = 1e-8;
    m_lastGradient = m_gradient;
    m_gradient = 0;
    if (!isOpen()) return;
    ++m_updates;
    m_firstMoment = kFirstDecay * m_firstMoment + (1 - kFirstDecay) * m_lastGradient;
    m_secondMoment = kSecondDecay * m_secondMoment + (1 - kSecondDecay) * m_lastGradient * m_lastGradient;
    const double first = m_firstMoment / (1 - std::pow(kFirstDecay, m_updates));
    const double second = m_secondMoment / (1 - std::pow(kSecondDecay, m_updates));
    m_theta -= kRate * first / (std::sqrt(second) + kEpsilon);
}

void Bitwidth::lower() {
    --m_bits;
    m_theta = kFirstTheta;
    m_firstMoment = m_secondMoment = m_updates = 0;
}

std::vector<double> Bitwidth::state() const {
    return {static_cast<double>(m_bits), m_theta, m_firstMoment, m_secondMoment, m_updates, m_lastGradient};
}

Status Bitwidth::restore(const std::vector<double>& state) {
    const double bits = state[0];
    if (!(bits >= 1 && bits <= 8) || bits != std::floor(bits))
        return fail("saved bits are {}; 1 to 8 were expected", bits);
    m_bits = static_cast<int>(bits);
    m_theta = state[1];
    m_firstMoment = state[2];
    m_secondMoment = state[3];
    m_updates = state[4];
    m_lastGradient = state[5];
    m_gradient = 0;
    return {};
}

}  // namespace bitloom::quant::sdq
