// Threads claim batches in order, build them on their own and put them where next() waits. A batch depends
// only on the options and its number, so who builds it and when does not matter.
#include "engine/data/loader.h"

#include <condition_variable>
#include <map>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>

#include "engine/base/annotated_mutex.h"
#include "engine/base/random.h"
#include "engine/data/augmentation.h"

namespace bitloom::data {
namespace {

/// Keeps the shuffles apart from other streams of the same seed.
constexpr std::uint64_t kShuffleStream = 0x73687566;

/// The order of images in one epoch, kept from batch to batch by each thread for itself.
struct EpochOrder {
    std::int64_t epoch = -1;
    std::vector<std::int64_t> images;

    /// 0, 1, ... or a Fisher-Yates shuffle of it.
    void prepare(const LoaderOptions& options, std::int64_t size, std::int64_t newEpoch) {
        if (epoch == newEpoch) return;
        images.resize(static_cast<std::size_t>(size));
        std::iota(images.begin(), images.end(), std::int64_t{0});
        epoch = newEpoch;
        if (!options.shuffle) return;
        Random random({kShuffleStream, options.seed, static_cast<std::uint64_t>(epoch)});
        for (std::size_t i = images.size(); i > 1; --i)
            std::swap(images[i - 1], images[random.below(i)]);
    }
};

Status check(const Dataset& dataset, const LoaderOptions& options) {
    if (options.batchSize < 1 || options.threads < 1 || options.prefetch < 1) {
        return usageError("loader: batch size {}, threads {} and prefetch {} must each be at least 1",
                          options.batchSize, options.threads, options.prefetch);
    }
    if (dataset.size() < 1) return fail("loader: the data set has no images");
    if (options.dropLast && dataset.size() < options.batchSize) {
        return usageError(
            "loader: the data set has {} images, fewer than one batch of {}; choose a smaller batch",
            dataset.size(), options.batchSize);
    }
    return {};
}

}  // namespace

class Loader::Impl {
  public:
    Impl(const Dataset& dataset, const LoaderOptions& options)
        : m_dataset(dataset), m_options(options), m_shape(dataset.shape()), m_table(options.normalization) {
        if (Status checked = check(dataset, options); !checked) {
            m_error = std::move(checked).error();
            return;
        }
        const std::int64_t size = dataset.size();
        m_perEpoch = (options.dropLast ? size : size + options.batchSize - 1) / options.batchSize;
    }

    ~Impl() {
        {
            const MutexLock lock(m_mutex);
            m_stop = true;
        }
        m_roomMade.notify_all();
        for (std::thread& thread : m_threads)
            thread.join();
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] std::int64_t batchesPerEpoch() const { return m_perEpoch; }

    void seek(std::int64_t epoch, std::int64_t index) {
        assert(epoch >= 0 && index >= 0);
        const MutexLock lock(m_mutex);
        m_wanted = epoch * m_perEpoch + index;
        m_unclaimed = m_wanted;
        ++m_generation;
        m_ready.clear();
        if (m_perEpoch > 0) m_error.reset();
        m_roomMade.notify_all();
    }

    Result<Batch> next() {
        BITLOOM_RETURN_IF_ERROR(startThreads());
        MutexLock lock(m_mutex);
        if (m_error) return *m_error;
        m_batchReady.wait(lock, [this] { return m_ready.contains(m_wanted); });
        Result<Batch> batch = std::move(m_ready.extract(m_wanted).mapped());
        if (batch.ok()) {
            ++m_wanted;
            m_roomMade.notify_one();
        } else {
            m_error = batch.error();
        }
        return batch;
    }

  private:
    /// At the first next(), so that a seek() before it wastes no work.
    Status startThreads() {
        if (m_perEpoch == 0 || !m_threads.empty()) return {};
        try {
            for (int i = 0; i < m_options.threads; ++i)
                m_threads.emplace_back([this] { work(); });
        } catch (const std::system_error& error) {
            // Fewer threads do as well; none do not.
            if (m_threads.empty()) return fail("loader: cannot start a thread: {}", error.what());
        }
        return {};
    }

