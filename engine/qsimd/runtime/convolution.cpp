#include "engine/qsimd/runtime/convolution.h"

#include <algorithm>

namespace bitloom::qsimd {
namespace {

template <class Value>
constexpr bool kIsFloat = std::is_same_v<Value, float>;

/// Share `part` of `parts` of `count` things: [first, end).
struct Share {
    int first;
    int end;
};
Share shareOf(int count, int part, int parts) {
    const auto at = [=](int i) { return static_cast<int>(static_cast<std::int64_t>(count) * i / parts); };
    return {at(part), at(part + 1)};
}

template <class Value>
Value* valuesOf(std::byte* arena, const Buffer& buffer) {
    return reinterpret_cast<Value*>(arena + buffer.offset) + firstPixel(buffer);
}
template <class Value>
const Value* valuesOf(const std::byte* arena, const Buffer& buffer) {
    return reinterpret_cast<const Value*>(arena + buffer.offset) + firstPixel(buffer);
}

Buffer flattened(Buffer buffer) {
    buffer.width *= buffer.height;
    buffer.height = 1;
    return buffer;
}

bool isPixelwise(const Convolution& step) {
    return step.kernelHeight == 1 && step.kernelWidth == 1 && step.strideHeight == 1 &&
           step.strideWidth == 1 && step.paddingHeight == 0 && step.paddingWidth == 0;
}

}  // namespace

PreparedConvolution::PreparedConvolution(const Model& model, const Convolution& step,
                                         const Dispatch& dispatch)
    : m_model(model),
      m_step(step),
      m_input(model.buffers[static_cast<std::size_t>(step.input)]),
      m_output(model.buffers[static_cast<std::size_t>(step.output)]),
      m_loops(chooseLoops(dispatch.ceiling)),
      m_family(step.family) {
    const bool residualFlat =
        step.residual < 0 || model.buffers[static_cast<std::size_t>(step.residual)].halo == 0;
    if (step.family != Family::NaiveFp32 && isPixelwise(step) && m_input.halo == 0 && m_output.halo == 0 &&
        residualFlat) {
        m_input = flattened(m_input);
        m_output = flattened(m_output);
    }
    Schedule schedule;
    const auto found = dispatch.schedules.find({step.family, step.layer});
    if (found != dispatch.schedules.end()) schedule = found->second;
    chooseMode(step);
    const bool bytes = step.family == Family::K2;
    SumKind sums = SumKind::Float;
    if (bytes) sums = step.format == WeightFormat::Planes8 ? SumKind::Planes : SumKind::Int;
    ResidualKind residual = ResidualKind::None;
    if (step.residual >= 0) {
        const Buffer& other = model.buffers[static_cast<std::size_t>(step.residual)];
        residual = other.type == ValueType::Float32 ? ResidualKind::Float32 : ResidualKind::Uint8;
    }
    m_epilogue = m_loops.epilogue[static_cast<int>(sums)][static_cast<int>(residual)]
                                 [m_output.type == ValueType::Uint8 ? 1 : 0];

    int channels = 1;
    int depth = 1;
    if (m_mode == Mode::Tiles) {
        const int planes = step.format == WeightFormat::Planes8 ? 2 : 1;
        const Microkernel* named =
            schedule.microkernel.empty() ? nullptr : findMicrokernel(schedule.microkernel);
        const bool usable = named != nullptr && (named->bytes != nullptr) == bytes &&
                            named->pixels <= m_output.width && allowed(named->isa, dispatch.ceiling);
        m_kernel = usable ? named
                          : &chooseMicrokernel(bytes, m_output.width,
                                               planes * m_output.channels / step.groups, dispatch.ceiling);
        channels = m_kernel->channels;
        depth = m_kernel->depth;
    }
    m_shape = panelShape(step, m_input, m_output, channels, depth);
    if (m_mode == Mode::Tiles) m_panels = makePanels(step, m_shape);
    if (m_panels.bits != 0) {
        const Decoder& decoder = chooseDecoder(m_panels.bits, dispatch.ceiling);
        m_decodeFloats = decoder.floats;
        m_decodeBytes = decoder.bytes;
    }
    m_split = schedule.split;
    prepareRows(schedule.skipPadding);
    if (bytes) prepareStarts();
    const std::size_t taps = static_cast<std::size_t>(m_shape.rows * m_shape.segments * m_shape.run);
    const std::size_t count = taps * static_cast<std::size_t>(m_output.channels);
    const auto transposed = [&](const auto& weights, auto& to, int outputs) {
        // [group][output][tap] to [group][tap][output]
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t output = i / taps;
            const auto perGroup = static_cast<std::size_t>(outputs);
            to[(output / perGroup * taps + i % taps) * perGroup + output % perGroup] = weights[i];
        }
    };
    if (m_mode == Mode::Naive || (m_mode == Mode::Depthwise && !bytes)) {
        m_plainFloats = AlignedArray<float>(count);
        transposed(floatWeights(step, count), m_plainFloats,
                   m_mode == Mode::Naive ? m_shape.outputs : m_output.channels);
    } else if (m_mode == Mode::Depthwise) {
        m_plainBytes = AlignedArray<std::int8_t>(count);
        transposed(byteWeights(step, count), m_plainBytes, m_output.channels);
    } else if (m_mode == Mode::Paper) {
        preparePaper();
    }
}

