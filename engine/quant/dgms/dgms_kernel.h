// Vectorised soft quantization of one block of weights and its exact gradients (dgms/README.md sections 2 to
// 4). Works weight by weight with the few components of its segment; nothing of size K x N exists. No
// libtorch; any thread.
//
// Everything inside a segment is computed in double: r enters the second softmax divided by tau, so an
// absolute error of 1e-7 in u becomes 1e-5 in Phi's slope, and float32 cannot hold u (values up to thousands)
// to 1e-7. Only about one weight in seven lies in a segment, so this costs little.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/quant/dgms/cell_table.h"

namespace bitloom::quant::dgms {

/// Weights a kernel call takes at most. Sums are formed per block and added in block order, so results do not
/// depend on the number of threads.
inline constexpr std::size_t kBlockSize = 8192;

/// Weights that make a second thread worth waking.
inline constexpr std::int64_t kParallelGrain = 16384;

struct MixtureTable {
    Components components;
    CellTable cells;
};

/// Sums over weights that the parameter gradients are made of (dgms/README.md section 3, G = dL/dPhi): a row
/// holds, for K components and S segments, F[K], A0[K], A1[K], A2[K], C, far[S]. far_s is to be added to F of
/// every far component of segment s.
struct SumLayout {
    explicit SumLayout(const MixtureTable& table)
        : components(table.components.mu.size()), segments(table.cells.segments.size()) {}
    std::size_t components;
    std::size_t segments;
    [[nodiscard]] std::size_t a0() const { return components; }
    [[nodiscard]] std::size_t a1() const { return 2 * components; }
    [[nodiscard]] std::size_t a2() const { return 3 * components; }
    [[nodiscard]] std::size_t c() const { return 4 * components; }
    [[nodiscard]] std::size_t far() const { return 4 * components + 1; }
    [[nodiscard]] std::size_t size() const { return 4 * components + 1 + segments; }
};

/// Smallest and largest weight; `finite` is false when any is NaN or infinite (then the ends mean nothing).
struct WeightRange {
    double low = 0;
    double high = 0;
    bool finite = true;
};
[[nodiscard]] WeightRange rangeOf(const float* weights, std::size_t count);
[[nodiscard]] WeightRange rangeOf(const double* weights, std::size_t count);

/// Phi of `count` <= kBlockSize weights.
void softForward(const MixtureTable& table, const float* weights, std::size_t count, float* soft);
void softForward(const MixtureTable& table, const double* weights, std::size_t count, double* soft);

/// Psi of `count` <= kBlockSize weights: mu of argmax u, the lowest index on ties.
void hardForward(const MixtureTable& table, const float* weights, std::size_t count, float* hard);
void hardForward(const MixtureTable& table, const double* weights, std::size_t count, double* hard);

/// Gradients of one block: adds to `sums` (SumLayout), writes dL/dw to `weightGradients` unless it is null.
void softBackward(const MixtureTable& table, const float* weights, const float* gradients, std::size_t count,
                  double* sums, float* weightGradients);
void softBackward(const MixtureTable& table, const double* weights, const double* gradients,
                  std::size_t count, double* sums, double* weightGradients);

/// The instruction set that the kernels of this process use: "AVX3", "AVX2", ...
[[nodiscard]] const char* kernelTarget();

}  // namespace bitloom::quant::dgms
