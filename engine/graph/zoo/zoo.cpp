// The table of known networks: one line each. Any thread.
#include "engine/graph/zoo/zoo.h"

#include <array>
#include <functional>
#include <utility>

#include "engine/base/text.h"
#include "engine/graph/zoo/families.h"

namespace bitloom::graph::zoo {
namespace {

constexpr std::int64_t kMaxClasses = 1'000'000;
constexpr std::int64_t kMaxImageSize = 8'192;

struct Entry {
    std::string name;
    ModelOptions defaults;
    std::function<Graph(const std::string&, const ModelOptions&)> make;
};

Entry cifar(std::string name, int blocks, Shortcut shortcut) {
    return {std::move(name), {10, 32}, [=](const std::string& arch, const ModelOptions& options) {
                return makeCifarResNet(arch, blocks, shortcut, options);
            }};
}

Entry imageNet(std::string name, Block block, const std::array<int, 4>& blocks) {
    return {std::move(name), {1000, 224}, [=](const std::string& arch, const ModelOptions& options) {
                return makeImageNetResNet(arch, block, blocks, options);
            }};
}

const std::vector<Entry>& entries() {
    static const std::vector<Entry> kEntries = {
        cifar("resnet20", 3, Shortcut::A),
        cifar("resnet32", 5, Shortcut::A),
        cifar("resnet44", 7, Shortcut::A),
        cifar("resnet56", 9, Shortcut::A),
        cifar("resnet20-b", 3, Shortcut::B),
        cifar("resnet32-b", 5, Shortcut::B),
        cifar("resnet44-b", 7, Shortcut::B),
        cifar("resnet56-b", 9, Shortcut::B),
        {"vgg-small", {10, 32}, makeVggSmall},
        imageNet("resnet18", Block::Basic, {2, 2, 2, 2}),
        imageNet("resnet34", Block::Basic, {3, 4, 6, 3}),
        imageNet("resnet50", Block::Bottleneck, {3, 4, 6, 3}),
    };
    return kEntries;
}

}  // namespace

Result<Graph> makeModel(std::string_view arch, const ModelOptions& options) {
    for (const Entry& entry : entries()) {
        if (entry.name != arch) continue;
        ModelOptions chosen = entry.defaults;
        if (options.classes != 0) chosen.classes = options.classes;
        if (options.imageSize != 0) chosen.imageSize = options.imageSize;
        if (chosen.classes < 1 || chosen.classes > kMaxClasses) {
            return usageError("{}: {} classes; choose 1 to {}", arch, chosen.classes, kMaxClasses);
        }
        if (chosen.imageSize < 1 || chosen.imageSize > kMaxImageSize) {
            return usageError("{}: images of {} pixels; choose 1 to {}", arch, chosen.imageSize,
                              kMaxImageSize);
        }
        Graph graph = entry.make(entry.name, chosen);
        if (const auto shapes = inferShapes(graph); !shapes) {
            return usageError("{} with images of {}x{} pixels: {}", arch, chosen.imageSize, chosen.imageSize,
                              shapes.error().message);
        }
        return graph;
    }
    return usageError("unknown network '{}'; did you mean '{}'? Known: {}", arch,
                      nearestName(arch, modelNames()), joinNames(modelNames(), modelNames().size()));
}

std::span<const std::string> modelNames() {
    static const std::vector<std::string> kNames = [] {
        std::vector<std::string> names;
        for (const Entry& entry : entries())
            names.push_back(entry.name);
        return names;
    }();
    return kNames;
}

}  // namespace bitloom::graph::zoo
