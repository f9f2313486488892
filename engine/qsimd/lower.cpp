#include "engine/qsimd/lower.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "engine/qsimd/layer_weights.h"

namespace bitloom::qsimd {
namespace {

using graph::NodeId;

/// A step before buffers are known: which nodes' values it reads and writes.
struct Draft {
    Step step;
    std::vector<NodeId> inputs;  ///< in the order of the step's buffer members
    NodeId output;               ///< the node whose value is computed, the last one absorbed
};

std::int32_t narrow(std::int64_t value) {
    return static_cast<std::int32_t>(value);
}

/// Reads and writes the buffer members of a step in the order of Draft::inputs.
template <class Visit>
void forEachInput(Step& step, const Visit& visit) {
    std::visit(
        [&](auto& s) {
            using S = std::decay_t<decltype(s)>;
            if constexpr (std::is_same_v<S, Combine>) {
                visit(s.first);
                visit(s.second);
            } else {
                visit(s.input);
            }
            if constexpr (std::is_same_v<S, Convolution>) {
                if (s.residual >= 0) visit(s.residual);
            }
        },
        step);
}

BufferIndex& outputOf(Step& step) {
    return std::visit([](auto& s) -> BufferIndex& { return s.output; }, step);
}

class Lowering {
  public:
    Lowering(const DeployedNetwork& source, const LoweringOptions& options)
        : m_source(source), m_graph(source.graph), m_options(options) {}

    Result<Model> run() {
        BITLOOM_ASSIGN_OR_RETURN(m_shapes, graph::inferShapes(m_graph));
        for (const auto& [name, contract] : m_options.contracts) {
            if (!m_graph.find(name))
                return fail("No layer {} in {}: it cannot be given a contract", name, m_graph.arch());
        }
        collectConsumers();
        m_emitted.assign(m_graph.nodes().size(), false);
        m_emitted[0] = true;
        BITLOOM_RETURN_IF_ERROR(emit(m_graph.output()));
        BITLOOM_RETURN_IF_ERROR(assignBuffers());
        for (Draft& draft : m_drafts) {
            if (auto* step = std::get_if<Convolution>(&draft.step)) {
                BITLOOM_RETURN_IF_ERROR(fillWeights(*step));
            }
        }
        for (Draft& draft : m_drafts)
            m_model.steps.push_back(std::move(draft.step));
        setLifetimes();
        placeBuffers(m_model);
        m_model.name = m_graph.arch();
        if (const std::string problem = validate(m_model); !problem.empty())
            return fail("{}: the lowered network {}", m_graph.arch(), problem);
        return std::move(m_model);
    }

  private:
    // Fusion.

    static std::size_t at(NodeId id) { return static_cast<std::size_t>(id.value); }
    [[nodiscard]] const graph::Node& node(NodeId id) const { return m_graph.node(id); }
    template <class Op>
    [[nodiscard]] const Op* opOf(NodeId id) const {
        return std::get_if<Op>(&node(id).op);
    }

    void collectConsumers() {
        m_consumers.resize(m_graph.nodes().size());
        for (std::size_t i = 0; i < m_graph.nodes().size(); ++i) {
            for (const NodeId input : m_graph.nodes()[i].inputs)
                m_consumers[at(input)].push_back({narrow(static_cast<std::int64_t>(i))});
        }
    }

    /// The only consumer of `id`; none where there are several or none.
    [[nodiscard]] std::optional<NodeId> onlyConsumer(NodeId id) const {
        const auto& consumers = m_consumers[at(id)];
        return consumers.size() == 1 ? std::optional(consumers.front()) : std::nullopt;
    }

    [[nodiscard]] bool dependsOn(NodeId id, NodeId on) const {
        if (id == on) return true;
        if (id.value < on.value) return false;
        return std::ranges::any_of(node(id).inputs, [&](NodeId input) { return dependsOn(input, on); });
    }

    /// Drafts the steps for the value of `id` and, before, for what it needs.
    Status emit(NodeId id) {
        if (m_emitted[at(id)]) return {};
        // A value inside a fused step is reached from the end of the chain; the chain starts at its
        // convolution.
        const NodeId start = chainStart(id);
        if (isWeighted(start)) return emitConvolution(start, id);
        for (const NodeId input : node(id).inputs)
            BITLOOM_RETURN_IF_ERROR(emit(input));
        if (m_emitted[at(id)]) return {};
        BITLOOM_RETURN_IF_ERROR(emitPlain(id));
        m_emitted[at(id)] = true;
        return {};
    }

