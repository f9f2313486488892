#include "engine/qsimd/catalogue.h"

#include <algorithm>
#include <regex>
#include <sstream>

#include "engine/qsimd/bundle_files.h"
#include "engine/qsimd/kernels/registry.h"

namespace bitloom::qsimd {
namespace {

constexpr std::string_view kFlagsFile = "kernels/flags.txt";
constexpr std::string_view kGnuAlone = "gnu:";

std::string_view textOf(std::string_view file) {
    const auto found = std::ranges::find(bundleFiles(), file, &BundleFile::path);
    return found == bundleFiles().end() ? std::string_view() : found->text;
}

struct FlagsLine {
    Processor processor;
    std::vector<std::string> flags;
};

std::optional<FlagsLine> flagsLineOf(std::string_view file) {
    std::istringstream lines{std::string(textOf(kFlagsFile))};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string name;
        std::string processor;
        if (!(words >> name >> processor) || name != file) continue;
        FlagsLine found{processor == "arm" ? Processor::Arm : Processor::X86, {}};
        for (std::string flag; words >> flag;)
            found.flags.push_back(flag);
        return found;
    }
    return std::nullopt;
}

struct Line {
    std::string name;
    std::string isa;
};

/// The registry's lines as the sources have them: {"NAME", Isa::SET, ... The isa stands in the name, too.
std::vector<Line> linesFor(Processor processor) {
    static const std::regex line(R"re(\{"((?:fp32|int8)_([a-z0-9]+)_[a-z0-9]+)",\s*Isa::)re");
    std::vector<Line> lines;
    for (const BundleFile& file : bundleFiles()) {
        if (!file.path.starts_with("kernels/") || !file.path.ends_with(".cpp")) continue;
        const std::optional<FlagsLine> flags = flagsLineOf(file.path);
        if (flags && flags->processor != processor) continue;
        const std::string text(file.text);
        for (std::sregex_iterator match(text.begin(), text.end(), line); match != std::sregex_iterator();
             ++match)
            lines.push_back({(*match)[1], (*match)[2]});
    }
    return lines;
}

}  // namespace

std::optional<Processor> processorOf(std::string_view abi) {
    if (abi == "x86_64") return Processor::X86;
    if (abi == "arm64-v8a") return Processor::Arm;
    return std::nullopt;
}

const std::vector<InstructionSet>& instructionSets(Processor processor) {
    const auto set = [](Isa isa, std::vector<std::string> features) {
        return InstructionSet{isaName(isa), std::move(features)};
    };
    // The questions of canRun(), in the words of Linux's cpuinfo (arch/x86/include/asm/cpufeatures.h and
    // arch/arm64/kernel/cpuinfo.c).
    static const std::vector<InstructionSet> x86 = {
        set(Isa::Scalar, {}), set(Isa::Avx2, {"avx2", "fma"}),
        set(Isa::Avx512, {"avx2", "fma", "avx512f", "avx512bw"}),
        set(Isa::Avx512Vnni, {"avx2", "fma", "avx512f", "avx512bw", "avx512_vnni"})};
    static const std::vector<InstructionSet> arm = {set(Isa::Scalar, {}), set(Isa::Neon, {"asimd"}),
                                                    set(Isa::NeonDot, {"asimd", "asimddp"}),
                                                    set(Isa::NeonI8mm, {"asimd", "asimddp", "i8mm"})};
    return processor == Processor::X86 ? x86 : arm;
}

std::vector<std::string> runnableKernels(Processor processor, const std::vector<std::string>& features) {
    const auto has = [&features](const std::string& feature) {
        return std::ranges::find(features, feature) != features.end();
    };
    std::vector<std::string> names;
    const std::vector<Line> lines = linesFor(processor);
    for (const InstructionSet& set : instructionSets(processor)) {
        if (!std::ranges::all_of(set.features, has)) continue;
        for (const Line& line : lines)
            if (line.isa == set.name) names.push_back(line.name);
    }
    return names;
}

std::optional<std::vector<std::string>> compilerFlags(std::string_view file, Processor processor, bool gnu) {
    const std::optional<FlagsLine> line = flagsLineOf(file);
    if (!line) return std::vector<std::string>();
    if (line->processor != processor) return std::nullopt;
    std::vector<std::string> flags;
    for (const std::string& flag : line->flags) {
        const bool forGnu = flag.starts_with(kGnuAlone);
        if (!forGnu) flags.push_back(flag);
        if (forGnu && gnu) flags.push_back(flag.substr(kGnuAlone.size()));
    }
    return flags;
}

}  // namespace bitloom::qsimd
