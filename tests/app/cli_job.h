// The job that the program's tests train: a few steps on a few generated images.
#pragma once

#include <filesystem>
#include <fstream>

namespace bitloom::app {

inline void writeSmallJob(const std::filesystem::path& path) {
    std::ofstream(path) << "[model]\n"
                           "arch = \"resnet20\"\n"
                           "[data]\n"
                           "source = \"generated:1,64,64\"\n"
                           "batch = 8\n"
                           "[quantizer]\n"
                           "bits = 3\n"
                           "[train]\n"
                           "steps = 4\n"
                           "threads = 1\n"
                           "evaluate_images = 32\n"
                           "batch_norm_batches = 1\n"
                           "checkpoint_every_seconds = 0\n"
                           "[record]\n"
                           "every = 1\n";
}

}  // namespace bitloom::app