    [[nodiscard]] bool isWeighted(NodeId id) const {
        return opOf<graph::Conv2d>(id) != nullptr || opOf<graph::Linear>(id) != nullptr;
    }

    /// The convolution or linear layer that ends in `id` through batch norm, addition and activation, each
    /// the only consumer of the one before; `id` itself where there is none.
    [[nodiscard]] NodeId chainStart(NodeId id) const {
        if (isWeighted(id)) return id;
        const bool follows = opOf<graph::BatchNorm2d>(id) || opOf<graph::Relu>(id) ||
                             opOf<graph::Relu6>(id) || opOf<graph::Add>(id);
        if (!follows) return id;
        // The operand of an addition that is computed last takes it.
        const auto& inputs = node(id).inputs;
        for (std::size_t i = inputs.size(); i-- > 0;) {
            const NodeId input = inputs[i];
            if (m_emitted[at(input)] || onlyConsumer(input) != id) continue;
            const NodeId start = chainStart(input);
            if (isWeighted(start) && fusesInto(input, id)) return start;
        }
        return id;
    }

    /// Whether `next` may follow `previous` in one step: no batch norm after an addition, nothing after an
    /// activation.
    [[nodiscard]] bool fusesInto(NodeId previous, NodeId next) const {
        if (opOf<graph::Relu>(previous) || opOf<graph::Relu6>(previous)) return false;
        return !opOf<graph::BatchNorm2d>(next) || isWeighted(previous);
    }

    Status emitConvolution(NodeId start, NodeId wanted) {
        Draft draft;
        Convolution step;
        step.layer = node(start).name;
        NodeId input = node(start).inputs.front();
        if (const auto* conv = opOf<graph::Conv2d>(start)) {
            step.kernelHeight = narrow(conv->kernel[0]);
            step.kernelWidth = narrow(conv->kernel[1]);
            step.strideHeight = narrow(conv->stride[0]);
            step.strideWidth = narrow(conv->stride[1]);
            step.paddingHeight = narrow(conv->padding[0]);
            step.paddingWidth = narrow(conv->padding[1]);
            step.dilationHeight = narrow(conv->dilation[0]);
            step.dilationWidth = narrow(conv->dilation[1]);
            step.groups = narrow(conv->groups);
        } else if (opOf<graph::Flatten>(input) != nullptr) {
            // A linear layer over a flattened image is a convolution whose window is the image.
            input = node(input).inputs.front();
            if (m_shapes[at(input)].size() == 3) {
                step.kernelHeight = narrow(m_shapes[at(input)][1]);
                step.kernelWidth = narrow(m_shapes[at(input)][2]);
            }
        }
        BITLOOM_RETURN_IF_ERROR(emit(input));
        draft.inputs = {input};
        NodeId end = start;
        std::optional<NodeId> norm;
        bool relu = false;
        float limit = std::numeric_limits<float>::infinity();
        while (end != wanted) {
            const std::optional<NodeId> next = onlyConsumer(end);
            if (!next || !fusesInto(end, *next)) break;
            if (opOf<graph::BatchNorm2d>(*next) != nullptr) {
                norm = next;
            } else if (opOf<graph::Add>(*next) != nullptr) {
                const auto& operands = node(*next).inputs;
                const NodeId other = operands[0] == end ? operands[1] : operands[0];
                if (step.residual >= 0 || other == end || dependsOn(other, start)) break;
                BITLOOM_RETURN_IF_ERROR(emit(other));
                step.residual = 0;
                draft.inputs.push_back(other);
            } else if (opOf<graph::Relu>(*next) != nullptr || opOf<graph::Relu6>(*next) != nullptr) {
                relu = true;
                if (opOf<graph::Relu6>(*next) != nullptr) limit = 6;
            } else {
                break;
            }
            end = *next;
        }
        if (relu) step.low = 0;
        step.high = limit;
        m_norms[step.layer] = norm;
        draft.step = std::move(step);
        draft.output = end;
        m_drafts.push_back(std::move(draft));
        m_emitted[at(end)] = true;
        return end == wanted ? Status() : emit(wanted);
    }

