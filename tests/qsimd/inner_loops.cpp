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

InnerLoop describe(const std::string& function, const std::vector<Instruction>& body) {
    static const std::regex stack(R"(\[sp|\[x29|\(%rsp|\(%rbp)");
    static const std::regex vector(R"(%[xyz]mm|^(ldr|str|ldp|stp)\s+[qd][0-9])");
    InnerLoop loop;
    loop.function = function;
    for (const Instruction& instruction : body) {
        loop.code.push_back(instruction.text);
        loop.multiplyAdds += multiplyAddsOf(instruction.text);
        if (mnemonicOf(instruction.text) == "tbl") loop.lookUps += 16;
        if (!std::regex_search(instruction.text, stack)) continue;
        ++loop.stackAccesses;
        if (std::regex_search(instruction.text, vector)) ++loop.vectorSpills;
    }
    return loop;
}

}  // namespace

std::vector<InnerLoop> innerLoops(const std::string& objdump, const std::string& file) {
    static const std::regex header("^[0-9a-f]+ <(.*)>:$");
    static const std::regex line("^ *([0-9a-f]+):\t(.*)$");
    static const std::regex jump(
        R"(^(?:j[a-z]+|b|b\.[a-z]+|cbn?z\s+\w+,|tbn?z\s+\w+, #\d+,)\s+([0-9a-f]+) <.*)");
    const std::string command = "'" + objdump + "' -d -C --no-show-raw-insn '" + file + "' 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::vector<InnerLoop> loops;
    std::string function;
    std::vector<Instruction> code;
    std::size_t lastJump = 0;  // count of instructions up to the last jump or its target
    char buffer[4096];
    while (pipe && std::fgets(buffer, sizeof buffer, pipe.get())) {
        std::string text = buffer;
        while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
            text.pop_back();
        std::smatch part;
        if (std::regex_match(text, part, header)) {
            function = part[1];
            code.clear();
            lastJump = 0;
            continue;
        }
        if (!std::regex_match(text, part, line)) continue;
        code.push_back({std::stoull(part[1], nullptr, 16), part[2]});
        const std::string& instruction = code.back().text;
        if (!std::regex_match(instruction, part, jump)) continue;
        const std::uint64_t target = std::stoull(part[1], nullptr, 16);
        std::size_t first = code.size();
        while (first > lastJump && code[first - 1].address != target)
            --first;
        if (first > lastJump) {
            InnerLoop loop =
                describe(function, {code.begin() + static_cast<std::ptrdiff_t>(first) - 1, code.end()});
            if (loop.multiplyAdds + loop.lookUps > 0) loops.push_back(std::move(loop));
        }
        lastJump = code.size();
    }
    return loops;
}

}  // namespace bitloom::testing
