#include "engine/quant/search/search_function.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <type_traits>
#include <utility>

#include <ATen/Parallel.h>

#include "engine/base/random.h"
#include "engine/quant/search/search_kernel.h"
#include "engine/quant/weight_blocks.h"

namespace bitloom::quant::search {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls body(begin, count) for every block of `total` weights, from several threads.
template <class Body>
void forEachBlock(std::int64_t total, const Body& body) {
    constexpr auto kBlock = static_cast<std::int64_t>(kBlockSize);
    const std::int64_t blocks = (total + kBlock - 1) / kBlock;
    at::parallel_for(0, blocks, kParallelGrain / kBlock, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t block = first; block < last; ++block) {
            const std::int64_t begin = block * kBlock;
            body(begin, static_cast<std::size_t>(std::min(kBlock, total - begin)));
        }
    });
}

/// L2 norm of a plane, summed block by block: the same whatever the number of threads.
double normOf(const torch::Tensor& plane) {
    if (plane.scalar_type() != torch::kFloat) return plane.norm().item<double>();
    const auto* values = plane.data_ptr<float>();
    std::vector<double> sums(static_cast<std::size_t>(plane.numel()) / kBlockSize + 1);
    forEachBlock(plane.numel(), [&](std::int64_t begin, std::size_t size) {
        sums[static_cast<std::size_t>(begin) / kBlockSize] = sumOfSquares(values + begin, size);
    });
    return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

std::int64_t weightsOf(const torch::Tensor& logits) {
    return logits.numel() / logits.size(0);
}

/// What weights, gradients and sums of these logits are computed in.
torch::Dtype computedType(const torch::Tensor& logits) {
    return logits.scalar_type() == torch::kHalf ? torch::kFloat : logits.scalar_type();
}

/// Calls body(T{}, S{}): T what is computed in, S what the logits are stored as.
template <class Body>
void withTypesOf(const torch::Tensor& logits, const Body& body) {
    if (logits.scalar_type() == torch::kHalf) return body(float{}, Half{});
    if (logits.scalar_type() == torch::kDouble) return body(double{}, double{});
    body(float{}, float{});
}

/// The logits' numbers, those of half precision as their bits.
template <class S>
S* dataOf(const torch::Tensor& logits) {
    return static_cast<S*>(logits.data_ptr());
}

/// A plane of the logits' shape and memory order.
torch::Tensor emptyPlane(const torch::Tensor& logits) {
    return torch::empty_strided(logits.sizes().slice(1), logits.strides().slice(1), computedType(logits));
}

/// `tensor` as what is computed with, in the memory order of a plane.
torch::Tensor asPlane(const torch::Tensor& tensor, const torch::Tensor& logits) {
    return arrangedLike(tensor, logits.detach().select(0, 0), computedType(logits));
}

/// A set as logits of `planes` relative rows see it: one factor with a row for each value but the first, or,
/// of a set +-e_1, ... +-e_K, a sign in the first row and magnitudes in the others (README.md section 4).
template <class T>
struct Factors {
    Factors(const std::vector<double>& values, std::int64_t planes)
        : magnitudes(values.begin(), values.end()), factored(planes + 1 < std::ssize(values)) {
        if (factored) magnitudes.erase(magnitudes.begin(), magnitudes.begin() + std::ssize(magnitudes) / 2);
    }
    [[nodiscard]] std::size_t planes() const { return magnitudes.size() - (factored ? 0 : 1); }
    [[nodiscard]] Rows<const T> magnitudeRows(Rows<const T> rows) const {
        return {rows.first + (factored ? rows.stride : 0), rows.stride};
    }
    static constexpr std::array<T, 2> kSigns = {-1, 1};

    std::vector<T> magnitudes;  ///< ascending; where there is one factor, all values
    bool factored;
};

/// What a thread keeps numbers of a block in; the names tell those apart that are in use at a time.
enum class Space { Logits, NoisyLogits, Gradients, Direction, Signs, Magnitudes };

/// From row to row of a block: where addresses differ by a multiple of 4 KiB, loads wait for stores.
constexpr std::size_t kRowStride = kBlockSize + 80;

/// Room for `rows` numbers a weight of a block, which stays with the thread from block to block.
template <Space, class T>
T* blockSpace(std::size_t rows = 1) {
    static thread_local std::vector<T> space;
    if (space.size() < rows * kRowStride) space.resize(rows * kRowStride);
    return space.data();
}

/// The rows of one block that decide, as T: the logits, or a wider or noisy copy of them.
template <class T, class S>
class BlockRows {
  public:
    BlockRows(const S* logits, std::int64_t weights, const Factors<T>& factors)
        : m_logits(logits),
          m_weights(static_cast<std::size_t>(weights)),
          m_planes(factors.planes()),
          m_factored(factors.factored) {}

    Rows<const T> at(std::int64_t begin, std::size_t count) {
        if constexpr (std::is_same_v<T, S>) {
            return {m_logits + begin, m_weights};
        } else {
            T* wide = blockSpace<Space::Logits, T>(m_planes);
            for (std::size_t k = 0; k < m_planes; ++k)
                widen(m_logits + k * m_weights + begin, count, wide + k * kRowStride);
            return {wide, kRowStride};
        }
    }

    /// The same with the noise of `choice`, if it has any. The rows of each factor are relative to a logit of
    /// its own.
    Rows<const T> noisyAt(std::int64_t begin, std::size_t count, const Choice& choice) {
        const Rows<const T> rows = at(begin, count);
        if (choice.noise == 0) return rows;
        T* noisy = blockSpace<Space::NoisyLogits, T>(m_planes);
        Random random({choice.seed, static_cast<std::uint64_t>(begin)});
        for (std::size_t i = 0; i < count; ++i) {
            double first = random.gumbel();
            for (std::size_t k = 0; k < m_planes; ++k) {
                if (m_factored && k == 1) first = random.gumbel();
                const double noise = choice.noise * (random.gumbel() - first);
                noisy[k * kRowStride + i] = rows.first[k * rows.stride + i] + static_cast<T>(noise);
            }
        }
        return {noisy, kRowStride};
    }

  private:
    const S* m_logits;
    std::size_t m_weights;
    std::size_t m_planes;
    bool m_factored;
};

template <class T>
void chooseBlock(Rows<const T> rows, const Factors<T>& factors, std::size_t count, T* chosen) {
    choose(factors.magnitudeRows(rows), std::span<const T>(factors.magnitudes), count, chosen);
    if (!factors.factored) return;
    T* signs = blockSpace<Space::Signs, T>();
    choose(rows, std::span<const T>(Factors<T>::kSigns), count, signs);
    multiply(signs, count, chosen);
}

template <class T>
void expectBlock(Rows<const T> rows, const Factors<T>& factors, T temperature, std::size_t count, T* mean) {
    expect(factors.magnitudeRows(rows), std::span<const T>(factors.magnitudes), temperature, count, mean);
    if (!factors.factored) return;
    T* signs = blockSpace<Space::Signs, T>();
    expect(rows, std::span<const T>(Factors<T>::kSigns), temperature, count, signs);
    multiply(signs, count, mean);
}

template <class T, class S>
void runForward(const torch::Tensor& logits, const Choice& choice, T* weights) {
    const Factors<T> factors(choice.weightValues(), logits.size(0));
    const std::int64_t count = weightsOf(logits);
    const S* first = dataOf<S>(logits);
    forEachBlock(count, [&](std::int64_t begin, std::size_t size) {
        BlockRows<T, S> rows(first, count, factors);
        chooseBlock<T>(rows.noisyAt(begin, size, choice), factors, size, weights + begin);
    });
}

/// The gradient of a product of a sign and a magnitude: that of each factor is the whole's times the other,
/// its mean (RDHS) or its choice (SGT, where only the sign of a magnitude matters).
template <class T>
void factoredGradient(const Choice& choice, std::span<const T> magnitudes, Rows<const T> signLogits,
                      Rows<const T> logits, const T* upstream, std::size_t count, Rows<T> result) {
    const std::span<const T> signs(Factors<T>::kSigns);
    const Rows<T> ofMagnitudes{result.first + result.stride, result.stride};
    T* sign = blockSpace<Space::Signs, T>();
    if (choice.rule == Rule::Rdhs) {
        const auto temperature = static_cast<T>(choice.temperature);
        T* magnitude = blockSpace<Space::Magnitudes, T>();
        rdhsGradient(signLogits, signs, temperature, upstream, count, result, sign);
        multiply(upstream, count, sign);
        rdhsGradient(logits, magnitudes, temperature, sign, count, ofMagnitudes, magnitude);
        multiply(magnitude, count, result.first);
        return;
    }
    const auto scale = static_cast<T>(choice.scale);
    choose(signLogits, signs, count, sign);
    multiply(upstream, count, sign);
    sgtGradient(signLogits, signs.size(), scale, choice.gradientSign, upstream, count, result);
    sgtGradient(logits, magnitudes.size(), scale, choice.gradientSign, sign, count, ofMagnitudes);
}

/// The gradient of one block of weights, into rows. The factors' values include the scale.
template <class T>
void blockGradient(const Choice& choice, const Factors<T>& factors, Rows<const T> logits, const T* upstream,
                   std::size_t count, Rows<T> result) {
    const std::span<const T> values(factors.magnitudes);
    if (factors.factored) {
        factoredGradient<T>(choice, values, logits, factors.magnitudeRows(logits), upstream, count, result);
    } else if (choice.rule == Rule::Rdhs) {
        rdhsGradient(logits, values, static_cast<T>(choice.temperature), upstream, count, result);
    } else {
        const auto scale = static_cast<T>(choice.scale);
        sgtGradient(logits, values.size(), scale, choice.gradientSign, upstream, count, result);
    }
}

template <class T>
torch::Tensor runBackward(const torch::Tensor& logits, const Choice& choice, const torch::Tensor& upstream) {
    const Factors<T> factors(choice.weightValues(), logits.size(0));
    const std::int64_t count = weightsOf(logits);
    const T* first = logits.data_ptr<T>();
    const T* gradients = upstream.data_ptr<T>();
    torch::Tensor result = torch::empty_like(logits);
    T* target = result.data_ptr<T>();
    forEachBlock(count, [&](std::int64_t begin, std::size_t size) {
        BlockRows<T, T> rows(first, count, factors);
        blockGradient<T>(choice, factors, rows.noisyAt(begin, size, choice), gradients + begin, size,
                         {target + begin, static_cast<std::size_t>(count)});
    });
    return result;
}

/// Hands the gradient of each block to `update` while it is in the cache, and writes what the block then
/// chooses to `weights` unless that is null. The update changes the rows of this block only, after they have
/// been read.
void streamBackward(const torch::Tensor& logits, const Choice& choice, const torch::Tensor& upstream,
                    const PieceUpdate& update, float* weights) {
    const Factors<float> factors(choice.weightValues(), logits.size(0));
    const std::int64_t count = weightsOf(logits);
    const auto* first = logits.data_ptr<float>();
    const auto* gradients = upstream.data_ptr<float>();
    forEachBlock(count, [&](std::int64_t begin, std::size_t size) {
        float* scratch = blockSpace<Space::Gradients, float>(factors.planes());
        BlockRows<float, float> rows(first, count, factors);
        blockGradient<float>(choice, factors, rows.noisyAt(begin, size, choice), gradients + begin, size,
                             {scratch, kRowStride});
        for (std::size_t plane = 0; plane < factors.planes(); ++plane) {
            update(static_cast<std::int64_t>(plane) * count + begin, {scratch + plane * kRowStride, size});
        }
        if (weights) chooseBlock<float>(rows.at(begin, size), factors, size, weights + begin);
    });
}

void signsOf(const float* gradients, std::size_t count, float* signs) {
    for (std::size_t i = 0; i < count; ++i)
        signs[i] = static_cast<float>((gradients[i] > 0) - (gradients[i] < 0));
}

/// The same for float16 logits: momentum averages dL/dw instead of each logit's gradient (README.md section
/// 4).
void streamStep(const torch::Tensor& logits, Choice choice, const torch::Tensor& upstream,
                const WeightStep& step, float* weights) {
    const Factors<float> factors(choice.weightValues(), logits.size(0));
    const std::int64_t count = weightsOf(logits);
    const std::size_t planes = factors.planes();
    auto* first = dataOf<Half>(logits);
    const auto* gradients = upstream.data_ptr<float>();
    const bool signs = choice.rule == Rule::Sgt && std::exchange(choice.gradientSign, false);
    if (signs) choice.scale = 1;
    forEachBlock(count, [&](std::int64_t begin, std::size_t size) {
        float* direction = blockSpace<Space::Direction, float>();
        const float* own = gradients + begin;
        if (signs) {
            signsOf(own, size, direction);
            own = direction;
        }
        smooth(own, step.average + begin, step.momentum, step.nesterov, size, direction);
        float* ofLogits = blockSpace<Space::Gradients, float>(planes);
        BlockRows<float, Half> rows(first, count, factors);
        blockGradient<float>(choice, factors, rows.noisyAt(begin, size, choice), direction, size,
                             {ofLogits, kRowStride});
        Random random({choice.seed, 1, static_cast<std::uint64_t>(begin)});
        descend({first + begin, static_cast<std::size_t>(count)}, {ofLogits, kRowStride}, planes, step.rate,
                step.decay, static_cast<std::uint32_t>(random.next()), size);
        if (weights) chooseBlock<float>(rows.at(begin, size), factors, size, weights + begin);
    });
}

struct SavedChoice : torch::CustomClassHolder {
    Choice choice;
    std::shared_ptr<GradientStream> gradientStream;
    std::shared_ptr<LastPass> last;
    torch::Tensor weight;  // the caller's

    /// Whether the weight holds the choice of `logits`. Answers true once, so that an update of the logits
    /// that leaves no trace in their version is not missed.
    [[nodiscard]] bool isChosen(const torch::Tensor& logits) const {
        const bool known = last && choice.noise == 0 && last->chosen == weight.data_ptr() &&
                           last->weightVersion == weight._version() &&
                           last->logitsVersion == logits._version();
        if (last) last->chosen = nullptr;
        return known;
    }

    void stream(const torch::Tensor& logits, const torch::Tensor& upstream) const {
        const bool writable = last && choice.noise == 0 && asPlane(weight, logits).is_alias_of(weight);
        float* target = writable ? weight.data_ptr<float>() : nullptr;
        if (gradientStream->update) {
            streamBackward(logits, choice, upstream, gradientStream->update, target);
        } else {
            streamStep(logits, choice, upstream, gradientStream->weightStep, target);
        }
        if (!writable) return;
        last->chosen = weight.data_ptr();
        last->weightVersion = weight._version();
        last->logitsVersion = logits._version();
    }
};

class ChooseFunction : public torch::autograd::Function<ChooseFunction> {
  public:
    static torch::Tensor forward(AutogradContext* context, const torch::Tensor& logits,
                                 const c10::intrusive_ptr<SavedChoice>& saved) {
        torch::Tensor weight = saved->weight;
        if (!saved->isChosen(logits)) {
            const torch::Tensor plane = asPlane(weight, logits);
            withTypesOf(logits, [&]<class T, class S>(T, S) {
                runForward<T, S>(logits, saved->choice, plane.data_ptr<T>());
            });
            if (!plane.is_alias_of(weight)) weight.copy_(plane);
        }
        context->save_for_backward({logits});
        context->saved_data["choice"] = c10::IValue::make_capsule(saved);
        return weight.variable_data();
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const torch::Tensor logits = context->get_saved_variables()[0];
        const auto holder = context->saved_data["choice"].toCapsule();
        const auto& saved = static_cast<const SavedChoice&>(*holder);
        const torch::Tensor upstream = asPlane(outputs[0], logits);
        if (saved.last) saved.last->gradientNorm = normOf(upstream);
        if (saved.gradientStream && saved.gradientStream->active()) {
            saved.stream(logits, upstream);
            return {torch::Tensor(), torch::Tensor()};
        }
        torch::Tensor gradient;
        AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "search_backward",
                                   [&] { gradient = runBackward<scalar_t>(logits, saved.choice, upstream); });
        return {gradient, torch::Tensor()};
    }
};

}  // namespace

