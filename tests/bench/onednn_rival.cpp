// Times oneDNN's convolutions, the best known on x86, as a rival of our kernels: `bitloom bench` runs it on
// this computer where it was built. Reads lines "name channels height width outputs kernelHeight kernelWidth
// stride padding groups added" (added: 1 where another layer's output is added) and prints JSON: for every
// layer the times of float32 direct, of float32 (the faster of direct and Winograd) and of int8 (unsigned
// activations, signed weights), each with bias, addition and ReLU, weights in the layout that oneDNN prefers,
// the bytes of these weights and of the layer's activations. The layers run one after another, as in a
// network, so that each finds the caches as the others leave them. Of COPIES networks each runs in its turn:
// with enough of them weights come from memory.
//
//   onednn_rival LAYERS.txt THREADS REPEAT COPIES
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

namespace {

using dnnl::algorithm;
using dnnl::memory;
using Type = memory::data_type;
using Clock = std::chrono::steady_clock;

struct Layer {
    std::string name;
    memory::dim channels, height, width, outputs, kernelHeight, kernelWidth, stride, padding, groups;
    int added;
};

using Samples = std::vector<long long>;

class Convolution {
  public:
    Convolution(const Layer& layer, Type source, Type weights, Type result, algorithm how,
                dnnl::engine& engine)
        : m_stream(engine) {
        const auto out = [&](memory::dim extent, memory::dim kernel) {
            return (extent + 2 * layer.padding - kernel) / layer.stride + 1;
        };
        const memory::dims sourceDims = {1, layer.channels, layer.height, layer.width};
        const memory::dims resultDims = {1, layer.outputs, out(layer.height, layer.kernelHeight),
                                         out(layer.width, layer.kernelWidth)};
        memory::dims weightDims = {layer.outputs, layer.channels / layer.groups, layer.kernelHeight,
                                   layer.kernelWidth};
        if (layer.groups > 1) {
            weightDims[0] /= layer.groups;
            weightDims.insert(weightDims.begin(), layer.groups);
        }
        const auto any = memory::format_tag::any;
        const Type biasType = source == Type::f32 ? Type::f32 : Type::s32;
        dnnl::primitive_attr attributes;
        dnnl::post_ops after;
        if (layer.added != 0) after.append_sum(0.5F);
        after.append_eltwise(1.0F, algorithm::eltwise_relu, 0.0F, 0.0F);
        attributes.set_post_ops(after);
        if (source != Type::f32) attributes.set_output_scales(0, {0.01F});
        const dnnl::convolution_forward::desc description(
            dnnl::prop_kind::forward_inference, how, {sourceDims, source, any}, {weightDims, weights, any},
            {{layer.outputs}, biasType, memory::format_tag::a}, {resultDims, result, any},
            {layer.stride, layer.stride}, {layer.padding, layer.padding}, {layer.padding, layer.padding});
        const dnnl::convolution_forward::primitive_desc chosen(description, attributes, engine);
        m_primitive = dnnl::convolution_forward(chosen);
        const auto add = [&](int argument, const memory::desc& desc) {
            memory made(desc, engine);
            fill(made);
            m_arguments.emplace(argument, std::move(made));
        };
        add(DNNL_ARG_SRC, chosen.src_desc());
        add(DNNL_ARG_WEIGHTS, chosen.weights_desc());
        add(DNNL_ARG_BIAS, chosen.bias_desc());
        add(DNNL_ARG_DST, chosen.dst_desc());
        m_weightBytes = chosen.weights_desc().get_size() + chosen.bias_desc().get_size();
        m_activationBytes =
            chosen.src_desc().get_size() + chosen.dst_desc().get_size() + chosen.scratchpad_desc().get_size();
    }

    [[nodiscard]] std::size_t weightBytes() const { return m_weightBytes; }
    [[nodiscard]] std::size_t activationBytes() const { return m_activationBytes; }

    void run() {
        m_primitive.execute(m_stream, m_arguments);
        m_stream.wait();
    }

  private:
    /// Numbers as they occur: a processor may be faster on zeros.
    static void fill(memory& made) {
        std::mt19937 random(1);
        const std::size_t size = made.get_desc().get_size();
        if (made.get_desc().data_type() == Type::f32) {
            auto* values = static_cast<float*>(made.get_data_handle());
            for (std::size_t i = 0; i < size / sizeof(float); ++i)
                values[i] = std::uniform_real_distribution<float>(-1, 1)(random);
        } else {
            auto* values = static_cast<unsigned char*>(made.get_data_handle());
            for (std::size_t i = 0; i < size; ++i)
                values[i] = static_cast<unsigned char>(random() & 63U);
        }
    }

