// See mixture_curves.h. One sweep over the range evaluates density, Phi and Psi together: the log scores that
// all three need are computed once a point and live in two scratch rows.
#include "widgets/plots/mixture_curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace bitloom::widgets {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr double kNegligible =
    40;  // exp(-40) is below the last digit; most components are that far from a weight

struct Terms {
    double mu = 0;
    double inverseSigma = 0;
    double logFactor = kNever;  ///< log(pi / sigma)
};

struct Point {
    double density = 0;  ///< weights per unit of w, before scaling by N
    double soft = 0;
    std::size_t hard = 0;
};

class Sweep {
  public:
    explicit Sweep(const report::Mixture& mixture) : m_temperature(mixture.temperature) {
        m_terms.reserve(mixture.components.size());
        for (const report::MixtureComponent& component : mixture.components) {
            if (!(component.sigma > 0)) continue;
            m_terms.push_back({component.mu, 1 / component.sigma, std::log(component.pi / component.sigma)});
        }
        m_scores.resize(m_terms.size());
    }

    [[nodiscard]] bool empty() const { return m_terms.empty(); }
    [[nodiscard]] double centroid(std::size_t k) const { return m_terms[k].mu; }

    /// Scores every component into m_scores and returns the winner.
    std::size_t winner(double weight) {
        double best = kNever;
        std::size_t index = 0;
        for (std::size_t k = 0; k < m_terms.size(); ++k) {
            const double d = (weight - m_terms[k].mu) * m_terms[k].inverseSigma;
            m_scores[k] = m_terms[k].logFactor - 0.5 * d * d;
            if (m_scores[k] <= best) continue;
            best = m_scores[k];
            index = k;
        }
        return index;
    }

    [[nodiscard]] Point at(double weight) {
        Point point;
        point.hard = winner(weight);
        const double best = m_scores[point.hard];
        if (best == kNever) return point;
        double sum = 0;
        for (double& score : m_scores)
            sum += score = score < best - kNegligible ? 0 : std::exp(score - best);
        point.density = sum * std::exp(best) / std::sqrt(2 * std::numbers::pi);
        // The second softmax, over responsibilities; the largest is 1 / sum. All that are nil share one
        // value.
        const double scale = 1 / (sum * m_temperature);
        const double nil = scale < kNegligible ? std::exp(-scale) : 0;
        double shares = 0;
        for (std::size_t k = 0; k < m_terms.size(); ++k) {
            const double share = m_scores[k] == 0 ? nil : std::exp((m_scores[k] - 1) * scale);
            point.soft += share * m_terms[k].mu;
            shares += share;
        }
        point.soft /= shares;
        return point;
    }

  private:
    double m_temperature;
    std::vector<Terms> m_terms;
    std::vector<double> m_scores;
};

/// Where the sweep is evaluated: even steps, and the flanks of components too narrow for them.
std::vector<double> sweepPoints(const report::Mixture& mixture, double low, double high) {
    const double step = (high - low) / (kPointsPerSweep - 1);
    std::vector<double> points;
    points.reserve(kPointsPerSweep + 9 * mixture.components.size());
    for (int i = 0; i < kPointsPerSweep; ++i)
        points.push_back(low + i * step);
    for (const report::MixtureComponent& component : mixture.components) {
        if (!(component.sigma > 0) || component.sigma > 2 * step) continue;
        for (int i = -4; i <= 4; ++i) {
            const double x = component.mu + 0.75 * i * component.sigma;
            if (x > low && x < high) points.push_back(x);
        }
    }
    std::sort(points.begin(), points.end());
    return points;
}

void drawComponent(const report::MixtureComponent& component, double scale, Curve& curve) {
    curve.clear();
    if (!(component.sigma > 0) || !(component.pi > 0)) return;
    for (int i = 0; i < kPointsPerComponent; ++i) {
        const double z = kSpan * (2.0 * i / (kPointsPerComponent - 1) - 1);
        const double x = component.mu + z * component.sigma;
        curve.x.push_back(x);
        curve.y.push_back(scale * report::componentDensity(component, x));
    }
}

/// Where Psi changes from `left` to `right`, found by bisection so that a step is drawn upright.
double boundary(Sweep& sweep, double left, double right) {
    const std::size_t before = sweep.winner(left);
    for (int i = 0; i < 20; ++i) {
        const double middle = 0.5 * (left + right);
        (sweep.winner(middle) == before ? left : right) = middle;
    }
    return 0.5 * (left + right);
}

}  // namespace

