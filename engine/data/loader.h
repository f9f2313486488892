// Turns a dataset into batches: shuffled, augmented, normalised, prefetched on threads of its own. The
// batches of a seed are identical whatever the thread count, and batch N of epoch E can be asked for directly
// (resume).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/dataset.h"

namespace bitloom::data {

struct Batch {
    std::int64_t epoch = 0;
    std::int64_t index = 0;            ///< within the epoch
    int count = 0;                     ///< images; the last batch of an evaluation may be short
    std::vector<float> images;         ///< [count, C, H, W], normalised
    std::vector<std::int64_t> labels;  ///< [count]
};

struct LoaderOptions {
    int batchSize = 128;
    Normalization normalization;
    bool shuffle = true;   ///< a seeded permutation, another one each epoch
    bool dropLast = true;  ///< leave out a short last batch
    bool augment = true;   ///< per image: pad 4, random crop back, flip with probability 1/2
    std::uint64_t seed = 0;
    int threads = 1;   ///< prefetching threads, at least 1
    int prefetch = 4;  ///< batches held ready
};

class Loader {
  public:
    /// `dataset` must outlive the loader.
    Loader(const Dataset& dataset, LoaderOptions options);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    /// 0 when there is not even one batch; next() then says why.
    [[nodiscard]] std::int64_t batchesPerEpoch() const;

    /// Continues from batch `index` of `epoch`, both from 0; drops what was prefetched. Call before the first
    /// next() too if not (0, 0).
    void seek(std::int64_t epoch, std::int64_t index);

    /// The next batch; after the last of an epoch comes the first of the next. Blocks until ready. One
    /// consumer. A dataset's error comes in place of its batch, and again at every call until seek();
    /// unusable options are an error of every call.
    [[nodiscard]] Result<Batch> next();

  private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace bitloom::data