void PreparedConvolution::chooseMode(const Convolution& step) {
    const bool depthwise = step.groups == m_input.channels && step.groups == m_output.channels &&
                           step.groups > 1 && step.format != WeightFormat::Planes8;
    if (step.family == Family::NaiveFp32) {
        m_mode = Mode::Naive;
    } else if (depthwise) {
        m_mode = Mode::Depthwise;
    } else if (step.family == Family::PaperCodebook) {
        const int inputs = m_input.channels / step.groups;
        const bool suits = step.indexBits <= 4 && step.codebook.size() == std::size_t{1} << step.indexBits &&
                           inputs % 4 == 0;
        if (suits) {
            m_mode = Mode::Paper;
        } else {
            m_family = Family::K0;
        }
    }
}

/// The paper's extended codebook: what every byte of indices stands for.
void PreparedConvolution::preparePaper() {
    const auto bits = static_cast<unsigned>(m_step.indexBits);
    const unsigned perByte = 8 / bits;
    m_pairs = AlignedArray<float>(std::size_t{256} * perByte);
    for (unsigned byte = 0; byte < 256; ++byte) {
        for (unsigned i = 0; i < perByte; ++i)
            m_pairs[byte * perByte + i] = m_step.codebook[(byte >> (bits * i)) & ((1U << bits) - 1)];
    }
    m_paperIndices = AlignedArray<std::uint8_t>(m_step.weights.size());
    std::ranges::copy(m_step.weights, m_paperIndices.data());
}

void PreparedConvolution::prepareRows(bool skipPadding) {
    for (int y = 0; y < m_output.height; ++y) {
        RowRange range;
        range.count = m_step.kernelHeight;
        if (skipPadding && m_mode == Mode::Tiles) {
            const int top = y * m_step.strideHeight - m_step.paddingHeight;
            const auto inside = [&](int row) {
                const int at = top + row * m_step.dilationHeight;
                return at >= 0 && at < m_input.height;
            };
            while (range.count > 1 && !inside(range.first)) {
                ++range.first;
                --range.count;
            }
            while (range.count > 1 && !inside(range.first + range.count - 1))
                --range.count;
        }
        const auto same = std::ranges::find_if(
            m_ranges, [&](const RowRange& r) { return r.first == range.first && r.count == range.count; });
        m_rangeOfRow.push_back(static_cast<std::uint32_t>(same - m_ranges.begin()));
        if (same == m_ranges.end()) m_ranges.push_back(std::move(range));
    }
}

/// Sums of stored bytes s are those of the true a - zeroPoint after adding (offset - zeroPoint) x sum(w).
void PreparedConvolution::prepareStarts() {
    const auto outputs = static_cast<std::size_t>(m_output.channels);
    const auto rows = static_cast<std::size_t>(m_step.kernelHeight);
    const std::size_t perOutput = rows * static_cast<std::size_t>(m_shape.segments * m_shape.run);
    const bool planes = m_step.format == WeightFormat::Planes8;
    const std::vector<std::int8_t> weights = byteWeights(m_step, perOutput * outputs);
    const std::vector<std::int32_t> sums = rowSums(weights, planes ? 2 * outputs : outputs, rows);
    const std::int32_t factor = kActivationOffset - m_input.zeroPoint;
    const bool tiles = m_mode == Mode::Tiles;
    for (RowRange& range : m_ranges) {
        const std::size_t size =
            tiles ? static_cast<std::size_t>(m_shape.allBlocks() * m_shape.channels) : outputs;
        range.start.assign(size, 0);
        for (std::size_t i = 0; i < size; ++i) {
            std::size_t channel = i;
            if (tiles) {
                const auto width = static_cast<std::size_t>(m_shape.channels);
                const auto block = static_cast<int>(i / width);
                const int c = static_cast<int>(i % width);
                const int inGroup = block % m_shape.blocks * m_shape.blockOutputs + c % m_shape.blockOutputs;
                if (inGroup >= m_shape.outputs) continue;
                channel = static_cast<std::size_t>(block / m_shape.blocks * m_shape.outputs + inGroup) +
                          (c >= m_shape.blockOutputs ? outputs : 0);
            }
            for (int row = range.first; row < range.first + range.count; ++row)
                range.start[i] += factor * sums[channel * rows + static_cast<std::size_t>(row)];
        }
    }
}

