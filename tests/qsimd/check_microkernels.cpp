// Checks every kernel and decoder that this processor can run, without GoogleTest: for emulated processors.
// Names what was checked; exit code 1 when a kernel is wrong or fewer than argv[1] could run.
#include <cstdio>
#include <cstdlib>

#include "engine/qsimd/kernels/registry.h"
#include "tests/qsimd/microkernel_check.h"
#include "tests/qsimd/row_kernel_check.h"

int main(int argc, char** argv) {
    using namespace bitloom;
    int checked = 0;
    int wrong = 0;
    const auto report = [&](const char* name, const std::string& problem) {
        std::printf("%s %s\n", problem.empty() ? "ok   " : "WRONG", problem.empty() ? name : problem.c_str());
        ++checked;
        wrong += problem.empty() ? 0 : 1;
    };
    for (const qsimd::Microkernel& kernel : qsimd::allMicrokernels())
        if (qsimd::canRun(kernel.isa)) report(kernel.name, testing::checkMicrokernel(kernel));
    for (const qsimd::RowKernel& kernel : qsimd::allRowKernels())
        if (qsimd::canRun(kernel.isa)) report(kernel.name, testing::checkRowKernel(kernel));
    for (const qsimd::Decoder& decoder : qsimd::allDecoders()) {
        if (!qsimd::canRun(decoder.isa)) continue;
        const std::string problem = testing::checkDecoder(decoder);
        std::printf("%s decoder %s, %d bits %s\n", problem.empty() ? "ok   " : "WRONG",
                    qsimd::isaName(decoder.isa), decoder.bits, problem.c_str());
        wrong += problem.empty() ? 0 : 1;
    }
    std::printf("%d kernels checked, %d wrong\n", checked, wrong);
    return wrong > 0 || (argc > 1 && checked < std::atoi(argv[1])) ? 1 : 0;
}