    dnnl::stream m_stream;
    dnnl::primitive m_primitive;
    std::unordered_map<int, memory> m_arguments;
    std::size_t m_weightBytes = 0;
    std::size_t m_activationBytes = 0;
};

/// One primitive a layer; null where oneDNN has no such kernel.
using Network = std::vector<std::shared_ptr<Convolution>>;

Network networkOf(const std::vector<Layer>& layers, Type source, Type weights, Type result, algorithm how,
                  dnnl::engine& engine) {
    Network network;
    for (const Layer& layer : layers) {
        try {
            network.push_back(std::make_shared<Convolution>(layer, source, weights, result, how, engine));
        } catch (const dnnl::error&) {
            network.push_back(nullptr);
        }
    }
    return network;
}

/// [layer][sample] of networks that run in turns; empty for a layer without a kernel.
std::vector<Samples> time(const std::vector<Network>& copies, int repeat) {
    const int warmUp = std::max(3, static_cast<int>(copies.size()));
    std::vector<Samples> samples(copies.front().size());
    for (int pass = -warmUp; pass < repeat; ++pass) {
        const Network& network = copies[static_cast<std::size_t>(pass + warmUp) % copies.size()];
        for (std::size_t layer = 0; layer < network.size(); ++layer) {
            if (!network[layer]) continue;
            const auto start = Clock::now();
            network[layer]->run();
            const auto taken = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start);
            if (pass >= 0) samples[layer].push_back(taken.count());
        }
    }
    return samples;
}

long long medianOf(Samples samples) {
    std::ranges::sort(samples);
    return samples[samples.size() / 2];
}

std::string list(const Samples& samples) {
    std::string text = "[";
    for (std::size_t i = 0; i < samples.size(); ++i)
        text += (i == 0 ? "" : ",") + std::to_string(samples[i]);
    return text + "]";
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 5) {
        std::fprintf(stderr, "usage: onednn_rival LAYERS.txt THREADS REPEAT COPIES\n");
        return 2;
    }
    std::ifstream file(arguments[1]);
    const int repeat = std::atoi(arguments[3]);
    const int copies = std::atoi(arguments[4]);
    if (!file || repeat < 1 || copies < 1) {
        std::fprintf(stderr, "onednn_rival: %s cannot be opened, or a number is not at least 1\n",
                     arguments[1]);
        return 1;
    }
    omp_set_num_threads(std::max(1, std::atoi(arguments[2])));
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const dnnl_version_t* version = dnnl_version();
    std::printf("{\"onednn\":\"%d.%d.%d\",\"layers\":[", version->major, version->minor, version->patch);
    std::vector<Layer> layers;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        Layer layer;
        if (words >> layer.name >> layer.channels >> layer.height >> layer.width >> layer.outputs >>
            layer.kernelHeight >> layer.kernelWidth >> layer.stride >> layer.padding >> layer.groups >>
            layer.added)
            layers.push_back(layer);
    }
    const auto made = [&](Type source, Type weights, Type result, algorithm how) {
        std::vector<Network> networks;
        networks.reserve(static_cast<std::size_t>(copies));
        for (int i = 0; i < copies; ++i)
            networks.push_back(networkOf(layers, source, weights, result, how, engine));
        return networks;
    };
    const std::vector<Network> direct = made(Type::f32, Type::f32, Type::f32, algorithm::convolution_direct);
    const std::vector<Network> winograd =
        made(Type::f32, Type::f32, Type::f32, algorithm::convolution_winograd);
    const std::vector<Network> int8 = made(Type::u8, Type::s8, Type::u8, algorithm::convolution_direct);
    const std::vector<Samples> directTimes = time(direct, repeat);
    const std::vector<Samples> winogradTimes = time(winograd, repeat);
    std::vector<Network> best = direct;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        if (!winograd.front()[i]) continue;
        if (direct.front()[i] && medianOf(winogradTimes[i]) >= medianOf(directTimes[i])) continue;
        for (std::size_t copy = 0; copy < best.size(); ++copy)
            best[copy][i] = winograd[copy][i];
    }
    const std::vector<Samples> bestTimes = time(best, repeat);
    const std::vector<Samples> int8Times = time(int8, repeat);
    const auto family = [](const char* name, const Network& network, const std::vector<Samples>& times,
                           std::size_t i) {
        return std::string("\"") + name +
               "\":{\"weight_bytes\":" + std::to_string(network[i] ? network[i]->weightBytes() : 0) +
               ",\"activation_bytes\":" + std::to_string(network[i] ? network[i]->activationBytes() : 0) +
               ",\"samples_ns\":" + list(times[i]) + "}";
    };
    for (std::size_t i = 0; i < layers.size(); ++i) {
        std::printf("%s{\"name\":\"%s\",%s,%s,%s}", i == 0 ? "" : ",", layers[i].name.c_str(),
                    family("fp32", best.front(), bestTimes, i).c_str(),
                    family("fp32_direct", direct.front(), directTimes, i).c_str(),
                    family("int8", int8.front(), int8Times, i).c_str());
    }
    std::printf("]}\n");
    return 0;
}
