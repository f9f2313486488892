#include "engine/qsimd/runtime/network.h"

#include <utility>

namespace bitloom::qsimd {
namespace {

std::string extentOf(const Buffer& buffer) {
    return std::to_string(buffer.channels) + "x" + std::to_string(buffer.height) + "x" +
           std::to_string(buffer.width);
}

struct KindOf {
    const char* operator()(const Convolution&) const { return "convolution"; }
    const char* operator()(const Pool&) const { return "pool"; }
    const char* operator()(const Elementwise&) const { return "elementwise"; }
    const char* operator()(const Combine&) const { return "combine"; }
    const char* operator()(const Place&) const { return "place"; }
    const char* operator()(const Softmax&) const { return "softmax"; }
};

}  // namespace

Network::Network(Model model, const Dispatch& dispatch, int threads, std::vector<int> cores)
    : m_model(std::move(model)),
      m_loops(chooseLoops(dispatch.ceiling)),
      m_pool(threads, std::move(cores)),
      m_arena(m_model.arenaBytes),
      m_scratch(static_cast<std::size_t>(threads)) {
    m_convolutions.reserve(m_model.steps.size());
    for (const Step& step : m_model.steps) {
        const auto* convolution = std::get_if<Convolution>(&step);
        m_convolutionOf.push_back(convolution == nullptr ? -1 : static_cast<int>(m_convolutions.size()));
        if (convolution == nullptr) continue;
        m_convolutions.emplace_back(m_model, *convolution, dispatch);
        for (Scratch& scratch : m_scratch)
            m_convolutions.back().reserve(scratch);
    }
}

BufferIndex Network::outputOf(std::size_t step) const {
    return std::visit([](const auto& s) { return s.output; }, m_model.steps[step]);
}

void Network::runStep(std::size_t step) {
    const Buffer& output = m_model.buffers[static_cast<std::size_t>(outputOf(step))];
    const bool fresh = output.firstStep == static_cast<std::int32_t>(step);
    const int convolution = m_convolutionOf[step];
    const int threads = m_pool.size();
    m_pool.run([&](int thread) {
        if (fresh) fillHalo(output, m_arena.data(), thread, threads);
        if (convolution >= 0) {
            m_convolutions[static_cast<std::size_t>(convolution)].run(
                m_arena.data(), thread, threads, m_scratch[static_cast<std::size_t>(thread)]);
            return;
        }
        std::visit(
            [&](const auto& s) {
                if constexpr (!std::is_same_v<std::decay_t<decltype(s)>, Convolution>)
                    qsimd::runStep(Run{m_model, m_loops, m_arena.data(), thread, threads}, s);
            },
            m_model.steps[step]);
    });
}

void Network::runSteps() {
    for (std::size_t i = 0; i < m_model.steps.size(); ++i)
        runStep(i);
}

Run Network::wholeRun() {
    return {m_model, m_loops, m_arena.data()};
}

void Network::setImage(const float* image) {
    writeValues(wholeRun(), m_model.buffers.front(), image);
}

void Network::run(const float* image, float* output) {
    setImage(image);
    runSteps();
    readValues(wholeRun(), m_model.buffers[static_cast<std::size_t>(m_model.output)], output);
}

std::vector<float> Network::values(BufferIndex buffer) {
    const Buffer& from = m_model.buffers[static_cast<std::size_t>(buffer)];
    std::vector<float> values(static_cast<std::size_t>(from.channels) *
                              static_cast<std::size_t>(from.height) * static_cast<std::size_t>(from.width));
    readValues(wholeRun(), from, values.data());
    return values;
}

std::vector<std::uint8_t> Network::numbers(BufferIndex buffer) const {
    const Buffer& from = m_model.buffers[static_cast<std::size_t>(buffer)];
    std::vector<std::uint8_t> numbers;
    if (from.type != ValueType::Uint8) return numbers;
    const auto* stored =
        reinterpret_cast<const std::uint8_t*>(m_arena.data() + from.offset) + firstPixel(from);
    for (int y = 0; y < from.height; ++y) {
        for (int i = 0; i < from.width * from.channels; ++i)
            numbers.push_back(static_cast<std::uint8_t>(loadActivation(stored[y * rowStride(from) + i])));
    }
    return numbers;
}

std::vector<std::int32_t> Network::accumulators(std::size_t step) {
    const int convolution = m_convolutionOf[step];
    if (convolution < 0) return {};
    fillHalo(m_model.buffers[static_cast<std::size_t>(outputOf(step))], m_arena.data(), 0, 1);
    return m_convolutions[static_cast<std::size_t>(convolution)].accumulators(m_arena.data(),
                                                                              m_scratch.front());
}

StepInfo Network::info(std::size_t step) const {
    StepInfo info;
    info.kind = std::visit(KindOf{}, m_model.steps[step]);
    const Buffer& output = m_model.buffers[static_cast<std::size_t>(outputOf(step))];
    info.name = output.name;
    const auto* convolution = std::get_if<Convolution>(&m_model.steps[step]);
    if (convolution == nullptr) return info;
    const Buffer& input = m_model.buffers[static_cast<std::size_t>(convolution->input)];
    const PreparedConvolution& prepared = m_convolutions[static_cast<std::size_t>(m_convolutionOf[step])];
    info.name = convolution->layer;
    info.shape = extentOf(input) + " -> " + extentOf(output) + ", " +
                 std::to_string(convolution->kernelHeight) + "x" + std::to_string(convolution->kernelWidth);
    if (convolution->strideHeight != 1) info.shape += " /" + std::to_string(convolution->strideHeight);
    if (convolution->groups != 1) info.shape += ", " + std::to_string(convolution->groups) + " groups";
    info.kernel = prepared.kernelName();
    info.family = familyName(prepared.family());
    info.macs = macCount(*convolution, output, input);
    info.weightBytes = weightBytes(*convolution);
    info.preparedBytes = prepared.preparedBytes();
    return info;
}

std::uint64_t Network::peakBytes() const {
    std::uint64_t bytes = m_arena.bytes();
    for (const PreparedConvolution& convolution : m_convolutions)
        bytes += convolution.preparedBytes();
    for (const Scratch& scratch : m_scratch)
        bytes += scratch.floats.bytes() + scratch.bytes.bytes() + scratch.sums.bytes();
    return bytes;
}

}  // namespace bitloom::qsimd