void makeMixtureCurves(const report::Mixture& mixture, const report::Histogram& bins, double weights,
                       MixtureCurves& curves) {
    Sweep sweep(mixture);
    const bool possible = !sweep.empty() && !bins.counts.empty() && bins.high > bins.low;
    curves.components.resize(possible ? mixture.components.size() : 0);
    for (Curve* curve : {&curves.sum, &curves.soft, &curves.hard})
        curve->clear();
    if (!possible) return;
    const double scale = weights * bins.binWidth();
    for (std::size_t k = 0; k < mixture.components.size(); ++k) {
        drawComponent(mixture.components[k], scale, curves.components[k]);
    }
    const std::vector<double> points = sweepPoints(mixture, bins.low, bins.high);
    std::size_t before = sweep.at(points.front()).hard;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const double x = points[i];
        const Point point = sweep.at(x);
        curves.sum.x.push_back(x);
        curves.sum.y.push_back(scale * point.density);
        curves.soft.x.push_back(x);
        curves.soft.y.push_back(point.soft);
        if (point.hard != before) {
            const double edge = boundary(sweep, points[i - 1], x);
            curves.hard.x.insert(curves.hard.x.end(), {edge, edge});
            curves.hard.y.insert(curves.hard.y.end(), {sweep.centroid(before), sweep.centroid(point.hard)});
            before = point.hard;
        }
        if (i == 0 || i + 1 == points.size()) {
            curves.hard.x.push_back(x);
            curves.hard.y.push_back(sweep.centroid(point.hard));
        }
    }
    simplify(curves.sum, 1e-4 * largestOf(curves.sum.y), 2e-3);
    const auto [least, most] = std::minmax_element(curves.soft.y.begin(), curves.soft.y.end());
    simplify(curves.soft, 5e-4 * (*most - *least), 0);
}

void simplify(Curve& curve, double absolute, double relative) {
    const std::size_t count = curve.x.size();
    if (count < 3) return;
    std::size_t kept = 0;  // the anchor: points [0, kept] are final
    double least = kNever;
    double most = -kNever;
    for (std::size_t i = 1; i < count; ++i) {
        const double run = curve.x[i] - curve.x[kept];
        const double rise = curve.y[i] - curve.y[kept];
        const double slope = run > 0 ? rise / run : 0;
        const bool fits = run > 0 && slope >= least && slope <= most;
        if (i > 1 && !fits) {
            ++kept;
            curve.x[kept] = curve.x[i - 1];
            curve.y[kept] = curve.y[i - 1];
            least = kNever;
            most = -kNever;
        }
        const double width = curve.x[i] - curve.x[kept];
        const double tolerance = absolute + relative * std::abs(curve.y[i]);
        if (width <= 0) continue;
        least = std::max(least, (curve.y[i] - curve.y[kept] - tolerance) / width);
        most = std::min(most, (curve.y[i] - curve.y[kept] + tolerance) / width);
    }
    ++kept;
    curve.x[kept] = curve.x[count - 1];
    curve.y[kept] = curve.y[count - 1];
    curve.x.resize(kept + 1);
    curve.y.resize(kept + 1);
}

double total(const report::Histogram& histogram) {
    double sum = static_cast<double>(histogram.below) + static_cast<double>(histogram.above);
    for (const std::uint32_t count : histogram.counts)
        sum += count;
    return sum;
}

double total(const report::Mixture& mixture) {
    double sum = 0;
    for (const report::MixtureComponent& component : mixture.components)
        sum += static_cast<double>(component.count);
    return sum;
}

std::optional<std::size_t> binAt(const report::Histogram& histogram, double weight) {
    if (histogram.counts.empty() || !(weight >= histogram.low) || !(weight < histogram.high))
        return std::nullopt;
    const auto bin = static_cast<std::size_t>((weight - histogram.low) / histogram.binWidth());
    return std::min(bin, histogram.counts.size() - 1);
}

double largestOf(const std::vector<double>& values) {
    const auto at = std::max_element(values.begin(), values.end());
    return at == values.end() ? 0 : *at;
}

double niceCeiling(double value) {
    if (!(value > 0) || !std::isfinite(value)) return 1;
    const double power = std::pow(10, std::floor(std::log10(value)));
    for (const double factor : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0}) {
        if (factor * power >= value) return factor * power;
    }
    return 10 * power;
}

std::array<double, 2> weightRange(const report::Histogram& histogram) {
    if (histogram.counts.empty() || !(histogram.high > histogram.low)) return {-1, 1};
    return {histogram.low, histogram.high};
}

}  // namespace bitloom::widgets
