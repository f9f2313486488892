#include <QElapsedTimer>
#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>

#include "app/engine_host.h"
#include "tests/app/window_support.h"

namespace bitloom::app {
namespace {

using testing::layerName;
using testing::layerSnapshot;
using testing::waitFor;

/// Everything a host delivered.
struct Received {
    explicit Received(EngineHost& host) {
        QObject::connect(&host, &EngineHost::delivered, [this](const Delivery& delivery) {
            ++deliveries;
            for (const auto& layer : delivery.layers)
                newest[layer->layer] = layer->step;
            layers += delivery.layers.size();
            metrics += delivery.metrics.size();
            events += delivery.events.size();
            for (const std::string& line : delivery.log)
                log.push_back(line);
            steps.insert(steps.end(), delivery.recordedSteps.begin(), delivery.recordedSteps.end());
        });
        QObject::connect(&host, &EngineHost::finished, [this](const Status& status) { outcome = status; });
        QObject::connect(&host, &EngineHost::stateChanged,
                         [this](JobState state) { states.push_back(state); });
    }
    [[nodiscard]] bool ended() const { return outcome.has_value(); }

    int deliveries = 0;
    std::map<std::string, std::int64_t> newest;
    std::size_t layers = 0;
    std::size_t metrics = 0;
    std::size_t events = 0;
    std::vector<std::string> log;
    std::vector<std::int64_t> steps;
    std::vector<JobState> states;
    std::optional<Status> outcome;
};

TEST(EngineHost, BoundsItsSignalsHoweverManySnapshotsCome) {
    constexpr int kSteps = 20'000;
    EngineHost host;
    Received received(host);
    QElapsedTimer clock;
    clock.start();
    host.start([](report::ProgressSink& sink, JobControl&) -> Status {
        for (int step = 1; step <= kSteps; ++step) {
            for (int layer = 0; layer < testing::kLayers; ++layer) {
                auto snapshot = std::make_shared<report::LayerSnapshot>();
                snapshot->layer = layerName(layer);
                snapshot->step = step;
                sink.layer(snapshot);
            }
            report::MetricSample metric;
            metric.step = step;
            sink.metric(metric);
        }
        return {};
    });
    ASSERT_TRUE(waitFor([&] { return received.ended(); }));
    const auto possible = clock.elapsed() / EngineHost::kDeliveryMs + 2;
    EXPECT_LE(received.deliveries, possible);
    EXPECT_LE(received.layers, static_cast<std::size_t>(received.deliveries * testing::kLayers));
    EXPECT_EQ(received.metrics, static_cast<std::size_t>(kSteps)) << "no row may be lost";
    ASSERT_EQ(received.newest.size(), static_cast<std::size_t>(testing::kLayers));
    for (const auto& [name, step] : received.newest)
        EXPECT_EQ(step, kSteps) << name;
    ASSERT_EQ(received.steps.size(), static_cast<std::size_t>(kSteps));
    EXPECT_TRUE(std::is_sorted(received.steps.begin(), received.steps.end()));
}

TEST(EngineHost, DeliversEverythingBeforeItSaysFinished) {
    EngineHost host;
    Received received(host);
    bool complete = false;
    QObject::connect(&host, &EngineHost::finished,
                     [&] { complete = received.log.size() == 1 && received.events == 1; });
    host.start([](report::ProgressSink& sink, JobControl&) -> Status {
        sink.log("one");
        sink.event({7, report::EventKind::Epoch, "epoch"});
        return {};
    });
    ASSERT_TRUE(waitFor([&] { return received.ended(); }));
    EXPECT_TRUE(complete);
    EXPECT_TRUE(received.outcome->ok());
    EXPECT_EQ(host.state(), JobState::Idle);
}

TEST(EngineHost, PausesResumesAndStopsTheJob) {
    EngineHost host;
    Received received(host);
    std::atomic<int> steps = 0;
    host.start([&steps](report::ProgressSink&, JobControl& control) -> Status {
        while (control.waitWhilePaused()) {
            ++steps;
            std::this_thread::yield();
        }
        return Error{ErrorKind::Cancelled, "stopped"};
    });
    ASSERT_TRUE(waitFor([&] { return steps > 0; }));
    host.pause();
    EXPECT_EQ(host.state(), JobState::Paused);
    // At most the step in hand is done after pause().
    int before = -1;
    ASSERT_TRUE(waitFor([&] { return std::exchange(before, steps.load()) == steps; }));
    host.resume();
    ASSERT_TRUE(waitFor([&] { return steps > before; }));
    host.stop();
    ASSERT_TRUE(waitFor([&] { return received.ended(); }));
    EXPECT_EQ(received.outcome->error().kind, ErrorKind::Cancelled);
    const std::vector<JobState> expected = {JobState::Running, JobState::Paused, JobState::Running,
                                            JobState::Stopping, JobState::Idle};
    EXPECT_EQ(received.states, expected);
}

TEST(EngineHost, StopsAPausedJob) {
    EngineHost host;
    Received received(host);
    host.start([](report::ProgressSink&, JobControl& control) -> Status {
        while (control.waitWhilePaused())
            std::this_thread::yield();
        return {};
    });
    host.pause();
    host.stop();
    EXPECT_TRUE(waitFor([&] { return received.ended(); }));
}

TEST(EngineHost, ANewerJobOutdatesTheOlder) {
    EngineHost host;
    Received received(host);
    std::atomic<bool> firstStopped = false;
    host.start([&firstStopped](report::ProgressSink& sink, JobControl& control) -> Status {
        while (control.waitWhilePaused())
            std::this_thread::yield();
        sink.log("from the first");
        firstStopped = true;
        return Error{ErrorKind::Cancelled, "first"};
    });
    host.start([&firstStopped](report::ProgressSink& sink, JobControl& control) -> Status {
        while (!firstStopped && control.waitWhilePaused())
            std::this_thread::yield();
        sink.log("from the second");
        return {};
    });
    ASSERT_TRUE(waitFor([&] { return received.ended(); }));
    EXPECT_TRUE(received.outcome->ok());
    EXPECT_EQ(received.log, std::vector<std::string>{"from the second"});
}

TEST(EngineHost, TurnsAnExceptionIntoAnError) {
    EngineHost host;
    Received received(host);
    host.start(
        [](report::ProgressSink&, JobControl&) -> Status { throw std::runtime_error("out of cheese"); });
    ASSERT_TRUE(waitFor([&] { return received.ended(); }));
    EXPECT_NE(received.outcome->error().message.find("out of cheese"), std::string::npos);
}

TEST(EngineHost, StopsTheJobWhenItDies) {
    std::atomic<bool> stopped = false;
    {
        EngineHost host;
        host.start([&stopped](report::ProgressSink&, JobControl& control) -> Status {
            while (control.waitWhilePaused())
                std::this_thread::yield();
            stopped = true;
            return {};
        });
        host.pause();
    }
    EXPECT_TRUE(stopped);
}

TEST(LatestWorker, SkipsRequestsThatWaitedTooLong) {
    QObject context;
    std::vector<int> done;
    std::atomic<bool> go = false;
    std::atomic<bool> begun = false;
    LatestWorker worker(&context);
    const auto request = [&](int number) {
        worker.submit(
            0,
            [&, number]() -> LatestWorker::Completion {
                begun = true;
                while (!go)
                    std::this_thread::yield();
                return [&done, number] { done.push_back(number); };
            },
            [](const Error& error) { ADD_FAILURE() << error.message; });
    };
    request(0);
    ASSERT_TRUE(waitFor([&] { return begun.load(); }));
    for (int number = 1; number <= 100; ++number)
        request(number);
    go = true;
    ASSERT_TRUE(waitFor([&] { return !done.empty() && done.back() == 100; }));
    EXPECT_EQ(done, (std::vector<int>{0, 100}));
}

TEST(LatestWorker, ReportsErrorsAndExceptionsAndGoesOn) {
    QObject context;
    std::vector<std::string> messages;
    bool done = false;
    LatestWorker worker(&context);
    const auto keep = [&](const Error& error) { messages.push_back(error.message); };
    const auto error = []() -> Result<LatestWorker::Completion> { return fail("no such file"); };
    const auto exception = []() -> Result<LatestWorker::Completion> {
        throw std::runtime_error("out of cheese");
    };
    worker.submit(0, error, keep);
    worker.submit(1, exception, keep);
    worker.submit(
        2,
        [&]() -> Result<LatestWorker::Completion> { return LatestWorker::Completion([&] { done = true; }); },
        keep);
    ASSERT_TRUE(waitFor([&] { return done; }));
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_EQ(messages.front(), "no such file");
    EXPECT_NE(messages.back().find("out of cheese"), std::string::npos);
}

}  // namespace
}  // namespace bitloom::app