    void draft(Step step, std::vector<NodeId> inputs, NodeId output) {
        m_drafts.push_back({std::move(step), std::move(inputs), output});
    }

    Status emitPlain(NodeId id) {
        const std::vector<NodeId>& inputs = node(id).inputs;
        const auto elementwise = [&](Function function) -> Status {
            draft(Elementwise{.function = function}, inputs, id);
            return {};
        };
        const auto& op = node(id).op;
        const auto pooled = [&](PoolKind kind, const auto& pool) -> Status {
            draft(Pool{.kind = kind,
                       .kernelHeight = narrow(pool.kernel[0]),
                       .kernelWidth = narrow(pool.kernel[1]),
                       .strideHeight = narrow(pool.stride[0]),
                       .strideWidth = narrow(pool.stride[1]),
                       .paddingHeight = narrow(pool.padding[0]),
                       .paddingWidth = narrow(pool.padding[1])},
                  inputs, id);
            return {};
        };
        if (std::holds_alternative<graph::Relu>(op)) return elementwise(Function::Relu);
        if (std::holds_alternative<graph::Relu6>(op)) return elementwise(Function::Relu6);
        if (std::holds_alternative<graph::HardSwish>(op)) return elementwise(Function::HardSwish);
        if (std::holds_alternative<graph::HardSigmoid>(op)) return elementwise(Function::HardSigmoid);
        if (std::holds_alternative<graph::Add>(op)) {
            draft(Combine{.combination = Combination::Add}, inputs, id);
            return {};
        }
        if (std::holds_alternative<graph::Mul>(op)) {
            draft(Combine{.combination = Combination::Multiply}, inputs, id);
            return {};
        }
        if (const auto* pool = std::get_if<graph::MaxPool2d>(&op)) return pooled(PoolKind::Max, *pool);
        if (const auto* pool = std::get_if<graph::AvgPool2d>(&op)) return pooled(PoolKind::Average, *pool);
        if (std::holds_alternative<graph::GlobalAvgPool>(op)) {
            const graph::Shape& shape = m_shapes[at(inputs.front())];
            return pooled(PoolKind::Average,
                          graph::AvgPool2d{{shape[1], shape[2]}, {shape[1], shape[2]}, {0, 0}});
        }
        if (const auto* pad = std::get_if<graph::Pad>(&op)) {
            draft(Place{.rowsBefore = narrow(pad->before[0]),
                        .columnsBefore = narrow(pad->before[1]),
                        .channelsBefore = narrow(pad->channelsBefore)},
                  inputs, id);
            return {};
        }
        if (const auto* slice = std::get_if<graph::Slice>(&op)) {
            draft(Place{.strideHeight = narrow(slice->stride[0]), .strideWidth = narrow(slice->stride[1])},
                  inputs, id);
            return {};
        }
        if (std::holds_alternative<graph::Concat>(op)) {
            std::int32_t channels = 0;
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                draft(Place{.channelsBefore = channels, .clears = i == 0}, {inputs[i]}, id);
                channels += narrow(m_shapes[at(inputs[i])][0]);
            }
            return {};
        }
        if (std::holds_alternative<graph::Softmax>(op)) {
            draft(Softmax{}, inputs, id);
            return {};
        }
        if (std::holds_alternative<graph::Flatten>(op) &&
            graph::elementCount(m_shapes[at(inputs.front())]) == m_shapes[at(inputs.front())].front()) {
            draft(Elementwise{.function = Function::Copy}, inputs, id);
            return {};
        }
        return fail(
            "{}, node {}: {} has no kernel in this place; quantized networks of convolutions, linear layers, "
            "batch norm after a convolution, pooling and elementwise functions have",
            m_graph.arch(), node(id).name, graph::kindName(op));
    }

    // Buffers.

    [[nodiscard]] bool isInt8(const Convolution& step) const {
        const auto found = m_options.contracts.find(step.layer);
        return (found == m_options.contracts.end() ? m_options.contract : found->second) == Contract::Int8;
    }

