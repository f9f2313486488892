// Times oneDNN's convolutions, the best known on x86, as a rival of our kernels: `bitloom bench` runs it on
// this computer where it was built. Reads lines "name channels height width outputs kernelHeight kernelWidth
// stride padding groups" and prints JSON: for every layer the times of float32 direct, of float32 (the faster
// of direct and Winograd) and of int8 (unsigned activations, signed weights), each with bias and ReLU,
// weights in the layout that oneDNN prefers. The layers run one after another, as in a network, so that each
// finds the caches as the others leave them.
//
//   onednn_rival LAYERS.txt THREADS REPEAT
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
    }

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

/// [layer][sample]; empty for a layer without a kernel.
std::vector<Samples> time(const Network& network, int repeat) {
    constexpr int kWarmUp = 3;
    std::vector<Samples> samples(network.size());
    for (int pass = -kWarmUp; pass < repeat; ++pass) {
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
    if (count != 4) {
        std::fprintf(stderr, "usage: onednn_rival LAYERS.txt THREADS REPEAT\n");
        return 2;
    }
    std::ifstream file(arguments[1]);
    const int repeat = std::atoi(arguments[3]);
    if (!file || repeat < 1) {
        std::fprintf(stderr, "onednn_rival: %s cannot be opened, or REPEAT is no number\n", arguments[1]);
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
            layer.kernelHeight >> layer.kernelWidth >> layer.stride >> layer.padding >> layer.groups)
            layers.push_back(layer);
    }
    const Network direct =
        networkOf(layers, Type::f32, Type::f32, Type::f32, algorithm::convolution_direct, engine);
    const Network winograd =
        networkOf(layers, Type::f32, Type::f32, Type::f32, algorithm::convolution_winograd, engine);
    const Network int8 =
        networkOf(layers, Type::u8, Type::s8, Type::u8, algorithm::convolution_direct, engine);
    const std::vector<Samples> directTimes = time(direct, repeat);
    const std::vector<Samples> winogradTimes = time(winograd, repeat);
    Network best = direct;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        if (winograd[i] && (!direct[i] || medianOf(winogradTimes[i]) < medianOf(directTimes[i])))
            best[i] = winograd[i];
    }
    const std::vector<Samples> bestTimes = time(best, repeat);
    const std::vector<Samples> int8Times = time(int8, repeat);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        std::printf(
            "%s{\"name\":\"%s\",\"fp32\":%s,\"fp32_algorithm\":\"%s\",\"fp32_direct\":%s,\"int8\":%s}",
            i == 0 ? "" : ",", layers[i].name.c_str(), list(bestTimes[i]).c_str(),
            best[i] == winograd[i] ? "winograd" : "direct", list(directTimes[i]).c_str(),
            list(int8Times[i]).c_str());
    }
    std::printf("]}\n");
    return 0;
}
