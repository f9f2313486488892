// What the mixture plot draws, as numbers: pure functions of a snapshot, without Qt. x in weight units, y in
// weights per bin unless said otherwise.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "engine/report/snapshot.h"

namespace bitloom::widgets {

struct Curve {
    std::vector<double> x;
    std::vector<double> y;

    void clear() {
        x.clear();
        y.clear();
    }
};

struct MixtureCurves {
    std::vector<Curve> components;  ///< pi_k N(w; mu_k, sigma_k), over mu_k +- kSpan sigma_k
    Curve sum;                      ///< of all components
    Curve soft;                     ///< y = Phi(x), weight units
    Curve hard;                     ///< y = Psi(x), weight units; a step is two points with one x
};

/// 0 of nothing.
[[nodiscard]] double largestOf(const std::vector<double>& values);

inline constexpr double kSpan = 4;  ///< a component is drawn so many sigma to each side
inline constexpr int kPointsPerComponent = 49;
inline constexpr int kPointsPerSweep = 400;  ///< of sum, soft and hard across the range

/// Fills `curves`, reusing its memory. `weights` scales densities to weights per bin. Needs bins and at least
/// one component with sigma > 0; otherwise everything is empty.
void makeMixtureCurves(const report::Mixture& mixture, const report::Histogram& bins, double weights,
                       MixtureCurves& curves);

/// Leaves out points that straight lines between the others pass by within `absolute + relative |y|` (a
/// swinging-door filter: one pass, x ascending; first and last points stay). Fewer points are what makes a
/// replot fast.
void simplify(Curve& curve, double absolute, double relative);

/// All values a histogram saw, those outside its range included.
[[nodiscard]] double total(const report::Histogram& histogram);

/// Weights that the hard assignment of one mixture covers.
[[nodiscard]] double total(const report::Mixture& mixture);

/// The bin that holds `weight`; nothing outside the range.
[[nodiscard]] std::optional<std::size_t> binAt(const report::Histogram& histogram, double weight);

/// The least of 1, 1.5, 2, 3, 4, 5, 6, 8, 10 times a power of ten that is >= value: axes that do not tremble
/// while counts change. 1 for values <= 0.
[[nodiscard]] double niceCeiling(double value);

/// Range of x that shows the whole histogram; components outside it widen nothing. {-1, 1} without bins.
[[nodiscard]] std::array<double, 2> weightRange(const report::Histogram& histogram);

}  // namespace bitloom::widgets
