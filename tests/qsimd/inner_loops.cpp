#include "tests/qsimd/inner_loops.h"

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <regex>

namespace bitloom::testing {
namespace {

struct Instruction {
    std::uint64_t address;
    std::string text;  ///< mnemonic and operands
};

std::string mnemonicOf(const std::string& text) {
    return text.substr(0, text.find_first_of(" \t"));
}

/// Multiply-adds of one instruction; of x86 those of its register width.
int multiplyAddsOf(const std::string& text) {
    static const std::map<std::string, int> arm = {{"fmla", 4},  {"sdot", 16},  {"smmla", 32}, {"smull", 8},
                                                   {"smlal", 8}, {"smull2", 8}, {"smlal2", 8}};
    const std::string mnemonic = mnemonicOf(text);
    if (const auto found = arm.find(mnemonic); found != arm.end()) return found->second;
    const int bytes = text.find("zmm") != std::string::npos ? 64 : 32;
    if (mnemonic.starts_with("vfmadd")) return bytes / 4;
    if (mnemonic == "vpdpbusd" || mnemonic == "vpmaddubsw") return bytes;
    return 0;
}

/// Values that one instruction looks up in a codebook held in registers. Only in decoders: elsewhere the same
/// instructions move bytes about.
int lookUpsOf(const std::string& text) {
    const std::string mnemonic = mnemonicOf(text);
    const int bytes = text.find("zmm") != std::string::npos   ? 64
                      : text.find("ymm") != std::string::npos ? 32
                                                              : 16;
    if (mnemonic == "tbl") return 16;
    if (mnemonic == "vpshufb") return bytes;
    if (mnemonic == "vpermps") return bytes / 4;
    return 0;
}

/// `framePointer`: the function keeps its frame's address in RBP, which is an ordinary register otherwise.
InnerLoop describe(const std::string& function, bool framePointer, const std::vector<Instruction>& body) {
    static const std::regex pointer(R"(\[sp|\[x29|\(%rsp)");
    static const std::regex frame(R"(\(%rbp)");
    static const std::regex vector(R"(%[xyz]mm|^(ldr|str|ldp|stp)\s+[qd][0-9])");
    InnerLoop loop;
    loop.function = function;
    for (const Instruction& instruction : body) {
        loop.code.push_back(instruction.text);
        loop.multiplyAdds += multiplyAddsOf(instruction.text);
        if (function.find("decode") != std::string::npos) loop.lookUps += lookUpsOf(instruction.text);
        if (!std::regex_search(instruction.text, pointer) &&
            !(framePointer && std::regex_search(instruction.text, frame)))
            continue;
        ++loop.stackAccesses;
        if (std::regex_search(instruction.text, vector)) ++loop.vectorSpills;
    }
    return loop;
}

}  // namespace

std::vector<InnerLoop> innerLoops(const std::string& objdump, const std::string& file) {
    static const std::regex header("^[0-9a-f]+ <(.*)>:$");
    static const std::regex frameSetUp(R"(mov\s+%rsp,%rbp)");
    static const std::regex line("^ *([0-9a-f]+):\t(.*)$");
    static const std::regex jump(
        R"(^(?:j[a-z]+|b|b\.[a-z]+|cbn?z\s+\w+,|tbn?z\s+\w+, #\d+,)\s+([0-9a-f]+) <.*)");
    const std::string command = "'" + objdump + "' -d -C --no-show-raw-insn '" + file + "' 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::vector<InnerLoop> loops;
    std::string function;
    std::vector<Instruction> code;
    std::size_t lastLoop = 0;  // count of instructions up to the end of the last loop
    bool framePointer = false;
    char buffer[4096];
    while (pipe && std::fgets(buffer, sizeof buffer, pipe.get())) {
        std::string text = buffer;
        while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
            text.pop_back();
        std::smatch part;
        if (std::regex_match(text, part, header)) {
            function = part[1];
            code.clear();
            lastLoop = 0;
            framePointer = false;
            continue;
        }
        if (!std::regex_match(text, part, line)) continue;
        code.push_back({std::stoull(part[1], nullptr, 16), part[2]});
        const std::string& instruction = code.back().text;
        framePointer = framePointer || std::regex_match(instruction, frameSetUp);
        if (!std::regex_match(instruction, part, jump)) continue;
        const std::uint64_t target = std::stoull(part[1], nullptr, 16);
        if (target > code.back().address) continue;
        std::size_t first = code.size();
        while (first > lastLoop && code[first - 1].address != target)
            --first;
        if (first > lastLoop) {
            InnerLoop loop = describe(function, framePointer,
                                      {code.begin() + static_cast<std::ptrdiff_t>(first) - 1, code.end()});
            if (loop.multiplyAdds + loop.lookUps > 0) loops.push_back(std::move(loop));
        }
        lastLoop = code.size();
    }
    return loops;
}

}  // namespace bitloom::testing