std::vector<double> Choice::weightValues() const {
    std::vector<double> scaled = values;
    for (double& value : scaled)
        value *= scale;
    return scaled;
}

torch::Tensor emptyLogits(torch::IntArrayRef shape, std::int64_t planes, torch::Dtype dtype) {
    std::vector<std::int64_t> sizes{planes};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    if (shape.size() != 4) return torch::empty(sizes, dtype);
    return torch::empty({planes, shape[0], shape[2], shape[3], shape[1]}, dtype).permute({0, 1, 4, 2, 3});
}

torch::Tensor chooseWeights(const torch::Tensor& weight, const torch::Tensor& logits, const Choice& choice,
                            std::shared_ptr<GradientStream> stream, std::shared_ptr<LastPass> last) {
    auto saved = c10::make_intrusive<SavedChoice>();
    saved->choice = choice;
    saved->gradientStream = std::move(stream);
    saved->last = std::move(last);
    saved->weight = weight.detach();
    return ChooseFunction::apply(logits, saved);
}

torch::Tensor chosenIndices(const torch::Tensor& logits, std::int64_t values) {
    // Numbers for values; of a product +-1, ... +-K, which then close the gap at 0.
    const bool factored = logits.size(0) + 1 < values;
    Choice numbers;
    for (std::int64_t k = 0; k < values; ++k)
        numbers.values.push_back(static_cast<double>(factored ? k - values / 2 + (2 * k >= values) : k));
    torch::Tensor plane = emptyPlane(logits);
    withTypesOf(logits,
                [&]<class T, class S>(T, S) { runForward<T, S>(logits, numbers, plane.data_ptr<T>()); });
    if (factored) plane = plane + values / 2 - (plane > 0).to(plane.scalar_type());
    return plane.to(torch::kUInt8);
}

torch::Tensor expectedWeights(const torch::Tensor& logits, const std::vector<double>& values,
                              double temperature) {
    torch::Tensor plane = emptyPlane(logits);
    const std::int64_t count = weightsOf(logits);
    withTypesOf(logits, [&]<class T, class S>(T, S) {
        const Factors<T> factors(values, logits.size(0));
        const S* first = dataOf<S>(logits);
        T* target = plane.data_ptr<T>();
        forEachBlock(count, [&](std::int64_t begin, std::size_t size) {
            BlockRows<T, S> rows(first, count, factors);
            expectBlock<T>(rows.at(begin, size), factors, static_cast<T>(temperature), size, target + begin);
        });
    });
    return plane;
}

}  // namespace bitloom::quant::search
