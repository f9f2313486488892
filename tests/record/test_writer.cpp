// Writes a run in a process of its own: `record_test_writer FILE LAST_STEP [RESUME_FROM]`. Prints each step
// once it is flushed, and after LAST_STEP waits for a line on stdin before it finishes the run. Exit code 1
// with the message on stderr.
#include <cstdlib>
#include <iostream>
#include <string>

#include "engine/record/run_writer.h"
#include "tests/record/run_samples.h"

namespace {

using namespace bitloom;

Status writeRun(const std::string& path, std::int64_t last, std::int64_t resumeFrom) {
    const std::vector<record::LayerLayout> layouts = testing::sampleLayouts();
    auto opened = resumeFrom < 0 ? record::RunWriter::create(path, testing::sampleInfo(), layouts)
                                 : record::RunWriter::resume(path, resumeFrom);
    BITLOOM_ASSIGN_OR_RETURN(const std::unique_ptr<record::RunWriter> writer, std::move(opened));
    for (std::int64_t step = resumeFrom + 1; step <= last; ++step) {
        BITLOOM_RETURN_IF_ERROR(testing::appendStep(*writer, layouts, step));
        std::cout << step << std::endl;
    }
    std::string line;
    std::getline(std::cin, line);
    return writer->finish(testing::sampleSummary());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const Status written = writeRun(argv[1], std::atoll(argv[2]), argc > 3 ? std::atoll(argv[3]) : -1);
    if (!written) std::cerr << written.error().message << '\n';
    return written ? 0 : 1;
}
