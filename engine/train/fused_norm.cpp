// Rows are split into chunks whatever the thread count, and the chunks' sums added in order, so results do
// not depend on it. Gradients: Ioffe and Szegedy 2015, section 3.
#include "engine/train/fused_norm.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include <ATen/Parallel.h>

#include "engine/train/fused_norm_kernels.h"

namespace bitloom::train {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr auto kRowsLayout = at::MemoryFormat::ChannelsLast;
constexpr std::int64_t kChunkElements = 32'768;  ///< 128 KiB of float32, enough work for one task

/// Activations as the kernels see them.
template <class T>
T* dataOf(const Tensor& tensor) {
    if constexpr (std::is_same_v<T, float>) {
        return tensor.data_ptr<float>();
    } else {
        return reinterpret_cast<T*>(tensor.data_ptr<at::BFloat16>());
    }
}

/// use(float()) or use(BFloat16Bits()), as `x` is stored.
template <class Use>
auto withStorage(const Tensor& x, const Use& use) {
    return x.scalar_type() == torch::kBFloat16 ? use(BFloat16Bits()) : use(float());
}

/// [N, C, H, W] channels-last seen as N H W rows of C, in chunks.
class Rows {
  public:
    explicit Rows(const Tensor& x)
        : m_all{x.size(0) * x.size(2) * x.size(3), x.size(1)},
          m_chunkRows(std::max<std::int64_t>(1, kChunkElements / x.size(1))) {}

    [[nodiscard]] std::int64_t rows() const { return m_all.rows; }
    [[nodiscard]] std::size_t channels() const { return static_cast<std::size_t>(m_all.channels); }
    [[nodiscard]] std::int64_t chunks() const { return (m_all.rows + m_chunkRows - 1) / m_chunkRows; }
    [[nodiscard]] std::int64_t firstRow(std::int64_t chunk) const { return chunk * m_chunkRows; }
    [[nodiscard]] Extent extent(std::int64_t chunk) const {
        return {std::min(m_chunkRows, m_all.rows - firstRow(chunk)), m_all.channels};
    }
    /// use(chunk, offset of its first element), in parallel.
    template <class Use>
    void forEachChunk(const Use& use) const {
        at::parallel_for(0, chunks(), 1, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t chunk = begin; chunk < end; ++chunk)
                use(chunk, firstRow(chunk) * m_all.channels);
        });
    }

  private:
    Extent m_all;
    std::int64_t m_chunkRows;
};

/// Two doubles a channel for every chunk, zero at first.
struct Partials {
    explicit Partials(const Rows& rows)
        : channels(rows.channels()),
          first(static_cast<std::size_t>(rows.chunks()) * channels),
          second(first.size()) {}
    [[nodiscard]] std::size_t at(std::int64_t chunk) const {
        return static_cast<std::size_t>(chunk) * channels;
    }
    std::size_t channels;
    std::vector<double> first;
    std::vector<double> second;
};

struct Statistics {
    explicit Statistics(std::size_t channels) : mean(channels), variance(channels) {}
    std::vector<double> mean;
    std::vector<double> variance;  ///< biased
};

template <class T>
Statistics batchStatistics(const Tensor& x) {
    const Rows rows(x);
    Partials partials(rows);
    const T* data = dataOf<T>(x);
    rows.forEachChunk([&](std::int64_t chunk, std::int64_t offset) {
        const std::size_t at = partials.at(chunk);
        computeMoments(data + offset, rows.extent(chunk), &partials.first[at], &partials.second[at]);
    });
    Statistics statistics(rows.channels());
    for (std::size_t c = 0; c < rows.channels(); ++c) {
        double squares = 0;
        for (std::int64_t chunk = 0; chunk < rows.chunks(); ++chunk) {
            const std::size_t at = partials.at(chunk) + c;
            mergeMoments(statistics.mean[c], squares, static_cast<double>(rows.firstRow(chunk)),
                         partials.first[at], partials.second[at],
                         static_cast<double>(rows.extent(chunk).rows));
        }
        statistics.variance[c] = squares / static_cast<double>(rows.rows());
    }
    return statistics;
}