std::size_t PreparedConvolution::preparedBytes() const {
    return m_panels.sizeInBytes() + m_plainFloats.bytes() + m_plainBytes.bytes() + m_paperIndices.bytes() +
           m_pairs.bytes() + sizeof(float) * (m_step.scale.size() + m_step.bias.size());
}

std::string PreparedConvolution::kernelName() const {
    const std::string isa = isaName(m_loops.isa);
    switch (m_mode) {
        case Mode::Tiles:
            return m_kernel->name;
        case Mode::Depthwise:
            return (m_step.family == Family::K2 ? "int8_" : "fp32_") + isa + "_depthwise";
        case Mode::Naive:
            return "fp32_" + isa + "_naive";
        case Mode::Paper:
            return "fp32_" + isa + "_paper" + std::to_string(m_step.indexBits);
    }
    return {};
}

void PreparedConvolution::reserve(Scratch& scratch) const {
    if (m_panels.bits != 0) {
        const std::size_t elements = m_panels.packedBlocks() * blockElements(m_panels.bits);
        if (m_step.family == Family::K2) {
            if (scratch.bytes.size() < elements) scratch.bytes = AlignedArray<std::int8_t>(elements);
        } else if (scratch.floats.size() < elements) {
            scratch.floats = AlignedArray<float>(elements);
        }
    }
    std::size_t sums = static_cast<std::size_t>(m_output.channels) *
                       static_cast<std::size_t>(m_mode == Mode::Naive ? m_output.width : kPaperPixels);
    if (m_kernel != nullptr) sums = static_cast<std::size_t>(m_kernel->pixels * m_kernel->channels);
    if (scratch.sums.size() < sums) scratch.sums = AlignedArray<float>(sums);
}

template <class Value>
Fields<Value> PreparedConvolution::fieldsAt(const Value* input, int y, int x, const RowRange& range,
                                            int group) const {
    const std::ptrdiff_t row = rowStride(m_input);
    const std::ptrdiff_t top = static_cast<std::ptrdiff_t>(y) * m_step.strideHeight - m_step.paddingHeight +
                               static_cast<std::ptrdiff_t>(range.first) * m_step.dilationHeight;
    const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(x) * m_step.strideWidth - m_step.paddingWidth;
    Fields<Value> fields;
    fields.first = input + top * row + left * m_input.channels +
                   static_cast<std::ptrdiff_t>(group) * (m_input.channels / m_step.groups);
    fields.pixelStride = static_cast<std::ptrdiff_t>(m_step.strideWidth) * m_input.channels;
    fields.rowStride = m_step.dilationHeight * row;
    fields.segmentStride = static_cast<std::ptrdiff_t>(m_step.dilationWidth) * m_input.channels;
    fields.rows = range.count;
    fields.segments = m_shape.segments;
    fields.run = m_shape.paddedRun;
    return fields;
}

void PreparedConvolution::finish(std::byte* arena, const void* sums, int sumStride, int y, int x, int pixels,
                                 int channel, int channels, const std::int32_t* start) const {
    const auto c = static_cast<std::size_t>(channel);
    EpilogueConstants constants;
    constants.start = start;
    constants.scale = m_step.scale.data() + c;
    constants.bias = m_step.bias.data() + c;
    constants.low = m_step.low;
    constants.high = m_step.high;
    constants.residualScale = m_step.residualScale;
    TileShape shape;
    shape.pixels = pixels;
    shape.channels = channels;
    shape.sumStride = sumStride;
    shape.outputStride = m_output.channels;
    const std::ptrdiff_t at =
        y * rowStride(m_output) + static_cast<std::ptrdiff_t>(x) * m_output.channels + channel;
    const void* residual = nullptr;
    if (m_step.residual >= 0) {
        const Buffer& other = m_model.buffers[static_cast<std::size_t>(m_step.residual)];
        shape.residualStride = other.channels;
        const std::ptrdiff_t from =
            y * rowStride(other) + static_cast<std::ptrdiff_t>(x) * other.channels + channel;
        residual = other.type == ValueType::Float32
                       ? static_cast<const void*>(valuesOf<float>(arena, other) + from)
                       : static_cast<const void*>(valuesOf<std::uint8_t>(arena, other) + from);
    }
    void* output = m_output.type == ValueType::Float32
                       ? static_cast<void*>(valuesOf<float>(arena, m_output) + at)
                       : static_cast<void*>(valuesOf<std::uint8_t>(arena, m_output) + at);
    m_epilogue(sums, shape, constants, residual, output);
}