    /// What a draft wants its first input (`residual` false) or its other one to be; none: either.
    [[nodiscard]] std::optional<ValueType> wanted(const Draft& draft, bool residual) const {
        if (const auto* step = std::get_if<Convolution>(&draft.step))
            return isInt8(*step) ? ValueType::Uint8 : ValueType::Float32;
        if (std::holds_alternative<Softmax>(draft.step)) return ValueType::Float32;
        const auto* pool = std::get_if<Pool>(&draft.step);
        const bool passes =
            std::holds_alternative<Place>(draft.step) || (pool && pool->kind == PoolKind::Max);
        if (!passes || residual) return std::nullopt;
        return typeOf(draft.output);
    }

    [[nodiscard]] ValueType typeOf(NodeId id) const {
        const auto found = m_bufferOf.find({id.value, ValueType::Uint8});
        return found != m_bufferOf.end() && !m_bufferOf.contains({id.value, ValueType::Float32})
                   ? ValueType::Uint8
                   : ValueType::Float32;
    }

    Status assignBuffers() {
        for (Draft& draft : m_drafts) {
            if (auto* step = std::get_if<Convolution>(&draft.step)) chooseFamily(*step);
        }
        BITLOOM_RETURN_IF_ERROR(addBuffer({0}, ValueType::Float32));
        std::set<std::int32_t> written = {0};
        // From the last step to the first: a step that passes values on wants what its reader wants.
        for (std::size_t i = m_drafts.size(); i-- > 0;) {
            const NodeId value = m_drafts[i].output;
            if (m_decided.contains(value.value)) continue;
            BITLOOM_RETURN_IF_ERROR(decideTypes(value));
        }
        // The image is read as float and converted where bytes are wanted.
        BITLOOM_RETURN_IF_ERROR(decideTypes({0}));
        insertConversions();
        for (Draft& draft : m_drafts) {
            std::size_t input = 0;
            forEachInput(draft.step, [&](BufferIndex& index) {
                const NodeId value = draft.inputs[input];
                index = bufferFor(draft, value, input > 0);
                ++input;
            });
        }
        m_model.output = m_bufferOf.at({m_graph.output().value, ValueType::Float32});
        return {};
    }

    /// One type where all readers agree or do not care, else float with a copy in bytes.
    Status decideTypes(NodeId value) {
        m_decided.insert(value.value);
        bool bytes = false;
        bool floats = value == m_graph.output() || value.value == 0;
        bool asked = floats;
        std::int32_t halo = 0;
        for (const Draft& draft : m_drafts) {
            for (std::size_t i = 0; i < draft.inputs.size(); ++i) {
                if (draft.inputs[i] != value) continue;
                const std::optional<ValueType> type = wanted(draft, i > 0);
                if (!type) continue;
                asked = true;
                bytes = bytes || *type == ValueType::Uint8;
                // A residual is added from either.
                floats = floats || (*type == ValueType::Float32 &&
                                    !(std::holds_alternative<Convolution>(draft.step) && i > 0));
                if (const auto* step = std::get_if<Convolution>(&draft.step); step != nullptr && i == 0)
                    halo = std::max({halo, step->paddingHeight, step->paddingWidth});
            }
        }
        if (!asked || !bytes) floats = true;
        m_halo[value.value] = halo;
        if (floats) {
            BITLOOM_RETURN_IF_ERROR(addBuffer(value, ValueType::Float32));
        }
        if (bytes) {
            BITLOOM_RETURN_IF_ERROR(addBuffer(value, ValueType::Uint8));
        }
        return {};
    }