Statistics runningStatistics(const NormTensors& norm) {
    const auto channels = static_cast<std::size_t>(norm.runningMean.numel());
    Statistics statistics(channels);
    std::copy_n(norm.runningMean.data_ptr<float>(), channels, statistics.mean.begin());
    std::copy_n(norm.runningVar.data_ptr<float>(), channels, statistics.variance.begin());
    return statistics;
}

void updateRunning(const NormTensors& norm, const Statistics& batch, double momentum, std::int64_t rows) {
    auto* mean = norm.runningMean.data_ptr<float>();
    auto* variance = norm.runningVar.data_ptr<float>();
    const double unbias = static_cast<double>(rows) / static_cast<double>(rows - 1);
    const auto blend = [&](float old, double value) {
        return static_cast<float>((1 - momentum) * static_cast<double>(old) + momentum * value);
    };
    for (std::size_t c = 0; c < batch.mean.size(); ++c) {
        mean[c] = blend(mean[c], batch.mean[c]);
        variance[c] = blend(variance[c], batch.variance[c] * unbias);
    }
}

/// What backward needs of a forward pass.
struct Saved {
    Tensor x;
    Tensor y;
    Tensor weight;
    Tensor center;
    Tensor inverse;  ///< 1 / standard deviation, float64
    bool training = false;
};

/// Per channel, over all rows, of m = gradient where y > 0.
struct GradientSums {
    std::vector<double> sum;      ///< of m
    std::vector<double> product;  ///< of m (x - center)
};

/// Also writes m to `masked` unless that is null.
template <class T>
GradientSums sumGradients(const Tensor& gradient, const Saved& saved, T* masked) {
    const Rows rows(saved.x);
    Partials partials(rows);
    rows.forEachChunk([&](std::int64_t chunk, std::int64_t offset) {
        const std::size_t at = partials.at(chunk);
        accumulateGradients<T>(dataOf<T>(gradient) + offset, dataOf<T>(saved.y) + offset,
                               dataOf<T>(saved.x) + offset, saved.center.data_ptr<float>(),
                               rows.extent(chunk), &partials.first[at], &partials.second[at],
                               masked ? masked + offset : nullptr);
    });
    GradientSums sums{std::vector<double>(rows.channels()), std::vector<double>(rows.channels())};
    for (std::int64_t chunk = 0; chunk < rows.chunks(); ++chunk) {
        for (std::size_t c = 0; c < rows.channels(); ++c) {
            sums.sum[c] += partials.first[partials.at(chunk) + c];
            sums.product[c] += partials.second[partials.at(chunk) + c];
        }
    }
    return sums;
}

struct Gradients {
    Tensor x;
    Tensor residual;  ///< undefined unless asked for
    Tensor weight;
    Tensor bias;
};

template <class T>
Gradients gradientsOf(const Tensor& gradient, const Saved& saved, bool residual) {
    Gradients result{torch::empty_like(saved.x), residual ? torch::empty_like(saved.x) : Tensor(),
                     torch::empty_like(saved.weight), torch::empty_like(saved.weight)};
    const Rows rows(saved.x);
    const GradientSums sums =
        sumGradients<T>(gradient, saved, residual ? dataOf<T>(result.residual) : nullptr);
    std::vector<float> scale(rows.channels());
    std::vector<float> slope(rows.channels(), 0.0f);
    std::vector<float> shift(rows.channels(), 0.0f);
    const auto count = static_cast<double>(rows.rows());
    for (std::size_t c = 0; c < rows.channels(); ++c) {
        const double inverse = saved.inverse.data_ptr<double>()[c];
        const double factor = static_cast<double>(saved.weight.data_ptr<float>()[c]) * inverse;
        result.weight.data_ptr<float>()[c] = static_cast<float>(sums.product[c] * inverse);
        result.bias.data_ptr<float>()[c] = static_cast<float>(sums.sum[c]);
        scale[c] = static_cast<float>(factor);
        if (!saved.training) continue;  // running statistics are constants
        slope[c] = static_cast<float>(-factor * inverse * inverse * sums.product[c] / count);
        shift[c] = static_cast<float>(-factor * sums.sum[c] / count);
    }
    rows.forEachChunk([&](std::int64_t chunk, std::int64_t offset) {
        propagateGradient<T>(dataOf<T>(gradient) + offset, dataOf<T>(saved.y) + offset,
                             dataOf<T>(saved.x) + offset, rows.extent(chunk), saved.center.data_ptr<float>(),
                             scale.data(), slope.data(), shift.data(), dataOf<T>(result.x) + offset);
    });
    return result;
}