template <class Value>
void PreparedConvolution::runTiles(std::byte* arena, int thread, int threads, Scratch& scratch,
                                   std::int32_t* trace) const {
    using Weight = std::conditional_t<kIsFloat<Value>, float, std::int8_t>;
    using Sum = std::conditional_t<kIsFloat<Value>, float, std::int32_t>;
    const Value* input = valuesOf<Value>(static_cast<const std::byte*>(arena), m_input);
    const int pixels = m_kernel->pixels;
    const int tilesPerRow = (m_output.width + pixels - 1) / pixels;
    const int tiles = tilesPerRow * m_output.height;
    const int blocks = m_shape.allBlocks();
    const bool byChannels =
        m_split ? *m_split == Split::Channels : blocks % threads == 0 || blocks >= 4 * threads;
    const Share blockShare = byChannels ? shareOf(blocks, thread, threads) : Share{0, blocks};
    const Share tileShare = byChannels ? Share{0, tiles} : shareOf(tiles, thread, threads);
    auto* sums = reinterpret_cast<Sum*>(scratch.sums.data());
    for (int block = blockShare.first; block < blockShare.end && tileShare.first < tileShare.end; ++block) {
        const std::size_t at = static_cast<std::size_t>(block) * m_panels.stride;
        const Weight* panel = nullptr;
        if constexpr (kIsFloat<Value>) {
            panel = m_panels.floats.data() + at;
            if (m_panels.bits != 0) {
                m_decodeFloats(m_panels.packed.data() + at, m_panels.packedBlocks(), m_panels.codebook.data(),
                               scratch.floats.data());
                panel = scratch.floats.data();
            }
        } else {
            panel = m_panels.bytes.data() + at;
            if (m_panels.bits != 0) {
                m_decodeBytes(m_panels.packed.data() + at, m_panels.packedBlocks(), m_panels.codebook8.data(),
                              scratch.bytes.data());
                panel = scratch.bytes.data();
            }
        }
        const int group = block / m_shape.blocks;
        const int first = block % m_shape.blocks * m_shape.blockOutputs;
        const int channel = group * m_shape.outputs + first;
        const int channels = std::min(m_shape.blockOutputs, m_shape.outputs - first);
        for (int tile = tileShare.first; tile < tileShare.end; ++tile) {
            const int y = tile / tilesPerRow;
            // The last tile of a row overlaps the one before.
            const int x = std::min(tile % tilesPerRow * pixels, m_output.width - pixels);
            const RowRange& range = rangeOf(y);
            const Fields<Value> fields = fieldsAt(input, y, x, range, group);
            const Weight* weights = panel + static_cast<std::size_t>(range.first) * m_shape.rowSize();
            const std::int32_t* start = nullptr;
            if constexpr (kIsFloat<Value>) {
                m_kernel->floats(fields, weights, sums);
            } else {
                m_kernel->bytes(fields, weights, sums);
                start = range.start.data() + static_cast<std::ptrdiff_t>(block) * m_shape.channels;
                if (trace != nullptr) {
                    for (int p = 0; p < pixels; ++p) {
                        std::int32_t* to =
                            trace +
                            (static_cast<std::ptrdiff_t>(y) * m_output.width + x + p) * m_output.channels +
                            channel;
                        for (int c = 0; c < channels; ++c)
                            to[c] = sums[p * m_shape.channels + c] + start[c];
                    }
                }
            }
            finish(arena, sums, m_shape.channels, y, x, pixels, channel, channels, start);
        }
    }
}

template <class Value>
void PreparedConvolution::runDepthwise(std::byte* arena, int firstRow, int endRow, Scratch& scratch,
                                       std::int32_t* trace) const {
    using Sum = std::conditional_t<kIsFloat<Value>, float, std::int32_t>;
    const Value* input = valuesOf<Value>(static_cast<const std::byte*>(arena), m_input);
    auto* sums = reinterpret_cast<Sum*>(scratch.sums.data());
    const int channels = m_output.channels;
    for (int y = firstRow; y < endRow; ++y) {
        for (int x = 0; x < m_output.width; x += kPaperPixels) {
            const int pixels = std::min(kPaperPixels, m_output.width - x);
            const RowRange& range = rangeOf(y);
            Fields<Value> fields = fieldsAt(input, y, x, range, 0);
            fields.run = m_step.kernelWidth;
            if constexpr (kIsFloat<Value>) {
                m_loops.floatDepthwise(fields, m_plainFloats.data(), pixels, channels, sums);
            } else {
                m_loops.byteDepthwise(fields, m_plainBytes.data(), pixels, channels, sums);
                if (trace != nullptr) {
                    for (int i = 0; i < pixels * channels; ++i)
                        trace[(static_cast<std::ptrdiff_t>(y) * m_output.width + x) * channels + i] =
                            sums[i] + range.start[static_cast<std::size_t>(i % channels)];
                }
            }
            finish(arena, sums, channels, y, x, pixels, 0, channels, range.start.data());
        }
    }
}