    Status addBuffer(NodeId value, ValueType type) {
        const std::int32_t halo = m_halo[value.value];
        if (const auto found = m_bufferOf.find({value.value, type}); found != m_bufferOf.end()) {
            m_model.buffers[static_cast<std::size_t>(found->second)].halo = halo;
            return {};
        }
        Buffer buffer;
        buffer.name = node(value).name;
        buffer.type = type;
        const graph::Shape& shape = m_shapes[at(value)];
        buffer.channels = narrow(shape[0]);
        if (shape.size() == 3) {
            buffer.height = narrow(shape[1]);
            buffer.width = narrow(shape[2]);
        }
        buffer.halo = halo;
        if (type == ValueType::Uint8) {
            const auto found = m_options.activations.find(node(rangeSource(value)).name);
            if (found == m_options.activations.end())
                return fail("{}: the activation {} has no range: calibrate with images first", m_graph.arch(),
                            node(rangeSource(value)).name);
            const Range& r = found->second.range;
            if (!(r.low <= 0 && r.high >= 0 && r.low < r.high && std::isfinite(r.high - r.low)))
                return fail("{}: the range {} to {} of the activation {} does not hold 0", m_graph.arch(),
                            r.low, r.high, buffer.name);
            buffer.scale = (r.high - r.low) / 255;
            buffer.zeroPoint = narrow(std::lround(-r.low / buffer.scale));
        }
        m_bufferOf[{value.value, type}] = narrow(static_cast<std::int64_t>(m_model.buffers.size()));
        m_model.buffers.push_back(std::move(buffer));
        return {};
    }

    /// What only selects values keeps their scale: bytes are then copied as they are.
    [[nodiscard]] NodeId rangeSource(NodeId value) const {
        const bool selects =
            opOf<graph::MaxPool2d>(value) || opOf<graph::Slice>(value) || opOf<graph::Pad>(value);
        return selects ? rangeSource(node(value).inputs.front()) : value;
    }

    /// Values that are kept as floats and as bytes: bytes are made from floats right after them.
    void insertConversions() {
        for (Draft& draft : m_drafts)
            outputOf(draft.step) = m_bufferOf.at({draft.output.value, typeOf(draft.output)});
        std::vector<Draft> all;
        const auto convert = [&](NodeId value) {
            const auto bytes = m_bufferOf.find({value.value, ValueType::Uint8});
            const auto floats = m_bufferOf.find({value.value, ValueType::Float32});
            if (bytes == m_bufferOf.end() || floats == m_bufferOf.end()) return;
            Draft draft{Elementwise{.input = floats->second, .output = bytes->second}, {value}, value};
            m_conversions.insert(all.size());
            all.push_back(std::move(draft));
        };
        convert({0});
        for (std::size_t i = 0; i < m_drafts.size(); ++i) {
            const NodeId value = m_drafts[i].output;
            all.push_back(std::move(m_drafts[i]));
            const bool last =
                std::none_of(m_drafts.begin() + static_cast<std::ptrdiff_t>(i) + 1, m_drafts.end(),
                             [&](const Draft& later) { return later.output == value; });
            if (last) convert(value);
        }
        m_drafts = std::move(all);
    }

    [[nodiscard]] BufferIndex bufferFor(const Draft& draft, NodeId value, bool residual) const {
        const auto index = static_cast<std::size_t>(&draft - m_drafts.data());
        if (m_conversions.contains(index)) return m_bufferOf.at({value.value, ValueType::Float32});
        const ValueType type = wanted(draft, residual).value_or(typeOf(value));
        const auto found = m_bufferOf.find({value.value, type});
        return found != m_bufferOf.end() ? found->second : m_bufferOf.at({value.value, typeOf(value)});
    }

    void setLifetimes() {
        const auto steps = narrow(static_cast<std::int64_t>(m_model.steps.size()));
        for (Buffer& buffer : m_model.buffers)
            buffer.firstStep = steps;
        for (std::int32_t i = 0; i < steps; ++i) {
            Step& step = m_model.steps[static_cast<std::size_t>(i)];
            forEachInput(step, [&](BufferIndex index) {
                m_model.buffers[static_cast<std::size_t>(index)].lastStep = i;
            });
            Buffer& output = m_model.buffers[static_cast<std::size_t>(outputOf(step))];
            output.firstStep = std::min(output.firstStep, i);
            output.lastStep = std::max(output.lastStep, i);
        }
        m_model.buffers.front().firstStep = 0;
        m_model.buffers.front().lastStep = steps;  // the image stays: running again gives the same
        m_model.buffers[static_cast<std::size_t>(m_model.output)].lastStep = steps;
    }

    // Weights.

    void chooseFamily(Convolution& step) const {
        const bool codebook = m_source.quantized.contains(step.layer);
        step.family = isInt8(step) ? Family::K2 : m_options.exactFamily;
        if (!codebook && (step.family == Family::K0 || step.family == Family::PaperCodebook))
            step.family = Family::TunedFp32;
    }

