// How a convolution is made ready for this processor.
#include "engine/qsimd/runtime/convolution.h"

#include <algorithm>

namespace bitloom::qsimd {
namespace {

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
    const auto found = dispatch.schedules.find({step.family, step.layer});
    if (found != dispatch.schedules.end()) m_schedule = found->second;
    chooseMode(step);
    const bool bytes = step.family == Family::K2;
    const SumKind sums = bytes ? SumKind::Int : SumKind::Float;
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
        const Microkernel* named =
            m_schedule.microkernel.empty() ? nullptr : findMicrokernel(m_schedule.microkernel);
        const bool usable = named != nullptr && (named->bytes != nullptr) == bytes &&
                            named->pixels <= m_output.width && allowed(named->isa, dispatch.ceiling);
        m_kernel = usable ? named
                          : &chooseMicrokernel(bytes, m_output.width, m_output.channels / step.groups,
                                               dispatch.ceiling);
        channels = m_kernel->channels;
        depth = m_kernel->depth;
    }
    chooseRows(dispatch.ceiling);
    m_shape = panelShape(step, m_input, m_output, channels, depth);
    if (m_mode == Mode::Tiles) m_panels = makePanels(step, m_shape, !m_schedule.decoded);
    if (m_panels.bits != 0) {
        const Decoder& decoder = chooseDecoder(m_panels.bits, dispatch.ceiling);
        m_decodeFloats = decoder.floats;
        m_decodeBytes = decoder.bytes;
    }
    if (m_schedule.decoded && m_family == Family::K0 && m_mode == Mode::Tiles) m_family = Family::TunedFp32;
    prepareParts();
    prepareRows(m_schedule.skipPadding);
    if (bytes) prepareStarts();
    const std::size_t taps = m_shape.taps();
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
    const bool depthwise =
        step.groups == m_input.channels && step.groups == m_output.channels && step.groups > 1;
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

/// The kernel of a mode without tiles.
void PreparedConvolution::chooseRows(Isa ceiling) {
    if (m_mode == Mode::Tiles) return;
    const RowKind kind = m_mode == Mode::Naive       ? RowKind::Naive
                         : m_mode == Mode::Depthwise ? RowKind::Depthwise
                         : m_step.indexBits == 2     ? RowKind::Paper2
                                                     : RowKind::Paper4;
    const bool bytes = m_mode == Mode::Depthwise && m_step.family == Family::K2;
    m_rowKernel = &chooseRowKernel(kind, bytes, ceiling);
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

/// A tile takes its field whole unless there is a reason not to.
void PreparedConvolution::prepareParts() {
    if (m_mode != Mode::Tiles) return;
    const int tiles = (m_output.width + m_kernel->pixels - 1) / m_kernel->pixels;
    m_parts.assign(static_cast<std::size_t>(tiles), {{0, m_shape.rows, 0, m_shape.paddedRun, 0, m_kernel}});
    const bool bytes = m_step.family == Family::K2;
    // Large float panels are taken in parts that stay in the second cache while several tiles use them.
    // Packed ones have just been decoded there. Parts of ResNet-18 at 224: least time among 48 to 384 kB.
    constexpr int kPartKb = 64;
    const int partKb = m_schedule.partKb != kChoose ? m_schedule.partKb
                       : m_panels.floats.size() > 0 ? kPartKb
                                                    : 0;
    if (partKb > 0) preparePanelParts(bytes ? 1 : static_cast<int>(sizeof(float)), partKb);
    if (bytes && m_tilesAtOnce == 1) prepareEdges();
}

/// Several tiles share each part; tiles at an edge then take all columns of the window like others.
void PreparedConvolution::preparePanelParts(int valueBytes, int partKb) {
    constexpr std::size_t kSumBytes = std::size_t{16} << 10U;  // least time of ResNet-18 among 8 to 32 kB
    constexpr int kStep = 16;  // values that a vector loop may want to take at once
    const std::size_t partBytes = static_cast<std::size_t>(partKb) << 10U;
    const std::size_t rowBytes = m_shape.rowSize() * static_cast<std::size_t>(valueBytes);
    if (m_shape.panelSize() * static_cast<std::size_t>(valueBytes) <= partBytes) return;
    const int most = std::max(1, m_shape.paddedRun / kStep);  // no part is empty
    const int inRow =
        m_shape.segments > 1 ? 1 : std::min(most, static_cast<int>((rowBytes + partBytes - 1) / partBytes));
    const auto border = [&](int part) {
        if (part == inRow) return m_shape.paddedRun;
        return static_cast<int>(std::int64_t{m_shape.paddedRun} * part / inRow) / kStep * kStep;
    };
    std::vector<Part> parts;
    for (int row = 0; row < m_shape.rows; ++row) {
        for (int part = 0; part < inRow; ++part)
            parts.push_back(
                {row, row + 1, border(part), border(part + 1) - border(part), 0, m_kernel, part > 0});
    }
    m_parts.assign(m_parts.size(), parts);
    const auto tileBytes = sizeof(float) * static_cast<std::size_t>(m_kernel->pixels * m_kernel->channels);
    m_tilesAtOnce = static_cast<int>(std::max<std::size_t>(1, kSumBytes / tileBytes));
    m_prefetchesParts = m_panels.bits == 0;
}

/// The first and the last tile of a row leave out the columns of the window that lie in the padding, as parts
/// of one pixel less: where such a microkernel exists and padding is stored as 0.
void PreparedConvolution::prepareEdges() {
    const Microkernel* less = nullptr;
    for (const Microkernel& kernel : allMicrokernels()) {
        if (kernel.bytes != nullptr && kernel.isa == m_kernel->isa && kernel.depth == m_kernel->depth &&
            kernel.channels == m_kernel->channels && kernel.pixels == m_kernel->pixels - 1)
            less = &kernel;
    }
    const int inputs = m_input.channels;
    if (less == nullptr || m_shape.segments > 1 || m_shape.groups > 1 || inputs % m_shape.depth != 0 ||
        m_input.zeroPoint != kActivationOffset)
        return;
    const int pixels = m_kernel->pixels;
    for (std::size_t tile = 0; tile < m_parts.size(); ++tile) {
        const int x = std::min(static_cast<int>(tile) * pixels, m_output.width - pixels);
        const auto inside = [&](int pixel, int column) {
            const int at = (x + pixel) * m_step.strideWidth - m_step.paddingWidth + column;
            return at >= 0 && at < m_input.width;
        };
        int first = 0;  // columns before it lack the first pixel alone
        int end = m_step.kernelWidth;
        while (first < end && !inside(0, first) && inside(1, first))
            ++first;
        while (end > first && !inside(pixels - 1, end - 1) && inside(pixels - 2, end - 1))
            --end;
        if (first == end) continue;
        const auto part = [&](int from, int to, int firstPixel, const Microkernel* kernel, bool adds) {
            return Part{0, m_shape.rows, from * inputs, (to - from) * inputs, firstPixel, kernel, adds};
        };
        m_parts[tile] = {part(first, end, 0, m_kernel, false)};
        if (first > 0) m_parts[tile].push_back(part(0, first, 1, less, true));
        if (end < m_step.kernelWidth) m_parts[tile].push_back(part(end, m_step.kernelWidth, 0, less, true));
    }
}

/// Sums of stored bytes s are those of the true a - zeroPoint after adding (offset - zeroPoint) x sum(w).
void PreparedConvolution::prepareStarts() {
    const auto outputs = static_cast<std::size_t>(m_output.channels);
    const auto rows = static_cast<std::size_t>(m_step.kernelHeight);
    const std::size_t perOutput = rows * static_cast<std::size_t>(m_shape.segments * m_shape.run);
    const std::vector<std::int8_t> weights = byteWeights(m_step, perOutput * outputs);
    const std::vector<std::int32_t> sums = rowSums(weights, outputs, rows);
    const std::int32_t factor = kActivationOffset - m_input.zeroPoint;
    const bool tiles = m_mode == Mode::Tiles;
    for (RowRange& range : m_ranges) {
        const std::size_t size =
            tiles ? static_cast<std::size_t>(m_shape.allBlocks()) * static_cast<std::size_t>(m_shape.channels)
                  : outputs;
        range.start.assign(size, 0);
        for (std::size_t i = 0; i < size; ++i) {
            std::size_t channel = i;
            if (tiles) {
                const auto width = static_cast<std::size_t>(m_shape.channels);
                const auto block = static_cast<int>(i / width);
                const int c = static_cast<int>(i % width);
                const int inGroup = block % m_shape.blocks * m_shape.channels + c;
                if (inGroup >= m_shape.outputs) continue;
                const int output = block / m_shape.blocks * m_shape.outputs + inGroup;
                channel = static_cast<std::size_t>(output);
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
    return m_mode == Mode::Tiles ? m_kernel->name : m_rowKernel->name;
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
    if (m_kernel != nullptr)
        sums = static_cast<std::size_t>(m_kernel->pixels) * static_cast<std::size_t>(m_kernel->channels) *
               static_cast<std::size_t>(m_tilesAtOnce);
    if (scratch.sums.size() < sums) scratch.sums = AlignedArray<float>(sums);
}

}  // namespace bitloom::qsimd