    void work() {
        EpochOrder order;
        MutexLock lock(m_mutex);
        while (true) {
            m_roomMade.wait(
                lock, [this] { return m_stop || (!m_error && m_unclaimed < m_wanted + m_options.prefetch); });
            if (m_stop) return;
            const std::int64_t number = m_unclaimed++;
            const std::uint64_t generation = m_generation;
            lock.unlock();
            Result<Batch> batch = build(number, order);
            lock.lock();
            if (generation != m_generation) continue;  // seek() outdated it
            m_ready.emplace(number, std::move(batch));
            m_batchReady.notify_all();
        }
    }

    Result<Batch> build(std::int64_t number, EpochOrder& order) const {
        const std::int64_t epoch = number / m_perEpoch;
        const std::int64_t index = number % m_perEpoch;
        try {
            order.prepare(m_options, m_dataset.size(), epoch);
            const auto batchSize = static_cast<std::size_t>(m_options.batchSize);
            const auto rest = std::span(order.images).subspan(static_cast<std::size_t>(index) * batchSize);
            return read(epoch, index, rest.first(std::min(batchSize, rest.size())));
        } catch (const std::exception& error) {
            return fail(
                "loader: batch {} of epoch {}: {}; choose a smaller batch or less prefetch if memory ran out",
                index, epoch, error.what());
        }
    }

    Result<Batch> read(std::int64_t epoch, std::int64_t index, std::span<const std::int64_t> images) const {
        Batch batch{epoch, index, static_cast<int>(images.size()), {}, {}};
        batch.images.resize(images.size() * m_shape.bytes());
        batch.labels.resize(images.size());
        std::vector<std::uint8_t> pixels(m_shape.bytes());
        for (std::size_t i = 0; i < images.size(); ++i) {
            BITLOOM_ASSIGN_OR_RETURN(batch.labels[i], m_dataset.read(images[i], pixels));
            const Augmentation augmentation =
                m_options.augment ? drawAugmentation(m_options.seed, epoch, images[i]) : Augmentation{};
            m_table.apply(pixels, m_shape, augmentation,
                          std::span(batch.images).subspan(i * m_shape.bytes(), m_shape.bytes()));
        }
        return batch;
    }

    const Dataset& m_dataset;
    const LoaderOptions m_options;
    const ImageShape m_shape;
    const PixelTable m_table;
    std::int64_t m_perEpoch = 0;  ///< 0 when the options are wrong: m_error says why

    // Batches are numbered through all epochs: epoch * m_perEpoch + index.
    Mutex m_mutex;
    std::condition_variable_any m_roomMade;
    std::condition_variable_any m_batchReady;
    bool m_stop BITLOOM_GUARDED_BY(m_mutex) = false;
    /// The number next() returns next.
    std::int64_t m_wanted BITLOOM_GUARDED_BY(m_mutex) = 0;
    /// The first number that no thread has taken.
    std::int64_t m_unclaimed BITLOOM_GUARDED_BY(m_mutex) = 0;
    /// Counts the calls of seek().
    std::uint64_t m_generation BITLOOM_GUARDED_BY(m_mutex) = 0;
    std::map<std::int64_t, Result<Batch>> m_ready BITLOOM_GUARDED_BY(m_mutex);
    /// The first that next() met; it ends the work.
    std::optional<Error> m_error BITLOOM_GUARDED_BY(m_mutex);

    std::vector<std::thread> m_threads;
};

Loader::Loader(const Dataset& dataset, LoaderOptions options)
    : m_impl(std::make_unique<Impl>(dataset, options)) {}

Loader::~Loader() = default;

std::int64_t Loader::batchesPerEpoch() const {
    return m_impl->batchesPerEpoch();
}

void Loader::seek(std::int64_t epoch, std::int64_t index) {
    m_impl->seek(epoch, index);
}

Result<Batch> Loader::next() {
    return m_impl->next();
}

}  // namespace bitloom::data