    Status fillWeights(Convolution& step) {
        const Buffer& input = m_model.buffers[static_cast<std::size_t>(step.input)];
        const Buffer& output = m_model.buffers[static_cast<std::size_t>(step.output)];
        BITLOOM_ASSIGN_OR_RETURN(Affine affine,
                                 affineOf(m_source, step.layer, normOf(step.layer), output.channels));
        StoredWeights stored;
        if (const auto found = m_options.activations.find(input.name); found != m_options.activations.end())
            stored.inputMeans = found->second.means;
        BITLOOM_RETURN_IF_ERROR(storeWeights(m_source, step, input, output, stored));
        const bool toBytes = output.type == ValueType::Uint8;
        const double unit = toBytes ? output.scale : 1;
        const double from = step.family == Family::K2 ? input.scale : 1;
        double shift = toBytes ? output.zeroPoint : 0;
        if (step.residual >= 0) {
            const Buffer& residual = m_model.buffers[static_cast<std::size_t>(step.residual)];
            const bool bytes = residual.type == ValueType::Uint8;
            step.residualScale = static_cast<float>((bytes ? residual.scale : 1.0) / unit);
            if (bytes) shift -= static_cast<double>(step.residualScale) * residual.zeroPoint;
        }
        for (std::size_t c = 0; c < affine.scale.size(); ++c) {
            step.scale.push_back(static_cast<float>(affine.scale[c] * from * stored.scale[c] / unit));
            const double bias = affine.bias[c] - affine.scale[c] * stored.shift[c];
            step.bias.push_back(static_cast<float>(bias / unit + shift));
        }
        if (toBytes) {
            const bool relu = step.low == 0;
            const double high = std::isfinite(step.high) ? step.high / unit + output.zeroPoint : 255;
            step.low = relu ? static_cast<float>(output.zeroPoint) : 0;
            step.high =
                static_cast<float>(std::clamp(std::nearbyint(high), static_cast<double>(step.low), 255.0));
        }
        return {};
    }

    [[nodiscard]] std::string normOf(const std::string& layer) const {
        const std::optional<NodeId> norm = m_norms.at(layer);
        return norm ? node(*norm).name : std::string();
    }

    const DeployedNetwork& m_source;
    const graph::Graph& m_graph;
    const LoweringOptions& m_options;
    std::vector<graph::Shape> m_shapes;
    std::vector<std::vector<NodeId>> m_consumers;
    std::vector<bool> m_emitted;
    std::vector<Draft> m_drafts;
    std::map<std::string, std::optional<NodeId>> m_norms;  ///< by layer
    std::map<std::pair<std::int32_t, ValueType>, BufferIndex> m_bufferOf;
    std::map<std::int32_t, std::int32_t> m_halo;
    std::set<std::int32_t> m_decided;
    std::set<std::size_t> m_conversions;  ///< positions in m_drafts
    Model m_model;
};

}  // namespace

Result<Model> lower(const DeployedNetwork& source, const LoweringOptions& options) {
    return Lowering(source, options).run();
}

void placeBuffers(Model& model) {
    std::vector<std::size_t> order(model.buffers.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i;
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        return bufferBytes(model.buffers[a]) > bufferBytes(model.buffers[b]);
    });
    std::vector<std::size_t> placed;
    model.arenaBytes = 0;
    for (const std::size_t i : order) {
        Buffer& buffer = model.buffers[i];
        const std::uint64_t size = bufferBytes(buffer);
        std::vector<std::pair<std::uint64_t, std::uint64_t>> taken;  // [first, end) of those alive with it
        for (const std::size_t j : placed) {
            const Buffer& other = model.buffers[j];
            if (other.firstStep > buffer.lastStep || buffer.firstStep > other.lastStep) continue;
            taken.emplace_back(other.offset, other.offset + bufferBytes(other));
        }
        std::ranges::sort(taken);
        std::uint64_t offset = 0;
        for (const auto& [first, end] : taken) {
            if (offset + size <= first) break;
            offset = std::max(offset, end);
        }
        buffer.offset = offset;
        model.arenaBytes = std::max(model.arenaBytes, offset + size);
        placed.push_back(i);
    }
}

}  // namespace bitloom::qsimd
