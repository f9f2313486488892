// What a model of a processor says of the ARM kernels' inner loops: instructions a multiply-add, counted in
// the machine code, and cycles as llvm-mca predicts them for Neoverse N1 (the Cortex-A76's twin), all data in
// the first cache. Nothing is run and nothing is timed. LLVM 14's table for that processor gives FMLA one
// pipe of the two it has, and has no SMMLA. Prints a table in Markdown.
//
//   static_model OBJDUMP LLVM_MCA OBJECT...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "tests/qsimd/inner_loops.h"

namespace {

using bitloom::testing::InnerLoop;

constexpr const char* kProcessor = "neoverse-n1";

/// Cycles of one pass over the loop in the long run; 0 when the model does not know an instruction.
double cyclesOf(const std::string& mca, const InnerLoop& loop, const std::filesystem::path& scratch) {
    constexpr int kPasses = 200;
    for (const std::string& text : loop.code)
        if (text.starts_with("smmla")) return 0;
    {
        std::ofstream file(scratch);
        for (const std::string& text : loop.code) {
            // Where a branch goes does not matter: the model takes the lines as the body of a loop.
            static const std::regex target(R"([0-9a-f]+ <.*>$)");
            file << std::regex_replace(text, target, "there") << "\n";
        }
    }
    const std::string command = "'" + mca + "' -mtriple=aarch64 -mcpu=" + kProcessor +
                                " -mattr=+dotprod,+i8mm -iterations=" + std::to_string(kPasses) + " '" +
                                scratch.string() + "' 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    double cycles = 0;
    char buffer[4096];
    while (pipe && std::fgets(buffer, sizeof buffer, pipe.get()) != nullptr) {
        long total = 0;
        if (std::sscanf(buffer, "Total Cycles: %ld", &total) == 1)
            cycles = static_cast<double>(total) / kPasses;
    }
    return cycles;
}

std::string shortName(const std::string& function) {
    static const std::regex around(R"(^.*\(anonymous namespace\)::|\(.*$)");
    return std::regex_replace(function, around, "");
}

/// Of every function the loop that does most at a time; not epilogues, which run once a sum.
std::vector<InnerLoop> mainLoops(const std::vector<InnerLoop>& all) {
    std::vector<InnerLoop> loops;
    for (const InnerLoop& loop : all) {
        if (loop.function.find("epilogue") != std::string::npos) continue;
        const auto same = std::ranges::find(loops, loop.function, &InnerLoop::function);
        if (same == loops.end()) {
            loops.push_back(loop);
        } else if (same->multiplyAdds + same->lookUps < loop.multiplyAdds + loop.lookUps) {
            *same = loop;
        }
    }
    return loops;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) {
        std::fprintf(stderr, "usage: static_model OBJDUMP LLVM_MCA OBJECT...\n");
        return 2;
    }
    const auto scratch =
        std::filesystem::temp_directory_path() / ("static_model_" + std::to_string(std::rand()) + ".s");
    std::printf("| file | loop | work of a pass | instructions | each | cycles, %s | work a cycle |\n",
                kProcessor);
    std::printf("|---|---|---|---|---|---|---|\n");
    for (int i = 3; i < count; ++i) {
        const std::filesystem::path object = arguments[i];
        for (const InnerLoop& loop : mainLoops(bitloom::testing::innerLoops(arguments[1], object))) {
            const bool multiplies = loop.multiplyAdds > 0;
            const int work = multiplies ? loop.multiplyAdds : loop.lookUps;
            const double cycles = cyclesOf(arguments[2], loop, scratch);
            std::printf("| %s | %s | %d %s | %zu | %.3f |", object.stem().c_str(),
                        shortName(loop.function).c_str(), work, multiplies ? "multiply-adds" : "look-ups",
                        loop.code.size(), static_cast<double>(loop.code.size()) / work);
            if (cycles > 0) {
                std::printf(" %.1f | %.1f |\n", cycles, work / cycles);
            } else {
                std::printf(" | |\n");
            }
        }
    }
    std::filesystem::remove(scratch);
    return 0;
}