/// The fused operation. x, residual and the gradient are channels-last and alike float32 or bfloat16, the
/// rest float32.
class NormReluFunction : public torch::autograd::Function<NormReluFunction> {
  public:
    static Tensor forward(AutogradContext* context, const Tensor& x, const c10::optional<Tensor>& residual,
                          const Tensor& weight, const Tensor& bias, const NormTensors& norm,
                          const NormOptions& options) {
        const Rows rows(x);
        const Statistics statistics = options.training
                                          ? withStorage(x, [&]<class T>(T) { return batchStatistics<T>(x); })
                                          : runningStatistics(norm);
        if (options.training) updateRunning(norm, statistics, options.momentum, rows.rows());
        const Tensor center = torch::empty_like(bias);
        const Tensor inverse = torch::empty_like(bias, torch::kFloat64);
        std::vector<float> scale(rows.channels());
        for (std::size_t c = 0; c < rows.channels(); ++c) {
            const double invert = 1.0 / std::sqrt(statistics.variance[c] + options.epsilon);
            center.data_ptr<float>()[c] = static_cast<float>(statistics.mean[c]);
            inverse.data_ptr<double>()[c] = invert;
            scale[c] = static_cast<float>(static_cast<double>(weight.data_ptr<float>()[c]) * invert);
        }
        Tensor y = torch::empty_like(x);
        withStorage(x, [&]<class T>(T) {
            rows.forEachChunk([&](std::int64_t chunk, std::int64_t offset) {
                normalizeRelu<T>(dataOf<T>(x) + offset, residual ? dataOf<T>(*residual) + offset : nullptr,
                                 rows.extent(chunk), center.data_ptr<float>(), scale.data(),
                                 bias.data_ptr<float>(), dataOf<T>(y) + offset);
            });
        });
        context->save_for_backward({x, y, weight, center, inverse});
        context->saved_data["training"] = options.training;
        context->saved_data["residual"] = residual.has_value();
        return y;
    }

    static variable_list backward(AutogradContext* context, variable_list outputs) {
        const variable_list tensors = context->get_saved_variables();
        const Saved saved{tensors[0], tensors[1], tensors[2],
                          tensors[3], tensors[4], context->saved_data["training"].toBool()};
        const Tensor gradient = outputs[0].contiguous(kRowsLayout);
        const bool residual = context->saved_data["residual"].toBool();
        const Gradients gradients =
            withStorage(saved.x, [&]<class T>(T) { return gradientsOf<T>(gradient, saved, residual); });
        return {gradients.x, gradients.residual, gradients.weight, gradients.bias, Tensor(), Tensor()};
    }
};

}  // namespace

Tensor batchNorm(const Tensor& x, const NormTensors& norm, const NormOptions& options) {
    TORCH_CHECK(!options.training || x.numel() > x.size(1),
                "batch norm needs more than one value a channel to train; use larger batches");
    return torch::batch_norm(x, norm.weight, norm.bias, norm.runningMean, norm.runningVar, options.training,
                             options.momentum, options.epsilon, /*cudnn_enabled=*/true);
}

Tensor batchNormRelu(const Tensor& x, const Tensor& residual, const NormTensors& norm,
                     const NormOptions& options) {
    const torch::ScalarType stored = x.scalar_type();
    const bool fused = x.is_cpu() && (stored == torch::kFloat32 || stored == torch::kBFloat16) &&
                       x.size(1) % kChannelTile == 0 && (!options.training || x.numel() > x.size(1));
    if (!fused) {
        const Tensor y = batchNorm(x.to(torch::kFloat32), norm, options);
        return torch::relu(residual.defined() ? y + residual : y).to(stored);
    }
    TORCH_CHECK(norm.weight.numel() == x.size(1), "a batch norm of ", x.size(1), " channels got ",
                norm.weight.numel(), " weights");
    c10::optional<Tensor> added;
    if (residual.defined()) added = residual.to(stored).contiguous(kRowsLayout);
    return NormReluFunction::apply(x.contiguous(kRowsLayout), added, norm.weight.contiguous(), norm.bias,
                                   norm, options);
}

}  // namespace bitloom::train