void PreparedConvolution::runNaive(std::byte* arena, int firstRow, int endRow, Scratch& scratch) const {
    const float* input = valuesOf<float>(static_cast<const std::byte*>(arena), m_input);
    const std::size_t perGroup =
        static_cast<std::size_t>(m_shape.rows * m_shape.segments * m_shape.run * m_shape.outputs);
    for (int y = firstRow; y < endRow; ++y) {
        for (int group = 0; group < m_step.groups; ++group) {
            m_loops.naive(fieldsAt(input, y, 0, rangeOf(y), group),
                          m_plainFloats.data() + static_cast<std::size_t>(group) * perGroup, m_output.width,
                          m_shape.outputs, scratch.sums.data());
            finish(arena, scratch.sums.data(), m_shape.outputs, y, 0, m_output.width, group * m_shape.outputs,
                   m_shape.outputs, nullptr);
        }
    }
}

void PreparedConvolution::runPaper(std::byte* arena, int firstRow, int endRow, Scratch& scratch) const {
    const float* input = valuesOf<float>(static_cast<const std::byte*>(arena), m_input);
    const PaperKernel kernel = m_step.indexBits == 2 ? m_loops.paper2 : m_loops.paper4;
    const std::size_t perOutput = static_cast<std::size_t>(m_shape.rows * m_shape.segments * m_shape.run) *
                                  static_cast<std::size_t>(m_step.indexBits) / 8;
    const int channels = m_output.channels;
    float sums[kPaperPixels];
    for (int y = firstRow; y < endRow; ++y) {
        for (int x = 0; x < m_output.width; x += kPaperPixels) {
            const int pixels = std::min(kPaperPixels, m_output.width - x);
            for (int output = 0; output < channels; ++output) {
                kernel(fieldsAt(input, y, x, rangeOf(y), output / m_shape.outputs),
                       m_paperIndices.data() + static_cast<std::size_t>(output) * perOutput, m_pairs.data(),
                       pixels, sums);
                for (int p = 0; p < pixels; ++p)
                    scratch.sums[static_cast<std::size_t>(p * channels + output)] = sums[p];
            }
            finish(arena, scratch.sums.data(), channels, y, x, pixels, 0, channels, nullptr);
        }
    }
}

void PreparedConvolution::run(std::byte* arena, int thread, int threads, Scratch& scratch) const {
    const bool bytes = m_step.family == Family::K2;
    const Share rows = shareOf(m_output.height, thread, threads);
    switch (m_mode) {
        case Mode::Tiles:
            return bytes ? runTiles<std::uint8_t>(arena, thread, threads, scratch, nullptr)
                         : runTiles<float>(arena, thread, threads, scratch, nullptr);
        case Mode::Depthwise:
            return bytes ? runDepthwise<std::uint8_t>(arena, rows.first, rows.end, scratch, nullptr)
                         : runDepthwise<float>(arena, rows.first, rows.end, scratch, nullptr);
        case Mode::Naive:
            return runNaive(arena, rows.first, rows.end, scratch);
        case Mode::Paper:
            return runPaper(arena, rows.first, rows.end, scratch);
    }
}

std::vector<std::int32_t> PreparedConvolution::accumulators(std::byte* arena, Scratch& scratch) const {
    std::vector<std::int32_t> sums;
    if (m_step.family != Family::K2 || m_step.format == WeightFormat::Planes8) {
        run(arena, 0, 1, scratch);
        return sums;
    }
    sums.resize(static_cast<std::size_t>(m_output.height) * static_cast<std::size_t>(m_output.width) *
                static_cast<std::size_t>(m_output.channels));
    if (m_mode == Mode::Depthwise) {
        runDepthwise<std::uint8_t>(arena, 0, m_output.height, scratch, sums.data());
    } else {
        runTiles<std::uint8_t>(arena, 0, 1, scratch, sums.data());
    }
    return sums;
}

}  // namespace bitloom::qsimd
