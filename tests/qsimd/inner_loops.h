// Reads the inner loops of kernels from a disassembly, to hold what compilers make of them: a tile whose sums
// leave the registers costs more than any schedule can win back.
#pragma once

#include <string>
#include <vector>

namespace bitloom::testing {

struct InnerLoop {
    std::string function;
    std::vector<std::string> code;  ///< mnemonic and operands
    int multiplyAdds = 0;           ///< of single values; vector instructions count all their lanes
    int lookUps = 0;                ///< of single values, in a decoder: TBL, VPSHUFB, VPERMPS
    int vectorSpills = 0;           ///< instructions that move a vector register to or from the stack
    int stackAccesses = 0;

    [[nodiscard]] double instructionsPerMac() const {
        return static_cast<double>(code.size()) / multiplyAdds;
    }
};

/// Innermost loops that multiply and add or look up, with what they skip now and then, in `file` (object or
/// archive) as `objdump` prints it: of x86-64 (AT&T syntax) or AArch64. Empty when the program cannot be run.
[[nodiscard]] std::vector<InnerLoop> innerLoops(const std::string& objdump, const std::string& file);

}  // namespace bitloom::testing
