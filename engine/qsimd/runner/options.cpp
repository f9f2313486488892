#include "engine/qsimd/runner/options.h"

#include <algorithm>
#include <charconv>

#include "engine/qsimd/runtime/dispatch.h"

namespace bitloom::qsimd {
namespace {

bool toNumber(const std::string& text, int low, int high, int& number) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end && number >= low && number <= high;
}

bool toNumbers(const std::string& text, std::vector<int>& numbers) {
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t comma = std::min(text.find(',', start), text.size());
        int number = 0;
        if (!toNumber(text.substr(start, comma - start), 0, 4095, number)) return false;
        numbers.push_back(number);
        start = comma + 1;
    }
    return true;
}

std::string knownIsas() {
    std::string names;
    Isa last = Isa::Scalar;
    for (const Microkernel& kernel : allMicrokernels()) {
        if (!names.empty() && kernel.isa == last) continue;
        names += (names.empty() ? "" : ", ") + std::string(isaName(kernel.isa));
        last = kernel.isa;
    }
    return names;
}

std::string readIsa(const std::string& name, Isa& isa) {
    for (const Microkernel& kernel : allMicrokernels()) {
        if (name != isaName(kernel.isa)) continue;
        isa = kernel.isa;
        if (canRun(isa)) return {};
        return "--isa " + name + ": this processor lacks it; its strongest is " + isaName(strongestIsa());
    }
    return "--isa " + name + ": unknown; known are " + knownIsas();
}

std::string notANumber(const std::string& name, const std::string& value, int low, int high) {
    return name + " " + value + ": not a number from " + std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

const char* runnerHelp() {
    return "usage: bitloom_runner MODEL... [options]\n"
           "  --warmup N      runs of each model before the first sample (5)\n"
           "  --repeat N      samples of each model (50)\n"
           "  --block N       samples of one model before the next has its turn (5)\n"
           "  --threads N     threads (1)\n"
           "  --cores A,B     cores that the threads are pinned to\n"
           "  --isa NAME      nothing stronger than this instruction set\n"
           "  --copies N      networks used in turns, so that weights come from memory (1)\n"
           "  --schedule FILE lines of: family layer microkernel|auto rows|channels|auto skip|keep, and of\n"
           "                  ahead=KB part=KB tiles=N decoded those that differ from this program's "
           "choice;\n"
           "                  once for all models, or once a model\n"
           "  --per-layer     times of every step too\n"
           "  --json          print JSON\n"
           "  --list          print the kernels that this processor can run, as JSON\n"
           "  --hashes        print what every step computes, as hashes, instead of times\n"
           "  --input FILE    images, float32, [channels][height][width] each\n"
           "  --output FILE   write the outputs of all images, float32, instead of times\n"
           "  --expect FILE   compare the outputs of all images with these, to the bit, instead of times\n";
}

std::string parseOptions(int count, char** arguments, RunnerOptions& options) {
    options.isa = strongestIsa();
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        if (name.rfind("--", 0) != 0) {
            options.models.push_back(name);
            continue;
        }
        if (name == "--json") {
            options.json = true;
        } else if (name == "--per-layer") {
            options.perLayer = true;
        } else if (name == "--list") {
            options.list = true;
        } else if (name == "--hashes") {
            options.hashes = true;
        } else {
            if (i + 1 == count) return name + ": unknown, or its value is missing";
            const std::string value = arguments[++i];
            const auto number = [&](int low, int high, int& to) {
                return toNumber(value, low, high, to) ? std::string() : notANumber(name, value, low, high);
            };
            std::string problem;
            if (name == "--warmup") {
                problem = number(0, 1000000, options.warmup);
            } else if (name == "--repeat") {
                problem = number(1, 1000000, options.repeat);
            } else if (name == "--block") {
                problem = number(1, 1000000, options.block);
            } else if (name == "--threads") {
                problem = number(1, 256, options.threads);
            } else if (name == "--copies") {
                problem = number(1, 10000, options.copies);
            } else if (name == "--isa") {
                problem = readIsa(value, options.isa);
            } else if (name == "--schedule") {
                options.schedules.push_back(value);
            } else if (name == "--input") {
                options.input = value;
            } else if (name == "--output") {
                options.output = value;
            } else if (name == "--expect") {
                options.expect = value;
            } else if (name == "--cores") {
                if (!toNumbers(value, options.cores))
                    problem = "--cores " + value + ": not numbers with commas";
            } else {
                problem = name + ": unknown";
            }
            if (!problem.empty()) return problem;
        }
    }
    if (!options.cores.empty() && options.cores.size() != static_cast<std::size_t>(options.threads))
        return "--cores: needs one core a thread";
    if (options.schedules.size() > 1 && options.schedules.size() != options.models.size())
        return "--schedule: needs one for all models, or one a model";
    return options.models.empty() && !options.list ? "no model" : std::string();
}

}  // namespace bitloom::qsimd
